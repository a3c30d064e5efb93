/**
 * A path is looked up anew each time. Who checks a path and then opens it may check one file and run another;
 * who opens first and checks the descriptor has the same file in hand all the time.
 */
import { scenario, type TreeForm } from 'toctoscope'

export default scenario(import.meta, {
  name: 'path-or-descriptor',
  summary: 'Checking a path and opening it afterwards, against checking the open descriptor',
  teaches:
    'Check what you hold: execveat(fd, "", …, AT_EMPTY_PATH | AT_EXECVE_CHECK) on the descriptor that is read.',
  params: {
    check: ['path', 'descriptor'],
    attack: ['rename', 'symlink'],
    profile: ['6.14', '7.2'],
  },

  build(s, { check, attack }) {
    const good = { file: '#!/bin/i\nprint 1\n', mode: 0o755 }
    const evil = { file: '#!/bin/i\nsteal()\n', mode: 0o755, uid: 1000 }
    const link = { symlink: 'good', uid: 1000 }
    const files: TreeForm = attack === 'rename' ? { script: good, evil } : { good, script: link, evil }
    const srv = { dir: files, uid: 1000 }
    s.mount('/', s.filesystem('disk', { type: 'ext4', tree: { srv } }))

    const interpreter = s.victim('interpreter', { uid: 1001, gid: 1001 })
    const path = '/srv/script'
    if (check === 'path') {
      const relies = interpreter.execveat('AT_FDCWD', path, null, null, 'AT_EXECVE_CHECK')
      const fd = interpreter.open(path, 'O_RDONLY')
      interpreter.use(interpreter.read(fd, 4096), { relies })
    } else {
      const fd = interpreter.open(path, 'O_RDONLY')
      const relies = interpreter.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK')
      interpreter.use(interpreter.read(fd, 4096), { relies })
    }

    const attacker = s.attacker('attacker', { uid: 1000, gid: 1000, cwd: '/srv' })
    if (attack === 'rename') attacker.rename('evil', 'script')
    else {
      attacker.symlink('evil', 'new')
      attacker.rename('new', 'script')
    }
  },

  expect: ({ check }) => (check === 'path' ? { verdict: 'race', property: 'check-use' } : 'safe'),
})
