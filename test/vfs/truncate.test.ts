import { describe, expect, it } from 'vitest'
import { NotModelled } from '../../src/kernel/not_modelled.js'
import { inode, S_APPEND } from '../../src/vfs/inode.js'
import { O_RDWR } from '../../src/vfs/open/open_flags.js'
import { denying, PAGE, pages, text, World } from './data_world.js'

describe('truncate', () => {
  it('cuts and grows', () => {
    const w = new World({ f: text('hello') })
    expect(w.call(1, 'truncate', 'f', 2)).toBe(0)
    expect(w.call(1, 'truncate', 'f', 4)).toBe(0)
    expect(w.content('f')).toBe('he\0\0')
  })

  it('counts as a writer from its check to its end, and no longer', () => {
    const w = new World({ f: text('hello') })
    w.begin(1, 'truncate', 'f', 0).until(1, 'inode_lock')
    expect(w.node('f').i_writecount).toBe(1)
    w.finish(1)
    expect(w.node('f').i_writecount).toBe(0)
    expect(w.stages(1, 'truncate', 'f', 0)).toEqual([
      'walk_component',
      'inode_permission',
      'get_write_access',
      'inode_lock',
      'notify_change',
      'give back',
      'give back',
    ])
  })

  it('gives write access back when a module refuses', () => {
    for (const hook of ['path_truncate', 'inode_setattr']) {
      const w = new World({ f: text('hello') }, { modules: [denying(hook)] })
      expect(w.call(1, 'truncate', 'f', 0)).toBe('EACCES')
      expect([w.node('f').i_writecount, w.content('f')]).toEqual([0, 'hello'])
    }
  })

  it('fails while the file is denied to writers', () => {
    const w = new World({ f: text('hello') })
    w.node('f').i_writecount = -1
    expect(w.call(1, 'truncate', 'f', 0)).toBe('ETXTBSY')
    expect(w.node('f').i_writecount).toBe(-1)
  })

  const tree = {
    f: text('x', { mode: 0o644 }),
    d: { type: 'dir' as const },
    p: { type: 'fifo' as const, mode: 0o666 },
    l: { type: 'symlink' as const, target: 'f' },
  }

  it('refuses by type before permission', () => {
    const w = new World(tree).task(2, 1000)
    expect(w.call(1, 'truncate', 'nope', -1)).toBe('EINVAL')
    expect(w.call(1, 'truncate', 'nope', 0)).toBe('ENOENT')
    expect(w.call(1, 'truncate', null, 0)).toBe('EFAULT')
    expect(w.call(2, 'truncate', 'd', 0)).toBe('EISDIR')
    expect(w.call(1, 'truncate', 'p', 0)).toBe('EINVAL')
    expect(w.call(2, 'truncate', 'f', 0)).toBe('EACCES')
    expect(w.call(1, 'truncate', 'l', 0)).toBe(0)
    expect(w.content('f')).toBe('')
  })

  it('refuses in the kernel order: permission, read-only mount, append-only, ETXTBSY, module', () => {
    const ro = new World(tree, { options: ['ro'] }).task(2, 1000)
    expect(ro.call(2, 'truncate', 'f', 0)).toBe('EACCES')
    ro.node('f').i_writecount = -1
    expect(ro.call(1, 'truncate', 'f', 0)).toBe('EROFS')
    const before = new World(tree, { options: ['ro'], release: '6.12' }).task(2, 1000)
    expect(before.call(2, 'truncate', 'f', 0)).toBe('EROFS')
    expect(before.call(2, 'truncate', 'd', 0)).toBe('EISDIR')
    const append = new World(tree)
    append.node('f').i_flags = S_APPEND
    append.node('f').i_writecount = -1
    expect(append.call(1, 'truncate', 'f', 0)).toBe('EPERM')
    const module = new World(tree, { modules: [denying('path_truncate')] })
    module.node('f').i_writecount = -1
    expect(module.call(1, 'truncate', 'f', 0)).toBe('ETXTBSY')
  })

  it('waits for a writer', () => {
    const w = new World({ f: text('hello') }).task(2)
    w.call(2, 'open', 'f', 'O_WRONLY')
    w.begin(2, 'write', 0, pages('a', 'b')).until(2, 'generic_perform_write').step(2)
    w.begin(1, 'truncate', 'f', 0).until(1, 'inode_lock')
    expect(w.step(1)).toBe(false)
    w.finish(2)
    w.finish(1)
    expect(w.content('f')).toBe('')
  })

  it('keeps a file under fs-verity as it is', () => {
    const w = new World({ f: text('hello', { verity: { digest: 'sha256:00' } }) }, { type: 'ext4' })
    expect(w.call(1, 'truncate', 'f', 0)).toBe('EPERM')
    expect(w.call(1, 'chmod', 'f', 0o600)).toBe(0)
  })

  it('grows only as far as the file system goes', () => {
    const w = new World({ f: text('') }, { type: 'ext4' })
    expect(w.call(1, 'truncate', 'f', (2 ** 32 - 1) * PAGE)).toBe(0)
    expect(w.call(1, 'truncate', 'f', (2 ** 32 - 1) * PAGE + 1)).toBe('EFBIG')
    expect(w.call(1, 'pwrite', w.call(1, 'open', 'f', O_RDWR), 'x', 1, (2 ** 32 - 1) * PAGE)).toBe('EFBIG')
  })

  it('tmpfs has no limit that the model could carry: beyond 2^53 it says so', () => {
    const largest = Number.MAX_SAFE_INTEGER - PAGE
    const call = (name: string, ...args: unknown[]) => {
      const w = new World({ f: text('') })
      expect(w.call(1, 'truncate', 'f', largest)).toBe(0)
      w.call(1, 'open', 'f', O_RDWR)
      w.call(1, 'lseek', 0, Number.MAX_SAFE_INTEGER, 0)
      return w.call(1, name, ...args)
    }
    expect(call('pread', 0, 9, largest - 1)).toBe(1)
    expect(call('pwrite', 0, 'x', 1, largest - 1)).toBe(1)
    expect(call('lseek', 0, 0, 1)).toBe(Number.MAX_SAFE_INTEGER)
    expect(call('lseek', 0, PAGE, 2)).toBe(Number.MAX_SAFE_INTEGER)
    expect(() => call('truncate', 'f', largest + 1)).toThrow(NotModelled)
    expect(() => call('pwrite', 0, 'xy', 2, largest - 1)).toThrow(NotModelled)
    expect(() => call('lseek', 0, 1, 1)).toThrow('a position beyond 2^53 - 1 is not modelled')
    expect(() => call('lseek', 0, PAGE + 1, 2)).toThrow(NotModelled)
  })

  it('takes set-user-id and set-group-id away, unless the task has CAP_FSETID', () => {
    const truncated = (uid: number) => {
      const w = new World({ f: text('x', { mode: 0o6777 }) }).task(2, uid)
      w.call(2, 'truncate', 'f', 0)
      return [w.mode('f'), w.content('f')]
    }
    expect(truncated(1000)).toEqual(['777', ''])
    expect(truncated(0)).toEqual(['6777', ''])
  })
})

describe('ftruncate', () => {
  const tree = { f: text('hello'), d: { type: 'dir' as const }, n: { type: 'char' as const, rdev: 0x103 } }

  // In this order on 6.18, seen with ten lines of C.
  it('refuses in the kernel order', () => {
    const w = new World(tree)
    w.call(1, 'open', 'f', 'O_RDONLY') // 0
    w.call(1, 'open', 'f', 'O_PATH') // 1
    w.call(1, 'open', 'd', 'O_RDONLY') // 2
    w.call(1, 'open', 'n', 'O_RDWR') // 3
    w.call(1, 'open', 'f', 'O_WRONLY|O_APPEND') // 4
    expect(w.call(1, 'ftruncate', 99, -1)).toBe('EINVAL')
    expect(w.call(1, 'ftruncate', 99, 0)).toBe('EBADF')
    expect(w.call(1, 'ftruncate', 1, 0)).toBe('EBADF')
    expect(w.call(1, 'ftruncate', 0, 0)).toBe('EINVAL')
    expect(w.call(1, 'ftruncate', 2, 0)).toBe('EINVAL')
    expect(w.call(1, 'ftruncate', 3, 0)).toBe('EINVAL')
    w.node('f').i_flags = S_APPEND
    expect(w.call(1, 'ftruncate', 4, 0)).toBe('EPERM')
    expect(w.content('f')).toBe('hello')
  })

  it('needs no right to the file but the descriptor, and counts no writer of its own', () => {
    const w = new World(tree, { options: [] })
    w.call(1, 'open', 'f', 'O_WRONLY')
    expect(w.call(1, 'fchmod', 0, 0)).toBe(0)
    w.begin(1, 'ftruncate', 0, 1).until(1, 'notify_change')
    expect(w.node('f').i_writecount).toBe(1)
    expect(w.finish(1)).toBe(0)
    expect(w.content('f')).toBe('h')
  })

  it('asks security_file_truncate, not security_path_truncate', () => {
    const tries = ['file_truncate', 'path_truncate'].map((hook) => {
      const w = new World(tree, { modules: [denying(hook)] })
      w.call(1, 'open', 'f', 'O_WRONLY')
      return w.call(1, 'ftruncate', 0, 0)
    })
    expect(tries).toEqual(['EACCES', 0])
  })
})

describe('O_TRUNC', () => {
  it('is a truncation under the lock, and needs write access for a moment', () => {
    const w = new World({ f: text('hello', { mode: 0o4777 }) }).task(2, 1000)
    expect(w.call(2, 'open', 'f', 'O_RDONLY|O_TRUNC')).toBe(0)
    expect([w.content('f'), w.mode('f'), w.node('f').i_writecount]).toEqual(['', '777', 0])
    expect(inode(w.k, w.ino('f')).i_rwsem).toBe(0)
  })
})
