/** What an open descriptor and a mapping see of a copy-up (facts: §3.2, seen on 6.18). */
import { describe, expect, it } from 'vitest'
import { EACCES } from '../../src/kernel/errno.js'
import type { SecurityModule } from '../../src/kernel/kernel.js'
import { mount_overlay } from '../../src/overlay/overlay.js'
import { ovl_inode } from '../../src/overlay/ovl_entry.js'
import { d_real_inode } from '../../src/vfs/d_real.js'
import { dentry } from '../../src/vfs/dentry.js'
import { file as open_file } from '../../src/vfs/file.js'
import { MAY_READ, MAY_WRITE } from '../../src/vfs/namei/permission.js'
import { super_block } from '../../src/vfs/super_block.js'
import {
  dir,
  file,
  MAP_PRIVATE,
  MAP_SHARED,
  O_APPEND,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  Overlay,
  PROT_READ,
  PROT_WRITE,
} from './machine.js'

const one = (data = 'lower') => new Overlay({ l: { f: file(data) } })

describe('reading and writing through the overlay', () => {
  it('reads the lower file, and copies nothing up', () => {
    const m = one()
    expect(m.cat('/m/f')).toBe('lower')
    expect(m.names('/u')).toBe('')
  })

  it('opening for writing copies up; a write goes to the copy', () => {
    const m = one()
    const fd = m.open('/m/f', O_WRONLY)
    expect(m.content('/u/f')).toBe('lower')
    expect(m.call('write', fd, 'UPP')).toBe(3)
    expect([m.content('/u/f'), m.content('/l/f'), m.cat('/m/f')]).toEqual(['UPPer', 'lower', 'UPPer'])
  })

  it("the position is the overlay file's, and survives the switch", () => {
    const m = one('abcdef')
    const fd = m.open('/m/f')
    expect(m.call('read', fd, 3)).toBe(3)
    const w = m.open('/m/f', O_WRONLY)
    m.call('write', w, 'ABC')
    m.call('write', w, 'DEF')
    m.call('read', fd, 9)
    expect(m.data()).toBe('DEF')
    expect(m.content('/u/f')).toBe('ABCDEF')
  })

  it('O_APPEND writes at the end of the real file', () => {
    const m = one('ab')
    const fd = m.open('/m/f', O_WRONLY | O_APPEND)
    m.call('write', fd, 'cd')
    m.call('write', fd, 'ef')
    expect(m.content('/u/f')).toBe('abcdef')
    expect(m.call('lseek', fd, 0, 1)).toBe(6)
  })

  it('a read or write at an offset leaves the position where it was', () => {
    const m = one()
    const fd = m.open('/m/f', O_RDWR)
    m.call('read', fd, 2)
    m.call('pwrite', fd, 'X', 1, 4)
    m.call('pread', fd, 1, 0)
    expect([m.call('lseek', fd, 0, 1), m.content('/u/f')]).toEqual([2, 'loweX'])
    m.call('write', fd, 'Y')
    expect(m.content('/u/f')).toBe('loYeX')
  })

  it('a write takes set-user-id from the copy', () => {
    const m = new Overlay({ l: { f: file('x', { mode: 0o4777 }) } })
    m.spawn(2, { uid: 1000 })
    const fd = m.open('/m/f', O_WRONLY, 0, 2)
    expect(m.stat('/m/f').mode & 0o7777).toBe(0o4777)
    m.as(2, 'write', fd, 'y')
    expect(m.stat('/m/f').mode & 0o7777).toBe(0o777)
    expect(m.inode('/u/f').i_mode & 0o7777).toBe(0o777)
  })

  it('read() sees both layers when the copy-up comes between its two pages stays with the file that it began with', () => {
    const m = one(`${'a'.repeat(4096)}${'b'.repeat(4096)}`)
    const fd = m.open('/m/f')
    m.begin(1, 'pread', fd, 8192, 0)
    while (m.data().length < 4096) m.step(1)
    m.spawn(2)
    const w = m.open('/m/f', O_WRONLY, 0, 2)
    m.as(2, 'pwrite', w, 'C'.repeat(4096), 4096, 4096)
    expect(m.finish(1)).toBe(8192)
    expect(m.data().slice(4096)).toBe('b'.repeat(4096))
    expect(m.pread(fd).slice(4096)).toBe('C'.repeat(4096))
  })
})

describe('a descriptor opened before the copy-up', () => {
  const stale = (m: Overlay) => {
    const fd = m.open('/m/f')
    return { fd, old: m.map(fd) }
  }

  it('copy-up and write: read is new, mappings old and new are old, size and number', () => {
    const m = one()
    const { fd, old } = stale(m)
    const { ino } = m.stat(fd)
    const w = m.open('/m/f', O_WRONLY)
    m.call('write', w, 'written')
    expect(m.pread(fd)).toBe('written')
    expect(m.peek(old, 5)).toBe('lower')
    expect(m.peek(m.map(fd, MAP_SHARED), 5)).toBe('lower')
    expect(m.peek(m.map(fd, MAP_PRIVATE), 5)).toBe('lower')
    expect(m.call('lseek', fd, 0, 2)).toBe(7)
    expect(m.stat(fd)).toMatchObject({ size: 7, ino })
    expect(m.cat('/m/f')).toBe('written')
    expect(m.peek(m.map(m.open('/m/f')), 7)).toBe('written')
  })

  it('O_TRUNC: read meets the end, mappings stay', () => {
    const m = one()
    const { fd, old } = stale(m)
    m.open('/m/f', O_WRONLY | O_TRUNC)
    expect(m.pread(fd)).toBe('')
    expect(m.peek(old, 5)).toBe('lower')
    expect(m.peek(m.map(fd), 5)).toBe('lower')
    expect(m.stat(fd).size).toBe(0)
  })

  it('chmod, then a direct write to the upper file', () => {
    const m = one()
    const { fd, old } = stale(m)
    m.call('chmod', '/m/f', 0o600)
    m.call('write', m.open('/u/f', O_WRONLY), 'UPPER')
    expect(m.pread(fd)).toBe('UPPER')
    expect(m.peek(old, 5)).toBe('lower')
    expect(m.peek(m.map(fd), 5)).toBe('lower')
  })

  it('unlink and create again, or rename over: the old file stays', () => {
    for (const replace of [
      (m: Overlay) => {
        m.call('unlink', '/m/f')
        m.call('write', m.open('/m/f', O_WRONLY | 0o100), 'new')
      },
      (m: Overlay) => {
        m.call('write', m.open('/m/g', O_WRONLY | 0o100), 'new')
        m.call('rename', '/m/g', '/m/f')
      },
    ]) {
      const m = one()
      const { fd, old } = stale(m)
      replace(m)
      expect([m.pread(fd), m.peek(old, 5), m.peek(m.map(fd), 5)]).toEqual(['lower', 'lower', 'lower'])
      expect(m.cat('/m/f')).toBe('new')
    }
  })

  it('a write through another lower link: the link is broken (index=off)', () => {
    const m = new Overlay({ l: { f: file('lower'), g: { type: 'hardlink', target: 'l/f' } } })
    const { fd, old } = stale(m)
    m.call('write', m.open('/m/g', O_WRONLY), 'UPPER')
    expect([m.pread(fd), m.peek(old, 5), m.cat('/m/f'), m.cat('/m/g')]).toEqual([
      'lower',
      'lower',
      'lower',
      'UPPER',
    ])
  })

  it('a direct write into the lower file is seen at once, everywhere', () => {
    const m = one()
    const { fd, old } = stale(m)
    m.call('write', m.open('/l/f', O_WRONLY), 'LOWER')
    expect([m.pread(fd), m.peek(old, 5), m.peek(m.map(fd), 5)]).toEqual(['LOWER', 'LOWER', 'LOWER'])
  })

  it('with the proposal ovl_read_pinned read stays with the file recorded at open', () => {
    const m = new Overlay({ l: { f: file('lower') }, features: ['ovl_read_pinned'] })
    const { fd } = stale(m)
    m.call('write', m.open('/m/f', O_WRONLY), 'UPPER')
    expect([m.pread(fd), m.cat('/m/f')]).toEqual(['lower', 'UPPER'])
  })

  it('its upper file is opened once, and closed with it', () => {
    const m = one()
    const { fd } = stale(m)
    m.call('close', m.open('/m/f', O_WRONLY))
    m.pread(fd)
    m.pread(fd)
    expect(m.inode('/u/f').i_writecount).toBe(0)
    m.call('close', fd)
    expect(m.call('unlink', '/m/f')).toBe(0)
    expect(m.names('/u')).toBe('-f')
  })
})

describe('a descriptor opened after the copy-up', () => {
  it('is the upper file for everything', () => {
    const m = one()
    const w = m.open('/m/f', O_RDWR)
    const fd = m.open('/m/f')
    const shared = m.map(fd, MAP_SHARED)
    const untouched = m.map(fd, MAP_PRIVATE)
    m.call('pwrite', w, 'UPPER', 5, 0)
    expect([m.pread(fd), m.peek(shared, 5), m.peek(untouched, 5)]).toEqual(['UPPER', 'UPPER', 'UPPER'])
  })

  it('a store through a shared mapping changes the upper file', () => {
    const m = one()
    const at = m.map(m.open('/m/f', O_RDWR), MAP_SHARED, PROT_READ | PROT_WRITE)
    expect(m.call('poke', at, 'MAP')).toBe(0)
    expect([m.content('/u/f'), m.cat('/m/f'), m.content('/l/f')]).toEqual(['MAPer', 'MAPer', 'lower'])
  })
})

describe('the upper file is replaced behind the overlay', () => {
  it('a file once published stays, also when its name goes (I1)', () => {
    const m = one()
    const fd = m.open('/m/f')
    m.call('write', m.open('/m/f', O_WRONLY), 'UPPER')
    m.call('unlink', '/u/f')
    expect([m.pread(fd), m.cat('/m/f')]).toEqual(['UPPER', 'UPPER'])
    expect(m.call('unlink', '/m/f')).toBe('ESTALE')
  })

  it('a descriptor that has opened the upper file does not follow to another: EIO', () => {
    const m = new Overlay({ l: { f: file('lower') }, u: { other: file('other') } })
    const fd = m.open('/m/f')
    m.call('chmod', '/m/f', 0o600)
    expect(m.pread(fd)).toBe('lower')
    ovl_inode(m.k, m.inode('/m/f').id).upper = m.inode('/u/other').id
    expect(m.pread(fd)).toBe('EIO')
  })
})

describe('file_permission is asked of the overlay file and then of the real one (backing-file.c)', () => {
  /** Layer and mask of each question; the real file in the upper layer is refused what `refuses` says. */
  const asked = (refuses = 0) => {
    const questions: string[] = []
    const module: SecurityModule = {
      name: 'test',
      hooks: {
        file_permission: (k, { file: id, mask }) => {
          const upper = open_file(k, id).f_inode === m.inode('/u/f').id
          questions.push(`${upper ? 'upper' : 'overlay'} ${mask}`)
          return upper && (mask & refuses) !== 0 ? -EACCES : 0
        },
      },
    }
    const m = new Overlay({ l: { f: file('lower') }, modules: [module] })
    m.call('chmod', '/m/f', 0o644)
    return { m, questions }
  }

  it.each([
    ['read', MAY_READ, ['read', 5]],
    ['write', MAY_WRITE, ['write', 'UPPER']],
  ] as const)('%s', (_, mask, [name, what]) => {
    const { m, questions } = asked()
    const fd = m.open('/m/f', O_RDWR)
    expect(m.call(name, fd, what)).toBe(5)
    expect(questions).toEqual([`overlay ${mask}`, `upper ${mask}`])
  })

  it('a refusal of the real file is that of the call: nothing is written, and the lock is given back', () => {
    const { m } = asked(MAY_WRITE)
    const fd = m.open('/m/f', O_RDWR)
    expect(m.call('write', fd, 'UPPER')).toBe('EACCES')
    expect([m.cat('/m/f'), m.inode('/m/f').i_rwsem]).toEqual(['lower', 0])
  })

  it('also where a descriptor follows to an upper file that it did not begin with, each time', () => {
    let denied = 0
    const hooks: SecurityModule['hooks'] = {
      file_permission: (k, { file: id }) => (open_file(k, id).f_inode === denied ? -EACCES : 0),
    }
    const m = new Overlay({ l: { f: file('lower') }, modules: [{ name: 'test', hooks }] })
    const fd = m.open('/m/f')
    m.call('chmod', '/m/f', 0o600)
    denied = m.inode('/u/f').id
    expect([m.pread(fd), m.pread(fd)]).toEqual(['EACCES', 'EACCES'])
    denied = 0
    expect(m.pread(fd)).toBe('lower')
  })
})

describe('what is no regular file', () => {
  it('has no real file behind it when it is open, and stands for itself', () => {
    const m = new Overlay({ l: { d: dir(), f: file() } })
    const before = open_file.rows(m.k).length
    m.open('/m/d')
    expect(open_file.rows(m.k).length).toBe(before + 1)
    m.open('/m/f')
    expect(open_file.rows(m.k).length).toBe(before + 3)
    const stands_for_itself = (path: string) => d_real_inode(m.k, m.at(path)) === m.inode(path).id
    expect([stands_for_itself('/m/d'), stands_for_itself('/m/f')]).toEqual([true, false])
  })
})

it('owner, group, mode and size of the overlay inode are those of the real one after each change', () => {
  const m = one()
  const fd = m.open('/m/f', O_RDWR)
  const same = () => {
    const of = (path: string) => {
      const { i_uid, i_gid, i_mode, i_size } = m.inode(path)
      return [i_uid, i_gid, i_mode & 0o7777, i_size]
    }
    expect(of('/m/f')).toEqual(of('/u/f'))
    return of('/m/f')
  }
  m.call('write', fd, 'longer than before')
  m.call('chown', '/m/f', 7, 8)
  m.call('chmod', '/m/f', 0o640)
  expect(same()).toEqual([7, 8, 0o640, 18])
  m.call('ftruncate', fd, 3)
  expect(same()).toEqual([7, 8, 0o640, 3])
})

describe('the modules are asked of the real inode too, for the mounter', () => {
  const asked = (hook: 'inode_permission' | 'inode_setattr', call: (m: Overlay) => unknown) => {
    const questions: string[] = []
    const about = (ino: number) => {
      const place = ['/m/f', '/u/f', '/l/f'].find((path) => m.has(path) && m.inode(path).id === ino)
      if (place !== undefined) questions.push(place)
    }
    const hooks: SecurityModule['hooks'] = {
      inode_permission: (_, { inode, mask }) => {
        if (hook !== 'inode_permission') return 0
        about(inode)
        return m.has('/u/f') && inode === m.inode('/u/f').id && (mask & MAY_WRITE) !== 0 ? -EACCES : 0
      },
      inode_setattr: (k, { dentry: dent }) => {
        if (hook === 'inode_setattr') about(dentry(k, dent).d_inode)
        return 0
      },
    }
    const m = new Overlay({ l: { f: file('lower', { mode: 0o6777 }) }, modules: [{ name: 'test', hooks }] })
    return [call(m), ...questions]
  }

  it('when a file is opened, before its own and after; what the layer refuses is refused', () => {
    expect(asked('inode_permission', (m) => m.call('open', '/m/f', O_RDONLY))).toEqual([
      0,
      '/l/f',
      '/m/f',
      '/l/f',
    ])
    const opened = asked('inode_permission', (m) => m.call('open', '/m/f', O_WRONLY))
    expect([opened[0], opened.at(-1)]).toEqual(['EACCES', '/u/f'])
  })

  it('when a write takes set-user-id away: first of the overlay file', () => {
    const wrote = asked('inode_setattr', (m) => {
      m.spawn(2, { uid: 1000 })
      return m.as(2, 'write', m.open('/m/f', O_WRONLY, 0, 2), 'y')
    })
    expect(wrote).toEqual([1, '/m/f', '/u/f'])
  })
})

describe('an overlay whose layers are those of another overlay', () => {
  it('lets go of every real file when the last descriptor is closed, down to the lowest', () => {
    const m = new Overlay({ l: { f: file('lower') } })
    const outer = mount_overlay(m.k, { id: 'outer', lower: [m.at('/m'), m.at('/l2')] })
    if ('errno' in outer) throw new Error(outer.why)
    m.mount('/ro', super_block(m.k, outer.sb).s_root)
    const before = open_file.rows(m.k).length
    const fd = m.open('/ro/f')
    expect(m.pread(fd)).toBe('lower')
    expect(open_file.rows(m.k).length).toBe(before + 3)
    // A copy-up in the middle: from now on the overlay below reads another file.
    m.call('close', m.open('/m/f', O_WRONLY))
    expect(m.pread(fd)).toBe('lower')
    expect(open_file.rows(m.k).length).toBe(before + 4)
    expect(m.call('close', fd)).toBe(0)
    expect(open_file.rows(m.k).length).toBe(before)
  })
})
