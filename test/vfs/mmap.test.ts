import { describe, expect, it } from 'vitest'
import { file } from '../../src/vfs/file.js'
import { S_APPEND } from '../../src/vfs/inode.js'
import { vm_area } from '../../src/vfs/memory/mm.js'
import { MMAP_BASE, mappings, TASK_SIZE } from '../../src/vfs/memory/mmap.js'
import { task_struct } from '../../src/vfs/tasks/task.js'
import { denying, PAGE, pages, text, World } from './data_world.js'

const R = 'PROT_READ'
const RW = 'PROT_READ|PROT_WRITE'
const tree = {
  f: text(pages('a', 'b', 'c')),
  d: { type: 'dir' as const },
  n: { type: 'char' as const, rdev: 0x103 },
}
/** Descriptor 0 reads, 1 reads and writes, 2 writes, 3 is O_PATH, 4 a directory, 5 a device. */
function world(options = {}, uid = 0): World {
  const w = new World(tree, options).task(2, uid)
  const flags = ['O_RDONLY', 'O_RDWR', 'O_WRONLY', 'O_PATH']
  if (uid === 0) for (const each of flags) w.call(2, 'open', 'f', each)
  if (uid === 0) for (const each of ['d', 'n']) w.call(2, 'open', each, 'O_RDONLY')
  return w
}
/** The mappings of task 2: [first page, pages, protection] from the first address on. */
const map = (w: World, from: number) =>
  mappings(w.k, task_struct(w.k, 2).mm).map((vma) => [
    (vma.vm_start - from) / PAGE,
    (vma.vm_end - vma.vm_start) / PAGE,
    vma.vm_prot,
  ])

describe('mmap: refusals', () => {
  // All seen on 6.18 with ten lines of C.
  it('answers as the kernel does', () => {
    const w = world()
    const mmap = (...args: unknown[]) => w.call(2, 'mmap', ...args)
    expect(mmap(0, PAGE, R, 'MAP_SHARED', 99, 1)).toBe('EINVAL')
    expect(mmap(0, 0, R, 'MAP_SHARED', 99, 0)).toBe('EBADF')
    expect(mmap(0, PAGE, R, 'MAP_SHARED', 3, 0)).toBe('EBADF')
    expect(mmap(0, 0, R, 'MAP_SHARED', 0, 0)).toBe('EINVAL')
    expect(mmap(0, -1, R, 'MAP_SHARED', 0, 0)).toBe('ENOMEM')
    expect(mmap(0, 2 ** 47, R, 'MAP_SHARED', 0, 0)).toBe('ENOMEM')
    expect(mmap(0, PAGE, R, 'MAP_SHARED', 0, -PAGE)).toBe('EOVERFLOW')
    expect(mmap(0, PAGE, R, 0, 0, 0)).toBe('EINVAL')
    expect(mmap(0, PAGE, R, 4, 0, 0)).toBe('EINVAL')
    expect(mmap(0, PAGE, R, 'MAP_SHARED_VALIDATE|MAP_SYNC', 0, 0)).toBe('EOPNOTSUPP')
    expect(mmap(0, PAGE, RW, 'MAP_SHARED', 0, 0)).toBe('EACCES')
    expect(mmap(0, PAGE, 'PROT_NONE', 'MAP_SHARED', 2, 0)).toBe('EACCES')
    expect(mmap(0, PAGE, 'PROT_NONE', 'MAP_PRIVATE', 2, 0)).toBe('EACCES')
    expect(mmap(0, PAGE, R, 'MAP_SHARED', 4, 0)).toBe('ENODEV')
    expect(mmap(0, PAGE, R, 'MAP_SHARED', 5, 0)).toBe('ENODEV')
    expect(mmap(1, PAGE, R, 'MAP_SHARED|MAP_FIXED', 0, 0)).toBe('EINVAL')
    expect(mmap(TASK_SIZE, PAGE, R, 'MAP_SHARED|MAP_FIXED', 0, 0)).toBe('ENOMEM')
    expect(mmap(0, PAGE, R, 'MAP_ANONYMOUS', -1, 0)).toBe('EINVAL')
    expect(mmap(0, PAGE, R, 'MAP_ANONYMOUS|MAP_PRIVATE', -1, 1)).toBe('EINVAL')
    expect(vm_area.rows(w.k)).toEqual([])
  })

  it('of an append-only file refuses a writable descriptor', () => {
    const w = world()
    w.node('f').i_flags = S_APPEND
    expect(w.call(2, 'mmap', 0, PAGE, R, 'MAP_SHARED', 1, 0)).toBe('EACCES')
    expect(w.call(2, 'mmap', 0, PAGE, R, 'MAP_PRIVATE', 1, 0)).toBeGreaterThan(0)
  })

  it('below vm.mmap_min_addr needs CAP_SYS_RAWIO', () => {
    const at = (uid: number) =>
      world({}, uid).call(2, 'mmap', PAGE, PAGE, R, 'MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED', -1)
    expect([at(0), at(1000)]).toEqual([PAGE, 'EPERM'])
  })

  it('on a noexec mount refuses PROT_EXEC, and for ever', () => {
    const w = world({ options: ['noexec'] })
    expect(w.call(2, 'mmap', 0, PAGE, 'PROT_EXEC', 'MAP_PRIVATE', 2, 0)).toBe('EACCES')
    expect(w.call(2, 'mmap', 0, PAGE, 'PROT_EXEC', 'MAP_PRIVATE', 0, 0)).toBe('EPERM')
    const at = w.call(2, 'mmap', 0, PAGE, R, 'MAP_PRIVATE', 0, 0)
    expect(w.call(2, 'mprotect', at, PAGE, 'PROT_READ|PROT_EXEC')).toBe('EACCES')
  })

  it('asks security_mmap_file before it looks at anything but the descriptor', () => {
    const asked: object[] = []
    const w = world({ modules: [denying('mmap_file', asked)] })
    expect(w.call(2, 'mmap', 0, 0, R, 'MAP_SHARED', 0, 0)).toBe('EACCES')
    expect(w.call(2, 'mmap', 0, PAGE, 'PROT_EXEC', 'MAP_PRIVATE|MAP_ANONYMOUS', -1, 0)).toBe('EACCES')
    expect(w.call(2, 'mmap', 0, 0, R, 'MAP_SHARED', 99, 0)).toBe('EBADF')
    expect(asked).toMatchObject([
      { reqprot: 1, prot: 1, flags: 1 },
      { file: 0, prot: 4 },
    ])
  })

  it('judges in one stage and maps in another', () => {
    expect(world().stages(2, 'mmap', 0, PAGE, R, 'MAP_SHARED', 0, 0)).toEqual([
      'security_mmap_file',
      'do_mmap',
    ])
  })
})

describe('mmap: places', () => {
  it('are taken from the top down, the first gap that is large enough', () => {
    const w = world()
    const mmap = (length: number) => (MMAP_BASE - w.call(2, 'mmap', 0, length, R, 'MAP_PRIVATE', 0, 0)) / PAGE
    expect([mmap(1), mmap(2 * PAGE), mmap(PAGE)]).toEqual([1, 3, 4])
    w.call(2, 'munmap', MMAP_BASE - 3 * PAGE, 2 * PAGE)
    expect([mmap(3 * PAGE), mmap(PAGE), mmap(PAGE), mmap(PAGE)]).toEqual([7, 2, 3, 8])
  })

  // The rounding of hints was seen on 6.18.
  it('are where the hint says, rounded down, if nothing is there', () => {
    const w = world()
    const mmap = (at: number) => w.call(2, 'mmap', at, PAGE, R, 'MAP_PRIVATE', 0, 0)
    expect([mmap(0x30000001), mmap(0x30000000), mmap(0x30002800), mmap(0x100)]).toEqual([
      0x30000000,
      MMAP_BASE - PAGE,
      0x30002000,
      MMAP_BASE - 2 * PAGE,
    ])
    expect(mmap(2 * PAGE)).toBe(65536)
    expect(mmap(-PAGE)).toBe(MMAP_BASE - 3 * PAGE)
  })

  it('with MAP_FIXED replace what is there, with MAP_FIXED_NOREPLACE do not', () => {
    const w = world()
    const at = w.call(2, 'mmap', 0, 3 * PAGE, R, 'MAP_SHARED', 0, 0)
    const fixed = (flags: string) => w.call(2, 'mmap', at + PAGE, PAGE, RW, `MAP_PRIVATE|${flags}`, 1, 0)
    expect(fixed('MAP_FIXED_NOREPLACE')).toBe('EEXIST')
    expect(fixed('MAP_FIXED')).toBe(at + PAGE)
    expect(map(w, at)).toEqual([
      [0, 1, 1],
      [1, 1, 3],
      [2, 1, 1],
    ])
    expect(w.bytes(2, 'peek', at + PAGE - 1, 2)).toBe('aa')
    expect(w.bytes(2, 'peek', at + 2 * PAGE - 1, 2)).toBe('ac')
  })

  it('leave what is there if the mapping is refused', () => {
    const w = world()
    const at = w.call(2, 'mmap', 0, PAGE, R, 'MAP_SHARED', 0, 0)
    expect(w.call(2, 'mmap', at, PAGE, RW, 'MAP_SHARED|MAP_FIXED', 0, 0)).toBe('EACCES')
    expect(map(w, at)).toEqual([[0, 1, 1]])
  })

  it('run out', () => {
    const w = world()
    w.call(2, 'mmap', 65536, MMAP_BASE - 65536, R, 'MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED', -1)
    expect(w.call(2, 'mmap', 0, PAGE, R, 'MAP_PRIVATE|MAP_ANONYMOUS', -1)).toBe('ENOMEM')
  })
})

describe('a mapping pins its file', () => {
  it('and with it the write access, until the last part is unmapped', () => {
    const w = world().task(3)
    w.call(3, 'open', 'f', 'O_RDWR')
    const at = w.call(3, 'mmap', 0, 3 * PAGE, RW, 'MAP_SHARED', 0, 0)
    for (let fd = 1; fd < 3; fd++) w.call(2, 'close', fd)
    w.call(3, 'close', 0)
    expect(w.node('f').i_writecount).toBe(1)
    w.call(3, 'munmap', at + PAGE, PAGE)
    w.call(3, 'munmap', at, PAGE)
    expect(w.node('f').i_writecount).toBe(1)
    w.call(3, 'munmap', at, 4 * PAGE)
    expect(w.node('f').i_writecount).toBe(0)
  })

  it('also when it is replaced', () => {
    const w = new World(tree)
    w.call(1, 'open', 'f', 'O_RDWR')
    const at = w.call(1, 'mmap', 0, PAGE, RW, 'MAP_SHARED', 0, 0)
    w.call(1, 'close', 0)
    w.call(1, 'mmap', at, PAGE, R, 'MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED', -1)
    expect([w.node('f').i_writecount, file.rows(w.k).length]).toEqual([0, 0])
  })
})

describe('munmap', () => {
  it('cuts a hole and keeps the offsets of what is left', () => {
    const w = world()
    const at = w.call(2, 'mmap', 0, 3 * PAGE, R, 'MAP_SHARED', 0, 0)
    expect(w.call(2, 'munmap', at + PAGE, 1)).toBe(0)
    expect(map(w, at)).toEqual([
      [0, 1, 1],
      [2, 1, 1],
    ])
    expect(w.bytes(2, 'peek', at + 2 * PAGE, 1)).toBe('c')
    expect(w.call(2, 'peek', at + PAGE, 1)).toBe('SIGSEGV')
  })

  it('forgets private pages', () => {
    const w = world()
    const anonymous = () => w.call(2, 'mmap', 0x30000000, PAGE, RW, 'MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED', -1)
    w.call(2, 'poke', anonymous(), 'secret')
    w.call(2, 'munmap', 0x30000000, PAGE)
    expect(w.bytes(2, 'peek', anonymous(), 6)).toBe('\0'.repeat(6))
  })

  // Seen on 6.18.
  it('refuses what is not whole pages; nothing there is no error', () => {
    const w = world()
    expect(w.call(2, 'munmap', PAGE, PAGE)).toBe(0)
    expect(w.call(2, 'munmap', PAGE, 0)).toBe('EINVAL')
    expect(w.call(2, 'munmap', PAGE + 1, 1)).toBe('EINVAL')
    expect(w.call(2, 'munmap', TASK_SIZE, PAGE)).toBe('EINVAL')
    expect(w.call(2, 'munmap', TASK_SIZE - PAGE, PAGE)).toBe(0)
  })
})

describe('mprotect', () => {
  // Seen on 6.18.
  it('refuses in the kernel order', () => {
    const w = world()
    const mprotect = (...args: unknown[]) => w.call(2, 'mprotect', ...args)
    const at = w.call(2, 'mmap', 0x30000000, PAGE, R, 'MAP_PRIVATE', 0, 0)
    expect(mprotect(at, 0, 'PROT_GROWSDOWN|PROT_GROWSUP')).toBe('EINVAL')
    expect(mprotect(at + 1, PAGE, R)).toBe('EINVAL')
    expect(mprotect(at, 0, 99)).toBe(0)
    expect(mprotect(at, -1, R)).toBe('ENOMEM')
    expect(mprotect(0x40000000, PAGE, 99)).toBe('EINVAL')
    expect(mprotect(0x40000000, PAGE, R)).toBe('ENOMEM')
    expect(mprotect(at - PAGE, 2 * PAGE, 0)).toBe('ENOMEM')
    expect(mprotect(at, PAGE, 'PROT_READ|PROT_GROWSDOWN')).toBe('EINVAL')
  })

  it('keeps what it changed before a gap', () => {
    const w = world()
    const at = w.call(2, 'mmap', 0x30000000, PAGE, R, 'MAP_PRIVATE', 0, 0)
    expect(w.call(2, 'mprotect', at, 2 * PAGE, RW)).toBe('ENOMEM')
    expect(map(w, at)).toEqual([[0, 1, 3]])
  })

  it('splits a mapping', () => {
    const w = world()
    const at = w.call(2, 'mmap', 0, 3 * PAGE, R, 'MAP_PRIVATE', 0, 0)
    expect(w.call(2, 'mprotect', at + PAGE, PAGE, RW)).toBe(0)
    expect(map(w, at)).toEqual([
      [0, 1, 1],
      [1, 1, 3],
      [2, 1, 1],
    ])
    expect(w.call(2, 'mprotect', at, 3 * PAGE, 'PROT_NONE')).toBe(0)
    expect(map(w, at).map(([, , prot]) => prot)).toEqual([0, 0, 0])
  })

  it('never makes a shared mapping of a descriptor for reading writable', () => {
    const w = world()
    const at = w.call(2, 'mmap', 0, PAGE, R, 'MAP_SHARED', 0, 0)
    expect(w.call(2, 'mprotect', at, PAGE, RW)).toBe('EACCES')
    expect(w.call(2, 'mprotect', at, PAGE, 'PROT_READ|PROT_EXEC')).toBe(0)
    const writable = w.call(2, 'mmap', 0, PAGE, R, 'MAP_SHARED', 1, 0)
    expect(w.call(2, 'mprotect', writable, PAGE, RW)).toBe(0)
  })

  it('asks security_file_mprotect for each mapping, after what can never be had', () => {
    const asked: object[] = []
    const w = world({ modules: [denying('file_mprotect', asked)] })
    const at = w.call(2, 'mmap', 0, PAGE, R, 'MAP_SHARED', 0, 0)
    expect(w.call(2, 'mprotect', at, PAGE, RW)).toBe('EACCES')
    expect(asked).toEqual([])
    expect(w.call(2, 'mprotect', at, PAGE, 'PROT_READ|PROT_EXEC')).toBe('EACCES')
    expect(asked).toEqual([{ vma: vm_area.rows(w.k)[0]!.id, reqprot: 5, prot: 5 }])
    expect(map(w, at)).toEqual([[0, 1, 1]])
  })
})
