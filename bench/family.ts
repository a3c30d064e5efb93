/**
 * The family that speed is measured on: one interpreter, N identical writers, on the overlay of `overlay-copy-up`.
 *
 *     npx toctoscope explore bench/family.ts --case n=4
 */
import { type Case, scenario } from 'toctoscope'

const SIGNED_ONLY = `policy_name=signed_only policy_version=1.0.0
DEFAULT action=ALLOW
DEFAULT op=EXECUTE action=DENY
op=EXECUTE dmverity_signature=TRUE action=ALLOW
`
const GOOD = '#!/bin/i\nprint 1\n'
const EVIL = '#!/bin/i\nsteal()\n'

const many_writers = scenario({
  name: 'one-reader-many-writers',
  summary: 'One interpreter, N identical writers',
  params: { n: [1, 2, 3, 4, 5, 6, 7] },
  build(s, { n }) {
    s.mount('/', s.filesystem('root', { type: 'tmpfs' }))
    const signed = s.filesystem('signed', {
      type: 'erofs',
      dmverity: { signed: true },
      tree: { script: { file: GOOD, mode: 0o755, uid: 1000 } },
    })
    const rw = s.filesystem('rw', { type: 'tmpfs', tree: { upper: { dir: {} }, work: { dir: {} } } })
    s.overlay('/m', { lower: [signed], upper: rw.at('/upper'), work: rw.at('/work') })
    s.ipe(SIGNED_ONLY)

    const interpreter = s.victim('interpreter', { uid: 1001, gid: 1001 })
    const fd = interpreter.open('/m/script', 'O_RDONLY')
    const st = interpreter.fstat(fd)
    const relies = interpreter.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
    interpreter.use(interpreter.read(fd, st.st_size), { relies })

    for (let i = 1; i <= n; i++) {
      const writer = s.attacker(`writer-${i}`, { uid: 1000, gid: 1000 })
      const out = writer.open('/m/script', 'O_WRONLY')
      writer.write(out, EVIL)
      writer.close(out)
    }
    s.property('check-use', 'policy')
  },
  expect: () => ({ verdict: 'race', property: 'check-use' }),
})
export default many_writers

/** @param n how many writers, 7 at most @returns the case: an interpreter that checks and reads, and n that open, write, close */
export const family = (n: number): Case => many_writers.cases[n - 1]!
