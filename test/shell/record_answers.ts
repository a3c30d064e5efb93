/** Asks the kernel of this machine, as root, and writes down what it answers: `npx tsx test/shell/record_answers.ts`. */
import { writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { running_profile } from '../../src/oracle/confirm/confirm.js'
import { all_asked, ask_kernel, RECORDED } from './answers.js'

const lines: object[] = [{ kernel: `Linux ${release()}`, profile: running_profile() }]
for (const asked of all_asked) lines.push({ [asked.name]: await ask_kernel(asked) })
writeFileSync(RECORDED, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
