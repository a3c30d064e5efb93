/**
 * No overlay and no policy: an ordinary file, and somebody who may write to it. The check keeps writers out
 * while it runs and no longer, so every way of getting at the bytes races. fs-verity takes the writer away.
 */
import { scenario } from 'toctoscope'

const GOOD = '#!/bin/i\nprint 1\n'
const EVIL = '#!/bin/i\nsteal()\n'
const HALF = 8

export default scenario(import.meta, {
  name: 'plain-write-after-check',
  summary: 'An ordinary file is written to after the check; fs-verity keeps it as it was',
  teaches:
    'Write denial ends with the check. A private mapping is no snapshot: pages that were not touched follow the ' +
    'file. Reading first and checking then races too, where the check judges content or nothing at all.',
  params: {
    access: ['read', 'pread', 'mmap-after', 'mmap-before', 'read-then-check'],
    verity: ['none', 'fs-verity'],
    profile: ['6.14', '7.2'],
  },

  build(s, { access, verity }) {
    const file = { file: GOOD, mode: 0o755, uid: 1000, ...(verity === 'none' ? {} : { verity: {} }) }
    s.mount('/', s.filesystem('disk', { type: 'ext4', tree: { script: file } }))

    const interpreter = s.victim('interpreter', { uid: 1001, gid: 1001 })
    const fd = interpreter.open('/script', 'O_RDONLY')
    const st = interpreter.fstat(fd)
    const check = () => interpreter.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
    const map = () => interpreter.mmap(0, st.st_size, 'PROT_READ', 'MAP_PRIVATE', fd)
    if (access === 'read') {
      const relies = check()
      interpreter.use(interpreter.read(fd, st.st_size), { relies })
    } else if (access === 'pread') {
      const relies = check()
      const first = interpreter.pread(fd, HALF, 0)
      const second = interpreter.pread(fd, st.st_size, HALF)
      interpreter.use([first, second], { relies })
    } else if (access === 'mmap-after') {
      const relies = check()
      interpreter.use(interpreter.peek(map(), st.st_size), { relies })
    } else if (access === 'mmap-before') {
      const mapped = map()
      const relies = check()
      interpreter.use(interpreter.peek(mapped, st.st_size), { relies })
    } else {
      const bytes = interpreter.read(fd, st.st_size)
      interpreter.use(bytes, { relies: check() })
    }

    const attacker = s.attacker('attacker', { uid: 1000, gid: 1000 })
    const out = attacker.open('/script', 'O_WRONLY')
    attacker.write(out, EVIL)
    attacker.close(out)
  },

  expect: ({ verity }) => (verity === 'none' ? { verdict: 'race', property: 'check-use' } : 'safe'),
})
