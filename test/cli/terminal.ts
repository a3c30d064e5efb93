import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { run_command_line } from '../../src/cli/main.ts'
import type { Terminal } from '../../src/cli/terminal.ts'

export interface Output {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** A terminal that keeps what is written. */
export function fake_terminal(changes: Partial<Terminal> = {}, typed: readonly string[] = []) {
  const written = { out: '', err: '' }
  const lines = [...typed]
  const terminal: Terminal = {
    out: (text) => {
      written.out += text
    },
    err: (text) => {
      written.err += text
    },
    width: 100,
    color: false,
    interactive: false,
    now: () => 0,
    line: async () => lines.shift() ?? null,
    ...changes,
  }
  return { terminal, written }
}

/** Runs the command line in this process, on the sources. */
export async function toctoscope(...args: string[]): Promise<Output> {
  const { terminal, written } = fake_terminal()
  const code = await run_command_line(args, terminal)
  return { code, ...written }
}

export const program = fileURLToPath(new URL('../../dist/src/cli/start.js', import.meta.url))

/** Runs the compiled program in a folder, as a user would. */
export function compiled(cwd: string, ...args: string[]): Output {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd,
    encoding: 'utf8',
  })
  return { code: status ?? -1, out: stdout, err: stderr }
}

/** Lines that only a stack trace has. */
export const STACK = /^ {4}at /m
