import { describe, expect, it } from 'vitest'
import { file } from '../../src/vfs/file.js'
import { S_APPEND } from '../../src/vfs/inode.js'
import { denying, PAGE, pages, text, World } from './data_world.js'

const world = (data = 'hello world', options = {}) => new World({ f: text(data, { mode: 0o666 }) }, options)

describe('read', () => {
  it('gives the bytes, says which inode they came from, and moves the position', () => {
    const w = world()
    w.call(1, 'open', 'f', 'O_RDONLY')
    expect(w.call(1, 'read', 0, 5)).toBe(5)
    expect([w.data(1), w.from(1)]).toEqual(['hello', [w.ino('f'), 5]])
    expect(w.bytes(1, 'read', 0, 100)).toBe(' world')
    expect(w.call(1, 'read', 0, 100)).toBe(0)
  })

  it('takes one stage per page and no lock', () => {
    const w = world(pages('a', 'b', 'c'))
    w.call(1, 'open', 'f', 'O_RDONLY')
    expect(w.stages(1, 'read', 0, 3 * PAGE)).toEqual([
      'vfs_read',
      'filemap_read',
      'filemap_read',
      'filemap_read',
    ])
    expect(w.stages(1, 'pread', 0, 10, PAGE - 5)).toEqual(['vfs_read', 'filemap_read', 'filemap_read'])
    expect(w.data(1)).toBe('aaaaabbbbb')
  })

  it('is torn by a write that comes between two pages', () => {
    const w = world(pages('a', 'a')).task(2)
    w.call(1, 'open', 'f', 'O_RDONLY')
    w.call(2, 'open', 'f', 'O_WRONLY')
    w.begin(1, 'read', 0, 2 * PAGE)
      .until(1, 'filemap_read')
      .step(1)
    expect(w.call(2, 'write', 0, pages('B', 'B'))).toBe(2 * PAGE)
    expect(w.finish(1)).toBe(2 * PAGE)
    expect(w.data(1)).toBe(pages('a', 'B'))
  })

  it('looks at the size page by page: a file cut meanwhile ends there', () => {
    const w = world(pages('a', 'b')).task(2)
    w.call(1, 'open', 'f', 'O_RDONLY')
    w.begin(1, 'read', 0, 2 * PAGE)
      .until(1, 'filemap_read')
      .step(1)
    w.call(2, 'truncate', 'f', PAGE + 1)
    expect(w.finish(1)).toBe(PAGE + 1)
  })

  it('ends at the end that the last page saw', () => {
    const w = world('old').task(2)
    w.call(1, 'open', 'f', 'O_RDONLY')
    expect(w.stages(1, 'pread', 0, 100, 0)).toEqual(['vfs_read', 'filemap_read'])
  })

  it('shows holes as zeros', () => {
    const w = world('ab')
    w.call(1, 'truncate', 'f', 6)
    w.call(1, 'open', 'f', 'O_RDONLY')
    expect(w.bytes(1, 'read', 0, 100)).toBe('ab\0\0\0\0')
  })

  // In this order on 6.18, seen with ten lines of C.
  it('refuses in the kernel order', () => {
    const w = new World({ f: text('x'), d: { type: 'dir' }, p: { type: 'fifo' } })
    w.call(1, 'open', 'f', 'O_RDONLY') // 0
    w.call(1, 'open', 'f', 'O_WRONLY') // 1
    w.call(1, 'open', 'f', 'O_PATH') // 2
    w.call(1, 'open', 'd', 'O_RDONLY') // 3
    w.call(1, 'open', 'p', 'O_RDWR|O_NONBLOCK') // 4
    expect(w.call(1, 'read', 99, 1)).toBe('EBADF')
    expect(w.call(1, 'read', 2, 1)).toBe('EBADF')
    expect(w.call(1, 'read', 1, -1)).toBe('EBADF')
    expect(w.call(1, 'read', 0, -1)).toBe('EFAULT')
    expect(w.call(1, 'read', 0, 2 ** 46)).toBe('EFAULT')
    expect(w.call(1, 'read', 3, -1)).toBe('EFAULT')
    expect(w.call(1, 'read', 3, 0)).toBe('EISDIR')
    expect(w.call(1, 'pread', 3, 1, 0)).toBe('EISDIR')
    expect(w.call(1, 'pread', 99, 1, -1)).toBe('EINVAL')
    expect(w.call(1, 'pread', 4, 1, 0)).toBe('ESPIPE')
    expect(w.call(1, 'pread', 2, 1, 0)).toBe('EBADF')
    expect(w.call(1, 'read', 4, 1)).toBe('EAGAIN')
  })

  it('asks security_file_permission before it finds a directory', () => {
    const asked: object[] = []
    const w = new World({ d: { type: 'dir' } }, { modules: [denying('file_permission', asked)] })
    w.call(1, 'open', 'd', 'O_RDONLY')
    expect(w.call(1, 'read', 0, 1)).toBe('EACCES')
    expect(asked).toMatchObject([{ mask: 4 }])
  })
})

describe('write', () => {
  it('writes at the position, grows the file, and moves the position', () => {
    const w = world('hello world')
    w.call(1, 'open', 'f', 'O_RDWR')
    expect(w.call(1, 'write', 0, 'HE')).toBe(2)
    expect(w.content('f')).toBe('HEllo world')
    expect(w.call(1, 'pwrite', 0, 'X', 1, 12)).toBe(1)
    expect(w.content('f')).toBe('HEllo world\0X')
    expect(w.bytes(1, 'read', 0, 3)).toBe('llo')
  })

  it('holds i_rwsem from before the first page to after the last', () => {
    const w = world(pages('a', 'a')).task(2)
    w.call(1, 'open', 'f', 'O_WRONLY')
    w.call(2, 'open', 'f', 'O_WRONLY')
    expect(w.stages(1, 'pwrite', 0, pages('b', 'b'), 0)).toEqual([
      'vfs_write',
      'inode_lock',
      'generic_perform_write',
      'generic_perform_write',
      'give back',
    ])
    w.begin(1, 'write', 0, pages('c', 'c')).until(1, 'generic_perform_write').step(1)
    w.begin(2, 'write', 0, 'z').until(2, 'inode_lock')
    expect(w.step(2)).toBe(false)
    w.finish(1)
    expect(w.finish(2)).toBe(1)
    expect(w.content('f')).toBe(`z${pages('c', 'c').slice(1)}`)
  })

  it('shows each page, and the size, as soon as it is written', () => {
    const w = world('').task(2)
    w.call(1, 'open', 'f', 'O_WRONLY')
    w.call(2, 'open', 'f', 'O_RDONLY')
    w.begin(1, 'write', 0, pages('a', 'b')).until(1, 'generic_perform_write').step(1)
    expect(w.bytes(2, 'read', 0, 3 * PAGE)).toBe(pages('a'))
    expect(w.finish(1)).toBe(2 * PAGE)
  })

  it('with O_APPEND writes at the end as it is under the lock, also pwrite', () => {
    const w = world('abc')
    w.call(1, 'open', 'f', 'O_RDWR|O_APPEND')
    expect(w.call(1, 'pwrite', 0, 'de', 2, 0)).toBe(2)
    expect(w.call(1, 'lseek', 0, 0, 'SEEK_CUR')).toBe(0)
    expect(w.call(1, 'write', 0, 'f')).toBe(1)
    expect([w.content('f'), w.call(1, 'lseek', 0, 0, 'SEEK_CUR')]).toEqual(['abcdef', 6])
  })

  it('takes the length from C or from the bytes', () => {
    const w = world('')
    w.call(1, 'open', 'f', 'O_WRONLY')
    expect(w.call(1, 'write', 0, 'abc', 2)).toBe(2)
    expect(w.call(1, 'write', 0, 'xyz', 100)).toBe(3)
    expect(w.call(1, 'pwrite', 0, '!', 7)).toBe(1)
    expect(w.content('f')).toBe('abxyz\0\0!')
  })

  // In this order on 6.18, seen with ten lines of C.
  it('refuses in the kernel order', () => {
    const w = new World({
      f: text('x'),
      d: { type: 'dir' },
      p: { type: 'fifo' },
      n: { type: 'char', rdev: 0x103 },
    })
    w.call(1, 'open', 'f', 'O_RDONLY') // 0
    w.call(1, 'open', 'f', 'O_WRONLY') // 1
    w.call(1, 'open', 'd', 'O_RDONLY') // 2
    w.call(1, 'open', 'p', 'O_RDWR') // 3
    w.call(1, 'open', 'n', 'O_RDWR') // 4
    expect(w.call(1, 'write', 0, null, 0)).toBe('EBADF')
    expect(w.call(1, 'write', 2, 'x')).toBe('EBADF')
    expect(w.call(1, 'write', 1, null, 1)).toBe('EFAULT')
    expect(w.call(1, 'write', 1, null, 0)).toBe(0)
    expect(w.call(1, 'write', 1, 'x', -1)).toBe('EFAULT')
    expect(w.call(1, 'write', 1, '\0')).toBe(1)
    expect(w.call(1, 'pwrite', 99, 'x', 1, -1)).toBe('EINVAL')
    expect(w.call(1, 'pwrite', 3, 'x', 1, 0)).toBe('ESPIPE')
    expect(w.call(1, 'write', 3, 'x')).toBe(1)
    expect(w.call(1, 'write', 4, null, 5)).toBe(5)
    expect(w.call(1, 'pwrite', 4, 'abcde', 5, 3)).toBe(5)
    expect(w.call(1, 'read', 4, 5)).toBe(0)
  })

  it('stops at the largest position of the file system with EFBIG', () => {
    const w = world('', { type: 'ext4' })
    w.call(1, 'open', 'f', 'O_WRONLY')
    const limit = (2 ** 32 - 1) * PAGE
    expect(w.call(1, 'pwrite', 0, 'ab', 2, limit - 1)).toBe(1)
    expect(w.call(1, 'pwrite', 0, 'ab', 2, limit)).toBe('EFBIG')
    expect(w.node('f').i_size).toBe(limit)
  })

  it('asks security_file_permission', () => {
    const asked: object[] = []
    const w = world('', { modules: [denying('file_permission', asked)] })
    w.call(1, 'open', 'f', 'O_WRONLY')
    expect(w.call(1, 'write', 0, 'x')).toBe('EACCES')
    expect(asked).toMatchObject([{ mask: 2 }])
  })
})

describe('/dev/zero', () => {
  it('reads as zeros', () => {
    const w = new World({ z: { type: 'char', rdev: 0x105 } })
    w.call(1, 'open', 'z', 'O_RDONLY')
    expect(w.bytes(1, 'read', 0, 3)).toBe('\0\0\0')
  })
})

describe('set-user-id and set-group-id', () => {
  const mode_after = (mode: number, uid: number, gid: number, data: string, act = 'write') => {
    const w = new World({ f: text('abc', { mode, gid: 5 }) }).task(2, uid, { egid: gid })
    w.call(2, 'open', 'f', 'O_WRONLY')
    if (act === 'write') w.call(2, 'write', 0, data)
    return w.mode('f')
  }
  it('go with the first byte that somebody without CAP_FSETID writes', () => {
    expect(mode_after(0o6777, 1000, 1000, 'x')).toBe('777')
    expect(mode_after(0o6777, 0, 0, 'x')).toBe('6777')
  })
  it('stay when nothing is written', () => {
    expect(mode_after(0o6777, 1000, 1000, '')).toBe('6777')
    expect(mode_after(0o6777, 1000, 1000, '', 'open')).toBe('6777')
  })
  it('without group execute, set-group-id stays for members of the group', () => {
    expect(mode_after(0o2766, 1000, 5, 'x')).toBe('2766')
    expect(mode_after(0o2766, 1000, 6, 'x')).toBe('766')
  })
  it('go before the data is there, under the lock', () => {
    const w = new World({ f: text('abc', { mode: 0o4777 }) }).task(2, 1000)
    w.call(2, 'open', 'f', 'O_WRONLY')
    expect(w.stages(2, 'write', 0, 'x')).toEqual([
      'vfs_write',
      'inode_lock',
      'notify_change',
      'generic_perform_write',
      'give back',
    ])
  })
  it('go only if security_inode_setattr allows; else nothing is written', () => {
    const w = new World({ f: text('abc', { mode: 0o4777 }) }, { modules: [denying('inode_setattr')] }).task(
      2,
      1000,
    )
    w.call(2, 'open', 'f', 'O_WRONLY')
    expect(w.call(2, 'write', 0, 'x')).toBe('EACCES')
    expect([w.content('f'), w.mode('f')]).toEqual(['abc', '4777'])
  })
})

describe('f_pos_lock', () => {
  it('serialises reads of a shared description', () => {
    const w = world(pages('a', 'b')).task(2)
    w.call(1, 'open', 'f', 'O_RDONLY')
    const child = w.call(1, 'fork')
    w.begin(1, 'read', 0, 2 * PAGE)
      .until(1, 'filemap_read')
      .step(1)
    w.begin(child, 'read', 0, 1)
    w.until(child, 'vfs_read')
    expect(w.step(child)).toBe(false)
    w.begin(2, 'open', 'f', 'O_RDONLY').finish(2)
    w.finish(1)
    expect(w.finish(child)).toBe(0)
  })

  it('is given back when the call fails, and not taken by pread', () => {
    const w = world('abc', { type: 'ext4' })
    w.call(1, 'open', 'f', 'O_RDWR')
    const child = w.call(1, 'fork')
    w.call(1, 'lseek', 0, (2 ** 32 - 1) * PAGE, 'SEEK_SET')
    expect(w.call(1, 'write', 0, 'x')).toBe('EFBIG')
    expect(file.rows(w.k)[0]!.f_pos_lock).toBe(0)
    w.call(1, 'lseek', 0, 0, 'SEEK_SET')
    w.begin(1, 'read', 0, 1).until(1, 'filemap_read')
    expect(file.rows(w.k)[0]!.f_pos_lock).toBe(1)
    expect(w.bytes(child, 'pread', 0, 2, 1)).toBe('bc')
    w.begin(child, 'lseek', 0, 0, 'SEEK_END')
    while (w.next(child) !== 'vfs_llseek') w.step(child)
    expect(w.step(child)).toBe(false)
    w.finish(1)
    expect(w.finish(child)).toBe(3)
  })

  it('is not needed where nobody shares', () => {
    const w = world('abc')
    w.call(1, 'open', 'f', 'O_RDONLY')
    w.begin(1, 'read', 0, 1).until(1, 'filemap_read')
    expect(file.rows(w.k)[0]!.f_pos_lock).toBe(0)
  })
})

describe('lseek', () => {
  // All seen on tmpfs of 6.18.
  it('answers as the kernel does', () => {
    const w = new World({
      f: text('abc'),
      d: { type: 'dir' },
      p: { type: 'fifo' },
      n: { type: 'char', rdev: 0x103 },
    })
    w.call(1, 'open', 'f', 'O_RDWR') // 0
    w.call(1, 'open', 'd', 'O_RDONLY') // 1
    w.call(1, 'open', 'p', 'O_RDWR') // 2
    w.call(1, 'open', 'n', 'O_RDWR') // 3
    w.call(1, 'open', 'f', 'O_PATH') // 4
    const seek = (fd: number, offset: number, whence: number) => w.call(1, 'lseek', fd, offset, whence)
    expect([seek(99, 0, 0), seek(4, 0, 0)]).toEqual(['EBADF', 'EBADF'])
    expect([seek(0, 0, 9), seek(0, 0, -1), seek(2, 0, 9), seek(3, 0, 9)]).toEqual(Array(4).fill('EINVAL'))
    expect(seek(2, 0, 0)).toBe('ESPIPE')
    expect([seek(0, -1, 0), seek(0, 2 ** 40, 0), seek(0, 1, 1), seek(0, -1, 2)]).toEqual([
      'EINVAL',
      2 ** 40,
      2 ** 40 + 1,
      2,
    ])
    const ext4 = new World({ f: text('') }, { type: 'ext4' })
    ext4.call(1, 'open', 'f', 'O_RDONLY')
    expect([0, 1].map((more) => ext4.call(1, 'lseek', 0, (2 ** 32 - 1) * PAGE + more, 0))).toEqual([
      (2 ** 32 - 1) * PAGE,
      'EINVAL',
    ])
    expect([seek(0, 0, 3), seek(0, 0, 4), seek(0, 3, 3), seek(0, 3, 4), seek(0, -1, 3)]).toEqual([
      0,
      3,
      'ENXIO',
      'ENXIO',
      'ENXIO',
    ])
    expect([seek(1, 0, 2), seek(1, 0, 1), seek(1, 5, 0), seek(1, -1, 0), seek(1, 0, 3)]).toEqual([
      'EINVAL',
      0,
      5,
      'EINVAL',
      'EINVAL',
    ])
    expect(seek(3, 5, 0)).toBe(0)
    w.call(1, 'truncate', 'f', 3 * PAGE)
    expect(seek(0, 2 * PAGE, 3)).toBe('ENXIO')
  })

  it('looks for holes under the lock of the file', () => {
    const w = world('abc').task(2)
    w.call(1, 'open', 'f', 'O_RDONLY')
    w.call(2, 'open', 'f', 'O_WRONLY')
    w.begin(2, 'write', 0, 'x').until(2, 'generic_perform_write')
    expect(w.call(1, 'lseek', 0, 0, 'SEEK_END')).toBe(3)
    w.begin(1, 'lseek', 0, 0, 'SEEK_DATA').until(1, 'vfs_llseek')
    expect(w.step(1)).toBe(false)
    w.finish(2)
    expect(w.finish(1)).toBe(0)
  })
})

describe('an append-only file', () => {
  it('can only be opened for appending', () => {
    const w = world('abc')
    w.node('f').i_flags = S_APPEND
    expect(w.call(1, 'open', 'f', 'O_WRONLY')).toBe('EPERM')
    w.call(1, 'open', 'f', 'O_WRONLY|O_APPEND')
    w.call(1, 'write', 0, 'd')
    expect(w.content('f')).toBe('abcd')
  })
})
