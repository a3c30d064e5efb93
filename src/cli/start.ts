#!/usr/bin/env node
/**
 * What `npx toctoscope` starts. It imports nothing at once: where so few files may be open that not even the program can
 * be loaded, that can still be said.
 */
try {
  const { main } = await import('./main.js')
  await main()
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException
  const few = code === 'EMFILE' || code === 'ENFILE'
  const what = few ? 'too few files may be open at once: allow more, e.g. ulimit -n 256' : message
  process.stderr.write(`toctoscope: the program cannot be loaded: ${what}\n`)
  process.exit(few ? 6 : 70)
}

export {}
