/**
 * The race that this project exists for. A script lies on a signed dm-verity image, below an overlay that can
 * be written. IPE trusts the image and nothing else. An interpreter opens the script, asks the kernel whether
 * it may be executed, is told yes, and then takes its bytes. Meanwhile somebody writes to the same path:
 * the overlay copies the file up, and what `read` returns from then on was never signed.
 */
import { scenario } from 'toctoscope'

const SIGNED_ONLY = `policy_name=signed_only policy_version=1.0.0
DEFAULT action=ALLOW
DEFAULT op=EXECUTE action=DENY
op=EXECUTE dmverity_signature=TRUE action=ALLOW
`
const GOOD = '#!/bin/i\nprint 1\n'
const EVIL = '#!/bin/i\nsteal()\n'
const HALF = 8

export default scenario(import.meta, {
  name: 'overlay-copy-up',
  summary: 'A checked script on a signed lower layer is copied up and rewritten before it is read',
  teaches:
    'A check by execveat(AT_EXECVE_CHECK) holds for the moment of the check. On an overlay, read() follows a ' +
    'copy-up that comes after it; a mapping of the checked descriptor does not.',
  params: {
    access: ['read', 'pread', 'mmap-after', 'mmap-before', 'read-then-check'],
    mitigation: ['none', 'no-upper', 'ro-mount', 'no-permission', 'ro-bind'],
    profile: ['6.18', '6.19', '7.2'],
  },

  build(s, { access, mitigation }) {
    const root = s.filesystem('root', { type: 'tmpfs' })
    const owner = mitigation === 'no-permission' ? 0 : 1000
    const signed = s.filesystem('signed', {
      type: 'erofs',
      dmverity: { signed: true },
      tree: { script: { file: GOOD, mode: 0o755, uid: owner } },
    })
    const rw = s.filesystem('rw', { type: 'tmpfs', tree: { upper: { dir: {} }, work: { dir: {} } } })

    s.mount('/', root)
    if (mitigation === 'no-upper') {
      const other = s.filesystem('other', { type: 'erofs', dmverity: { signed: true } })
      s.overlay('/m', { lower: [other, signed] })
    } else {
      const layers = { lower: [signed], upper: rw.at('/upper'), work: rw.at('/work') }
      s.overlay('/m', layers, mitigation === 'ro-mount' ? ['ro'] : [])
    }
    if (mitigation === 'ro-bind') s.bind('/m', '/view', ['ro'])
    s.ipe(SIGNED_ONLY)

    const interpreter = s.victim('interpreter', { uid: 1001, gid: 1001 })
    const fd = interpreter.open(mitigation === 'ro-bind' ? '/view/script' : '/m/script', 'O_RDONLY')
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
    const out = attacker.open('/m/script', 'O_WRONLY')
    attacker.write(out, EVIL)
    attacker.close(out)

    s.property('check-use', 'policy')
  },

  expect({ access, mitigation, profile }) {
    if (mitigation !== 'none' && mitigation !== 'ro-bind') return 'safe'
    if (profile === '6.18') return { verdict: 'hole', property: 'policy' }
    return access === 'read' || access === 'pread' ? { verdict: 'race', property: 'check-use' } : 'safe'
  },
})
