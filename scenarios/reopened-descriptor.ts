/**
 * A descriptor that is open for reading keeps nobody from writing: its name in proc is a magic link, and whoever may
 * follow that opens the file afresh, with no rights but the file's and the mount's in the way, and although the file
 * has no other name any more. So a container wrote to the runtime that ran it (CVE-2019-5736): it held the running
 * program by /proc/<pid>/exe, and opened it by /proc/self/fd for writing.
 */
import { scenario } from 'toctoscope'

export default scenario(import.meta, {
  name: 'reopened-descriptor',
  summary:
    'A file that has only a descriptor left is opened for writing by the name of that descriptor in proc',
  teaches:
    'A read-only descriptor protects nothing. What protects is what the file is opened through: a read-only mount, its mode, or that nobody else may look into the process.',
  params: {
    protection: ['none', 'ro-mount', 'mode'],
    profile: ['6.14', '7.2'],
  },

  build(s, { protection }) {
    const script = { file: '#!/bin/i\nprint 1\n', mode: protection === 'mode' ? 0o555 : 0o755, uid: 1000 }
    const disk = s.filesystem('disk', { type: 'tmpfs', tree: { script, proc: { dir: {} }, ro: { dir: {} } } })
    s.mount('/', disk)
    s.mount('/ro', disk, ['ro'])
    s.mount('/proc', s.filesystem('proc', { type: 'proc' }))

    const runtime = s.victim('runtime', { uid: 1000, gid: 1000 })
    const fd = runtime.open(protection === 'ro-mount' ? '/ro/script' : '/script', 'O_RDONLY')
    const relies = runtime.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
    runtime.use(runtime.read(fd, 4096), { relies })

    const inside = s.attacker('inside', { uid: 1000, gid: 1000 })
    inside.open('/proc/1/fd/3', 'O_PATH')
    const reopened = inside.open('/proc/self/fd/3', 'O_WRONLY')
    inside.write(reopened, '#!/bin/i\nsteal()\n')
  },

  expect: ({ protection }) => (protection === 'none' ? { verdict: 'race', property: 'check-use' } : 'safe'),
})
