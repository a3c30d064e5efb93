import { describe, expect, test } from 'vitest'
import { script_interpreter } from '../../src/exec/script.js'
import { inode, S_ISGID, S_ISUID } from '../../src/vfs/inode.js'
import { mm_struct, PROT_EXEC, PROT_READ, vm_area } from '../../src/vfs/memory/mm.js'
import { MNT_NOSUID, mount } from '../../src/vfs/mount.js'
import { CAP_FULL_SET, fd_row, fd_slot, task_struct } from '../../src/vfs/tasks/task.js'
import { World } from './world.js'

const ELF = '\x7fELF'

describe('the first line of a script', () => {
  // Each line was run on 6.18: the errno tells which interpreter was looked for.
  test.each([
    ['#!/bin/true\n', '/bin/true'],
    ['#! \t/bin/true \t\n', '/bin/true'],
    ['#!/bin/true -x y\n', '/bin/true'],
    ['#!/bin/true', '/bin/true'],
    ['#!/bin/true\0x\n', '/bin/true'],
    ['#!', ''],
    ['#!\0\n', ''],
    ['', null],
    ['#', null],
    ['# !/bin/true\n', null],
    ['#!\n', null],
    ['#!  \t \n', null],
    [`#!${' '.repeat(398)}`, null],
    [`#!/${'a'.repeat(397)}`, null],
    [`#!/${'a'.repeat(252)}\n`, `/${'a'.repeat(252)}`],
    [`#!/${'a'.repeat(253)}\n`, null],
    [`#! /bin/true${' '.repeat(388)}`, '/bin/true'],
    [`#!${' '.repeat(253)}x\n`, null],
  ])('%j', (buf, interpreter) => {
    expect(script_interpreter(buf.slice(0, 256))).toBe(interpreter)
  })
})

describe('what a real exec answers', () => {
  const world = () => {
    const w = new World()
    w.file('elf', ELF)
    w.file('s1', '#!elf\n')
    for (let i = 2; i <= 6; i++) w.file(`s${i}`, `#!s${i - 1}\n`)
    w.file('m1', '#!missing\n')
    for (let i = 2; i <= 6; i++) w.file(`m${i}`, `#!m${i - 1}\n`)
    w.file('self', '#!/self\n')
    w.file('garbage', 'garbage')
    w.file('empty', '')
    w.file('not_x', ELF, 0o644)
    w.file('to_not_x', '#!not_x\n')
    w.file('to_garbage', '#!garbage\n')
    w.dir('d')
    w.file('to_dir', '#!d\n')
    w.file('to_nothing', '#!')
    return w
  }

  test.each([
    ['elf', 0],
    ['s1', 0],
    ['s5', 0],
    ['s6', 'ELOOP'],
    ['self', 'ELOOP'],
    // The interpreter is opened before the levels are counted.
    ['m6', 'ENOENT'],
    ['m1', 'ENOENT'],
    ['garbage', 'ENOEXEC'],
    ['empty', 'ENOEXEC'],
    ['to_garbage', 'ENOEXEC'],
    ['to_not_x', 'EACCES'],
    ['to_dir', 'EACCES'],
    ['to_nothing', 'EACCES'],
    ['not_x', 'EACCES'],
    ['missing', 'ENOENT'],
  ])('%s: %s', (name, answer) => {
    const w = world()
    expect(w.call(1, 'execve', name, [name], [])).toBe(answer)
    // Only the running program is denied to writers, whatever happened on the way.
    const denied = inode.rows(w.k).filter((node) => node.i_writecount !== 0)
    expect(denied.map((node) => node.i_writecount)).toEqual(answer === 0 ? [-1] : [])
  })

  test('a busy interpreter', () => {
    const w = world()
    w.open('elf', 'O_WRONLY')
    expect(w.exec('s1')).toBe('ETXTBSY')
    expect(w.check('s1')).toBe(0)
  })

  test('a close-on-exec descriptor: good for a program, not for a script', () => {
    const w = world()
    const d = w.dir('e')
    w.file('s', '#!/elf\n', 0o755, d)
    expect(w.exec('', 'AT_EMPTY_PATH', w.open('s1', 'O_RDONLY|O_CLOEXEC'))).toBe('ENOENT')
    expect(w.exec('', 'AT_EMPTY_PATH', w.open('garbage', 'O_RDONLY|O_CLOEXEC'))).toBe('ENOEXEC')
    expect(w.exec('s', 0, w.open('e', 'O_RDONLY|O_CLOEXEC'))).toBe('ENOENT')
    expect(w.exec('/e/s', 0, w.open('e', 'O_RDONLY|O_CLOEXEC'))).toBe(0)
    expect(w.exec('', 'AT_EMPTY_PATH', w.open('elf', 'O_RDONLY|O_CLOEXEC'))).toBe(0)
    expect(w.exec('', 'AT_EMPTY_PATH', w.open('s1', 'O_RDONLY'))).toBe(0)
  })

  test('a module refuses at any level, and everything is given back', () => {
    for (const level of [1, 2]) {
      let asked = 0
      const hooks = { bprm_check_security: () => (++asked === level ? -1 : 0) }
      const w = new World({ modules: [{ name: 'm', hooks }] })
      const files = [w.file('elf', ELF), w.file('s', '#!elf\n')]
      expect(w.exec('s')).toBe('EPERM')
      expect(files.map((ino) => [w.writecount(ino), inode(w.k, ino).i_count])).toEqual([
        [0, 1],
        [0, 1],
      ])
    }
  })

  test('no level of it is a check, and a module is told so', () => {
    const told: string[] = []
    const tell =
      (hook: string) =>
      (_: unknown, { is_check }: { is_check: boolean }) => {
        told.push(`${hook} ${is_check}`)
        return 0
      }
    const names = ['bprm_creds_for_exec', 'bprm_check_security', 'bprm_creds_from_file'] as const
    const hooks = Object.fromEntries(names.map((name) => [name, tell(name)]))
    const w = new World({ modules: [{ name: 'm', hooks }] })
    w.file('elf', ELF)
    expect(w.exec('elf')).toBe(0)
    expect(told).toEqual(names.map((name) => `${name} false`))
  })

  test('a module that refuses the mapping is too late for an errno', () => {
    const w = new World({ modules: [{ name: 'm', hooks: { mmap_file: () => -13 } }] })
    const elf = w.file('elf', ELF)
    expect(w.exec('elf')).toBe('SIGSEGV')
    expect(w.writecount(elf)).toBe(-1)
  })
})

describe('how long writing is denied', () => {
  const world = () => {
    const w = new World()
    w.task(2)
    return { w, s: w.file('s', '#!/i\n'), i: w.file('i', ELF), other: w.file('other', ELF) }
  }
  const until = (w: World, stage: string) => w.until(1, stage)

  test('script and interpreter', () => {
    const { w, s, i } = world()
    const counts = () => [w.writecount(s), w.writecount(i)]
    w.begin(1, 'execve', '/s', ['s'], [])
    until(w, 'security_bprm_creds_for_exec')
    expect(counts()).toEqual([-1, 0])
    until(w, 'exe_file_allow_write_access')
    expect(counts()).toEqual([-1, -1])
    w.step(1)
    expect(counts()).toEqual([0, -1])
    expect(w.open('s', 'O_WRONLY', 2)).toBe(0)
    until(w, 'exec_mmap')
    expect(counts()).toEqual([1, -1])
    w.step(1)
    expect(counts()).toEqual([1, -2])
    until(w, 'exe_file_allow_write_access')
    w.step(1)
    expect(counts()).toEqual([1, -1])
    expect(w.finish(1)).toBe(0)
    expect(counts()).toEqual([1, -1])
    expect(w.open('i', 'O_WRONLY', 2)).toBe('ETXTBSY')
  })

  test('a further exec gives back what the first denied, also over itself', () => {
    const { w, i, other } = world()
    expect(w.exec('i')).toBe(0)
    expect(w.exec('other')).toBe(0)
    expect([w.writecount(i), w.writecount(other)]).toEqual([0, -1])
    expect(w.exec('other')).toBe(0)
    expect([w.writecount(other), inode(w.k, other).i_count]).toEqual([-1, 2])
    expect(mm_struct.rows(w.k).length).toBe(1)
    expect(vm_area.rows(w.k).length).toBe(1)
  })

  test('an exec that fails leaves the old program as it is', () => {
    const { w, i } = world()
    w.exec('i')
    const before = JSON.stringify(w.k.store.snapshot())
    expect(w.exec('missing')).toBe('ENOENT')
    w.task(3)
    w.file('garbage', 'garbage')
    expect(w.exec('garbage')).toBe('ENOEXEC')
    expect(JSON.stringify(w.k.store.snapshot().tables.mm_struct)).toBe(
      JSON.stringify(JSON.parse(before).tables.mm_struct),
    )
    expect(w.writecount(i)).toBe(-1)
  })

  test('each address space denies once: a child has its own, and gives it back at its end', () => {
    const { w, i } = world()
    w.exec('i')
    const child = w.call(1, 'fork')
    expect(w.writecount(i)).toBe(-2)
    w.call(1, 'exit', 0)
    expect(w.writecount(i)).toBe(-1)
    w.call(child, 'exit', 0)
    expect([w.writecount(i), inode(w.k, i).i_count]).toEqual([0, 1])
    expect(w.open('i', 'O_RDWR', 2)).toBe(0)
  })

  test('the old program’s mappings go, and with them the files that only they pinned', () => {
    const { w } = world()
    const f = w.file('f', 'x')
    const fd = w.open('f', 'O_RDWR')
    expect(w.call(1, 'mmap', null, 1, 'PROT_READ', 'MAP_SHARED', fd, 0)).toBeGreaterThan(0)
    w.call(1, 'close', fd)
    expect(w.writecount(f)).toBe(1)
    expect(w.exec('i')).toBe(0)
    expect(w.writecount(f)).toBe(0)
    expect(vm_area.rows(w.k).length).toBe(1)
  })

  test('6.11 denies nothing', () => {
    const w = new World({ release: '6.11' })
    w.task(2)
    const i = w.file('i', ELF)
    w.file('s', '#!/i\n')
    w.open('i', 'O_RDWR', 2)
    expect([w.exec('s'), w.exec('i'), w.writecount(i)]).toEqual([0, 0, 1])
  })
})

describe('the new program', () => {
  test('has one segment, of the whole file', () => {
    const w = new World()
    const ino = w.file('elf', `${ELF}${'x'.repeat(5000)}`)
    w.exec('elf')
    const [vma] = vm_area.rows(w.k)
    expect(vma).toMatchObject({
      vm_start: 0x400000,
      vm_end: 0x402000,
      vm_prot: PROT_READ | PROT_EXEC,
      vm_shared: 0,
    })
    const mm = task_struct(w.k, 1).mm
    expect(vma!.vm_mm).toBe(mm)
    expect(mm_struct(w.k, mm).exe_file).toBe(ino)
  })

  test('closes what is close-on-exec, and keeps the rest', () => {
    const w = new World()
    const ino = w.file('f', '')
    w.file('elf', ELF)
    w.open('f', 'O_RDWR')
    w.open('f', 'O_RDWR|O_CLOEXEC')
    w.open('f', 'O_RDWR|O_CLOEXEC')
    w.task(2)
    w.open('f', 'O_RDONLY|O_CLOEXEC', 2)
    expect(w.writecount(ino)).toBe(3)
    w.exec('elf')
    expect(w.writecount(ino)).toBe(1)
    expect([0, 1, 2].map((fd) => fd_slot.has(w.k, fd_row(1, fd)))).toEqual([true, false, false])
    expect(fd_slot.has(w.k, fd_row(2, 0))).toBe(true)
  })

  test.each([
    ['7.2', 's', 0, 's'],
    ['7.2', '/d/a_very_long_name_of_a_program', 0, 'a_very_long_nam'],
    ['7.2', '', 'AT_EMPTY_PATH', 'elf'],
    ['6.12', '', 'AT_EMPTY_PATH', '0'],
  ] as const)('%s: comm of %s', (release, path, flags, comm) => {
    const w = new World({ release })
    const d = w.dir('d')
    w.file('elf', ELF)
    w.file('s', '#!/elf\n')
    w.file('a_very_long_name_of_a_program', ELF, 0o755, d)
    const fd = path === '' ? w.open('s', 'O_RDONLY') : 'AT_FDCWD'
    expect(w.exec(path, flags, fd)).toBe(0)
    expect(task_struct(w.k, 1).comm).toBe(comm)
  })

  const ids = (w: World, task: number) => {
    const { uid, euid, egid, cap_effective } = task_struct(w.k, task)
    return [uid, euid, egid, cap_effective]
  }
  test.each([
    ['neither', 0o755, {}, 0, [1000, 1000, 1000, 0]],
    ['set-user-id', S_ISUID | 0o755, {}, 0, [1000, 0, 1000, CAP_FULL_SET]],
    ['set-group-id', S_ISGID | 0o755, {}, 0, [1000, 1000, 50, 0]],
    ['set-group-id without group execute', S_ISGID | 0o745, {}, 0, [1000, 1000, 1000, 0]],
    ['no_new_privs', S_ISUID | S_ISGID | 0o755, { no_new_privs: 1 }, 0, [1000, 1000, 1000, 0]],
    ['nosuid', S_ISUID | S_ISGID | 0o755, {}, MNT_NOSUID, [1000, 1000, 1000, 0]],
    ['SECBIT_NOROOT', S_ISUID | 0o755, { securebits: 1 }, 0, [1000, 0, 1000, 0]],
  ])('ids: %s', (_, mode, more, flags, expected) => {
    const w = new World()
    w.task(2, 1000, more)
    w.file('elf', ELF, mode, w.root, { i_uid: 0, i_gid: 50 })
    mount(w.k, w.root_mnt).mnt_flags = flags
    expect(w.exec('elf', 0, 'AT_FDCWD', 2)).toBe(0)
    expect(ids(w, 2)).toEqual(expected)
  })

  test('set-user-id of a script does not count, and is ignored once the file may not be executed', () => {
    const w = new World()
    w.task(2, 1000)
    w.file('i', ELF)
    w.file('s', '#!/i\n', S_ISUID | 0o755)
    w.exec('s', 0, 'AT_FDCWD', 2)
    expect(ids(w, 2)[1]).toBe(1000)
    const elf = w.file('elf', ELF, S_ISUID | 0o755)
    w.begin(2, 'execve', 'elf', [], [])
    w.until(2, 'bprm_creds_from_file')
    inode(w.k, elf).i_mode &= ~0o111
    expect(w.finish(2)).toBe(0)
    expect(ids(w, 2)[1]).toBe(1000)
  })

  test('securebits survive, except SECBIT_KEEP_CAPS', () => {
    const w = new World()
    w.task(2, 1000, { securebits: 0xb10 })
    w.file('elf', ELF)
    w.exec('elf', 0, 'AT_FDCWD', 2)
    expect(task_struct(w.k, 2).securebits).toBe(0xb00)
  })

  test('a check changes none of this', () => {
    const w = new World()
    w.task(2, 1000)
    w.file('elf', ELF, S_ISUID | 0o755)
    const before = ids(w, 2)
    expect(w.check('elf', 0, 'AT_FDCWD', 2)).toBe(0)
    expect(ids(w, 2)).toEqual(before)
    expect(task_struct(w.k, 2).comm).toBe('task2')
  })
})
