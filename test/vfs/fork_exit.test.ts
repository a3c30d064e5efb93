import { describe, expect, it } from 'vitest'
import { dentry } from '../../src/vfs/dentry.js'
import { file } from '../../src/vfs/file.js'
import { anon_page, mm_struct, vm_area } from '../../src/vfs/memory/mm.js'
import { task_mm } from '../../src/vfs/memory/mmap.js'
import { ends_unseen } from '../../src/vfs/tasks/fork_exit.js'
import { fd_slot, task_struct } from '../../src/vfs/tasks/task.js'
import { PAGE, text, World } from './data_world.js'

const RW = 'PROT_READ|PROT_WRITE'

/** Task 1 runs the program `f`: its address space denies writing, as exec leaves it. */
function running(w: World, path: string): void {
  w.k.task = 1
  mm_struct(w.k, task_mm(w.k)).exe_file = w.ino(path)
  w.k.task = 0
  const node = w.node(path)
  node.i_count += 1
  if (w.k.has('exec_denies_writes')) node.i_writecount -= 1
}

describe('fork', () => {
  it('numbers children from the range of the parent, lowest free first', () => {
    const w = new World({}).task(2)
    expect([w.call(1, 'fork'), w.call(2, 'fork'), w.call(1, 'fork')]).toEqual([73, 81, 74])
    expect(w.call(73, 'fork')).toBe(649)
    for (let n = 3; n <= 7; n++) expect(w.call(1, 'fork')).toBe(72 + n)
    expect(w.call(1, 'fork')).toBe('EAGAIN')
  })

  it('ends where the numbers of tasks end', () => {
    const w = new World({})
    let task = 1
    const line: unknown[] = []
    for (;;) {
      const child = w.call(task, 'fork')
      line.push(child)
      if (typeof child !== 'number') break
      task = child
    }
    expect(line).toEqual([73, 649, 5257, 'EAGAIN'])
  })

  it('copies who the task is and where it stands', () => {
    const w = new World({ d: { type: 'dir' } }).task(2, 1000, { groups: [5], umask: 0o77, securebits: 1 })
    const child = w.call(2, 'fork')
    const { euid, groups, umask, securebits, parent, comm, pwd, exit_code } = task_struct(w.k, child)
    expect({ euid, groups, umask, securebits, parent, comm, exit_code }).toEqual({
      euid: 1000,
      groups: [5],
      umask: 0o77,
      securebits: 1,
      parent: 2,
      comm: 'task2',
      exit_code: 0,
    })
    expect(dentry(w.k, pwd).d_count).toBe(3)
    w.call(child, 'exit', 0)
    expect(dentry(w.k, pwd).d_count).toBe(2)
  })

  it('shares open files, with their position and their write access', () => {
    const w = new World({ f: text('hello') })
    w.call(1, 'open', 'f', 'O_RDWR|O_CLOEXEC')
    const child = w.call(1, 'fork')
    expect(w.bytes(child, 'read', 0, 2)).toBe('he')
    expect(w.bytes(1, 'read', 0, 2)).toBe('ll')
    expect(fd_slot.rows(w.k).map((slot) => slot.close_on_exec)).toEqual([1, 1])
    w.call(1, 'close', 0)
    expect(w.node('f').i_writecount).toBe(1)
    w.call(child, 'close', 0)
    expect(w.node('f').i_writecount).toBe(0)
  })

  it('copies private memory and shares shared mappings', () => {
    const w = new World({ f: text('file') })
    w.call(1, 'open', 'f', 'O_RDWR')
    const shared = w.call(1, 'mmap', 0, PAGE, RW, 'MAP_SHARED', 0, 0)
    const own = w.call(1, 'mmap', 0, PAGE, RW, 'MAP_PRIVATE', 0, 0)
    w.call(1, 'poke', own, 'P')
    w.call(1, 'close', 0)
    const child = w.call(1, 'fork')
    expect(file.rows(w.k)[0]!.f_count).toBe(4)
    w.call(1, 'poke', own, 'Q')
    w.call(1, 'poke', shared, 'S')
    expect([w.bytes(child, 'peek', own, 4), w.bytes(child, 'peek', shared, 4)]).toEqual(['Pile', 'Sile'])
    w.call(child, 'munmap', own, PAGE)
    expect(w.bytes(1, 'peek', own, 4)).toBe('Qile')
  })

  it('denies writing to the program once more, until that child ends too', () => {
    const w = new World({ f: text('program') })
    running(w, 'f')
    const child = w.call(1, 'fork')
    expect([w.node('f').i_writecount, w.node('f').i_count]).toEqual([-2, 3])
    w.call(1, 'exit', 0)
    expect(w.call(child, 'open', 'f', 'O_WRONLY')).toBe('ETXTBSY')
    w.call(child, 'exit', 0)
    expect([w.node('f').i_writecount, w.node('f').i_count]).toEqual([0, 1])
  })

  it('denies nothing where exec does not', () => {
    const w = new World({ f: text('program') }, { release: '6.11' })
    running(w, 'f')
    w.call(1, 'fork')
    expect(w.node('f').i_writecount).toBe(0)
    w.call(1, 'exit', 0)
    expect(w.node('f').i_writecount).toBe(0)
  })
})

describe('exit', () => {
  it('leaves a zombie that holds nothing', () => {
    const w = new World({ f: text('x') })
    w.call(1, 'open', 'f', 'O_RDWR')
    w.call(1, 'open', 'f', 'O_RDONLY')
    const at = w.call(1, 'mmap', 0, PAGE, RW, 'MAP_PRIVATE', 0, 0)
    w.call(1, 'poke', at, 'P')
    expect(w.call(1, 'exit', 300)).toBe(0)
    expect(task_struct(w.k, 1).exit_code).toBe(1 + (300 & 0xff))
    expect([file, fd_slot, vm_area, anon_page, mm_struct].map((table) => table.rows(w.k).length)).toEqual(
      Array(5).fill(0),
    )
    expect(w.node('f').i_writecount).toBe(0)
  })

  it('gives up the program first, then each file in a stage of its own', () => {
    const w = new World({ f: text('x') })
    running(w, 'f')
    w.call(1, 'open', 'f', 'O_RDONLY')
    w.call(1, 'open', 'f', 'O_RDONLY')
    w.call(1, 'mmap', 0, PAGE, 'PROT_READ', 'MAP_SHARED', 0, 0)
    expect(w.stages(1, 'exit_group')).toEqual(['exit_mm', 'fput', 'fput', 'fput', 'exit_notify'])
  })

  it('lets go of a removed file, which its mapping had kept', () => {
    const w = new World({ f: text('x') })
    w.call(1, 'open', 'f', 'O_RDONLY')
    const at = w.call(1, 'mmap', 0, PAGE, 'PROT_READ', 'MAP_SHARED', 0, 0)
    w.call(1, 'close', 0)
    w.call(1, 'unlink', 'f')
    expect(w.bytes(1, 'peek', at, 1)).toBe('x')
    w.call(1, 'exit')
    expect(file.rows(w.k)).toEqual([])
    expect(dentry.rows(w.k).map((row) => row.d_count)).toEqual([0, 0])
  })
})

describe('an end that nobody can tell', () => {
  it('is not that of a task that has an end of a FIFO', () => {
    const w = new World({ p: { type: 'fifo' }, f: text('abc') })
    w.call(1, 'open', 'f', 'O_RDONLY')
    w.k.task = 1
    expect(ends_unseen(w.k)).toBe(true)
    w.call(1, 'open', 'p', 'O_RDONLY|O_NONBLOCK')
    w.k.task = 1
    expect(ends_unseen(w.k)).toBe(false)
    w.k.task = 0
  })
})
