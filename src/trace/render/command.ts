/** Commands that are printed to be typed: quoted for a shell. */
import { is_seen } from '../../scenario/characters.js'

/** A word as a shell reads it back: names of files and cases hold whatever their makers liked. */
export function shell_word(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word
  if (is_seen(word)) return `'${word.replace(/'/g, "'\\''")}'`
  let text = ''
  for (const char of word) text += is_seen(char) ? char.replace(/['\\]/, '\\$&') : octal(char)
  return `$'${text}'`
}

/** All three digits: another could follow. */
const octal = (char: string): string =>
  [...new TextEncoder().encode(char)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')

/** `npx toctoscope show 'my file.ts' --case p=1`. What is empty or null is left out. */
export const command = (...words: readonly (string | null)[]): string =>
  [
    'npx toctoscope',
    ...words.filter((word) => word !== null && word !== '').map((word) => shell_word(word!)),
  ].join(' ')
