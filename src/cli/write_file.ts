/** Files that the command line writes: wholly, or not at all. */
import { lstatSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { OutputError } from './errors.js'

const said: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder',
  ENOTDIR: 'a part of its path is no folder',
  EISDIR: 'it is a folder',
  EACCES: 'that is not allowed to you',
  EPERM: 'that is not allowed to you',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'your share of the disk is used up',
  EMFILE: 'too many files are open (ulimit -n)',
  EFBIG: 'that is more than a file may hold here (ulimit -f)',
}

/**
 * Writes a file beside its place, and moves it there when all of it is written. A link is not followed, since
 * it may be somebody else's; what is no regular file (a terminal, a pipe) is written to as it is.
 *
 * @throws OutputError saying why it cannot be written; what was there before is there still
 */
export function write_file(path: string, text: string): void {
  try {
    const there = lstatSync(path, { throwIfNoEntry: false })
    const target = there?.isSymbolicLink() ? statSync(path, { throwIfNoEntry: false }) : there
    if (target !== undefined && !target.isFile() && !target.isDirectory()) writeFileSync(path, text)
    else if (there?.isSymbolicLink())
      throw new OutputError(`${path} is a symbolic link, which is not followed: name the file itself`)
    else if (there?.isDirectory()) throw new OutputError(`${path} cannot be written: EISDIR, ${said.EISDIR}`)
    else replace(path, text)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (error instanceof OutputError || code === undefined) throw error
    throw new OutputError(
      `${path} cannot be written: ${code}${Object.hasOwn(said, code) ? `, ${said[code]}` : ''}`,
    )
  }
}

function replace(path: string, text: string): void {
  const making = mkdtempSync(join(dirname(path), '.toctoscope-'))
  try {
    const whole = join(making, basename(path))
    writeFileSync(whole, text, { flag: 'wx' })
    renameSync(whole, path)
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
}
