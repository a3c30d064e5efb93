#!/usr/bin/env node
/**
 * What `npx toctoscope` starts. It imports nothing at once: where so few files may be open that not even the program can
 * be loaded, that can still be said.
 */
try {
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
