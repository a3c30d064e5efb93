#!/usr/bin/env node
/**
 * What `npx toctoscope` starts. It imports nothing at once: where so few files may be open that not even the program can
 * be loaded, that can still be said.
 */

/** Files that are open at once while a search's thread and the reader of TypeScript are loaded, with some to spare. */
const FILES_NEEDED = 100

/**
 * Opens as many files as will be needed, and closes them. Asked before anything is loaded: the loader of modules takes
 * a file that it may not open for one that is not there.
 *
 * @throws EMFILE, ENFILE
 */
function need_files(): void {
  const { openSync, closeSync } = process.getBuiltinModule('node:fs')
  const opened: number[] = []
  try {
    while (opened.length < FILES_NEEDED) opened.push(openSync(process.execPath, 'r'))
  } finally {
    for (const fd of opened) closeSync(fd)
  }
}

try {
  need_files()
  // A search does not look up from its work, nor may a file that is code: beside them this thread stays free.
  const is_search = /^(explore|show|confirm|repro)$/.test(process.argv[2] ?? '')
  if (is_search || process.argv.slice(3).some((word) => /\.[cm]?[jt]sx?$/.test(word)))
    await (await import('./beside.js')).run_beside()
  else await (await import('./main.js')).main()
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException
  // A thread that cannot be started says it in its message only.
  const few = /\b(EMFILE|ENFILE)\b/.test(`${code} ${message}`)
  const what = few ? 'too few files may be open at once: allow more, e.g. ulimit -n 256' : message
  process.stderr.write(`toctoscope: the program cannot be loaded: ${what}\n`)
  // exit_codes.ts, which may not be loaded any more.
  process.exit(few ? 6 : 70)
}

export {}
