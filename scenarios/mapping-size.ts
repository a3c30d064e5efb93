/**
 * A mapping of the checked descriptor keeps to the signed pages, but how long the file is, `fstat` learns from
 * whatever the overlay shows now. An interpreter that asks for the size after the check maps too little, and
 * runs a beginning of the script as if it were all, or too much, and is killed by SIGBUS.
 */
import { scenario } from 'toctoscope'

const SIGNED_ONLY = `policy_name=signed_only policy_version=1.0.0
DEFAULT action=ALLOW
DEFAULT op=EXECUTE action=DENY
op=EXECUTE dmverity_signature=TRUE action=ALLOW
`
const SCRIPT = '#!/bin/i\nlock()\nopen_door()\n'
const UP_TO_LOCK = SCRIPT.indexOf('lock')
const TWO_PAGES = 8192

export default scenario(import.meta, {
  name: 'mapping-size',
  summary: 'The pages are safe, their number is not: a size learnt after the check',
  teaches:
    'mmap() of a checked overlay descriptor shows the bytes that were judged; fstat() shows the copy. Ask for the ' +
    'size before the check.',
  params: {
    size: ['after-check', 'before-check'],
    attack: ['truncate', 'extend'],
    profile: ['6.19', '7.2'],
  },

  build(s, { size, attack }) {
    const signed = s.filesystem('signed', {
      type: 'erofs',
      dmverity: { signed: true },
      tree: { script: { file: SCRIPT, mode: 0o755, uid: 1000 } },
    })
    const rw = s.filesystem('rw', { type: 'tmpfs', tree: { upper: { dir: {} }, work: { dir: {} } } })
    s.mount('/', s.filesystem('root', { type: 'tmpfs' }))
    s.overlay('/m', { lower: [signed], upper: rw.at('/upper'), work: rw.at('/work') })
    s.ipe(SIGNED_ONLY)

    const interpreter = s.victim('interpreter', { uid: 1001, gid: 1001 })
    const fd = interpreter.open('/m/script', 'O_RDONLY')
    const early = size === 'before-check' ? interpreter.fstat(fd) : undefined
    const check = interpreter.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
    const { st_size } = early ?? interpreter.fstat(fd)
    const mapped = interpreter.mmap(0, st_size, 'PROT_READ', 'MAP_PRIVATE', fd)
    interpreter.use(interpreter.peek(mapped, st_size), { relies: check })

    const attacker = s.attacker('attacker', { uid: 1000, gid: 1000 })
    const out = attacker.open('/m/script', 'O_WRONLY')
    attacker.ftruncate(out, attack === 'truncate' ? UP_TO_LOCK : TWO_PAGES)
    attacker.close(out)

    s.property('check-use', 'policy')
  },

  expect: ({ size }) => (size === 'after-check' ? { verdict: 'race', property: 'check-use' } : 'safe'),
})
