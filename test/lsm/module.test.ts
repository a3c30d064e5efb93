import { describe, expect, expectTypeOf, test } from 'vitest'
import { LsmModuleError } from '../../src/lsm/hooks.js'
import { define_module, errno_of } from '../../src/lsm/module.js'
import { rules_module } from '../../src/lsm/rules.js'
import type { DentryView, FileView, PathView } from '../../src/lsm/view.js'
import { World } from '../exec/world.js'

/** A rule about a mapping is one about its file. */
const DENY_BY_VMA = {
  hook: 'file_mprotect',
  when: { path: '/f', prot: 'PROT_EXEC' },
  answer: 'EPERM',
} as const

describe('a module of one’s own', () => {
  const only_root_runs = define_module({
    name: 'only-root-runs',
    hooks: {
      bprm_creds_for_exec(ctx) {
        return ctx.file.uid === 0 ? 0 : 'EPERM'
      },
    },
  })

  test('answers in the chain', () => {
    const w = new World({ modules: [only_root_runs] })
    w.file('mine', '')
    w.file('theirs', '', 0o755, w.root, { i_uid: 1000 })
    expect(w.check('mine')).toBe(0)
    expect(w.heard('refused', () => expect(w.check('theirs')).toBe('EPERM'))).toEqual([
      'only-root-runs: bprm_creds_for_exec',
    ])
  })

  test('may answer a number', () => {
    const w = new World({ modules: [define_module({ name: 'm', hooks: { file_open: () => -22 } })] })
    w.file('f', '')
    expect(w.open('f', 'O_RDONLY')).toBe('EINVAL')
  })

  test.each<[string, (ctx: any) => unknown, string]>([
    ['the context', (ctx) => ctx.path, 'm: file_open: ctx has no property "path"; it has hook, task, file'],
    [
      'a file',
      (ctx) => ctx.file.f_mode,
      'm: file_open: ctx.file has no property "f_mode"; it has number, path, flags, inode',
    ],
    ['a view in a view', (ctx) => ctx.file.inode.i_mode, 'ctx.file.inode has no property "i_mode"'],
    ['the task', (ctx) => ctx.task.cred, 'ctx.task has no property "cred"'],
  ])('is told of a property that is not there: of %s', (_, look, expected) => {
    const hooks = { file_open: (ctx: unknown) => (look(ctx) ? -1 : 0) }
    const w = new World({ modules: [define_module({ name: 'm', hooks })] })
    w.file('f', '')
    expect(() => w.open('f', 'O_RDONLY')).toThrow(expected)
    expect(() => w.open('f', 'O_RDONLY')).toThrow(LsmModuleError)
  })

  test('sees task and file, and cannot change them', () => {
    const seen: Record<string, unknown> = {}
    const module = define_module({
      name: 'm',
      hooks: {
        bprm_creds_for_exec(ctx) {
          expectTypeOf(ctx.file).toEqualTypeOf<FileView>()
          const { file, task, is_check, filename, hook } = ctx
          Object.assign(seen, { is_check, filename, hook })
          Object.assign(seen, { number: task.number, uid: task.uid, gid: task.gid, comm: task.comm })
          Object.assign(seen, { euid: task.euid, egid: task.egid, groups: task.groups })
          Object.assign(seen, { securebits: task.securebits, no_new_privs: task.no_new_privs })
          Object.assign(seen, {
            path: file.path,
            mode: file.mode,
            owner: file.uid,
            group: file.gid,
            flags: file.flags,
          })
          Object.assign(seen, {
            size: file.size,
            fs: file.filesystem,
            sb: file.sb,
            initramfs: file.initramfs,
          })
          Object.assign(seen, { dmverity: file.dmverity, fsverity: file.fsverity, bytes: file.bytes() })
          Object.assign(seen, { inode: file.inode.number, data: file.data.number, nlink: file.inode.nlink })
          Object.assign(seen, { inode_dmverity: file.inode.dmverity?.digest })
          expect(() => Object.assign(ctx, { file: 0 })).toThrow()
          expect(() => Object.assign(task, { uid: 0 })).toThrow()
          expect(() => Object.assign(file, { extra: 1 })).toThrow()
          expect(Reflect.defineProperty(file, 'mode', { value: 0, configurable: true })).toBe(false)
          expect(Reflect.deleteProperty(file, 'mode')).toBe(false)
          return 0
        },
      },
    })
    const w = new World({ modules: [module] })
    const image = w.file_system('image', 'erofs', { s_bdev: w.device('sha256:ab', true) })
    w.mount('image', image)
    const d = w.dir('d', 0o755, image)
    const more = { i_uid: 3, i_gid: 4, verity_digest: 'sha512:cd' }
    const ino = w.file('f', 'ab\0', 0o751, d, more)
    w.task(2, 1000, { groups: [7], securebits: 0x100 })
    expect(w.check('image/d/../d/f', 0, 'AT_FDCWD', 2)).toBe(0)
    expect(seen).toEqual({
      hook: 'bprm_creds_for_exec',
      is_check: true,
      filename: 'image/d/../d/f',
      ...{ number: 2, uid: 1000, gid: 1000, euid: 1000, egid: 1000, groups: [7], comm: 'task2' },
      ...{ securebits: 0x100, no_new_privs: false },
      ...{ path: '/image/d/f', mode: 0o100751, owner: 3, group: 4, flags: 0, size: 3, bytes: 'ab\0' },
      ...{ fs: 'erofs', sb: 'image', initramfs: false, inode: ino, data: ino, nlink: 1 },
      dmverity: { digest: 'sha256:ab', signed: true },
      fsverity: { digest: 'sha512:cd', signed: false },
      inode_dmverity: 'sha256:ab',
    })
  })

  test('sees names, inodes and absent objects', () => {
    const seen: unknown[] = []
    const module = define_module({
      name: 'm',
      hooks: {
        path_unlink(ctx) {
          expectTypeOf(ctx.dentry).toEqualTypeOf<DentryView>()
          const { name, path_in_filesystem, filesystem, sb, inode } = ctx.dentry
          expectTypeOf(ctx.dir).toEqualTypeOf<PathView>()
          const { dir } = ctx
          seen.push([name, path_in_filesystem, filesystem, sb, inode.size])
          seen.push([dir.path, dir.dentry.name, dir.filesystem, dir.sb, dir.read_only, dir.noexec])
          return 0
        },
        inode_permission(ctx) {
          if (ctx.inode.size === 3) seen.push(ctx.mask)
          return 0
        },
        mmap_file(ctx) {
          expectTypeOf(ctx.file).toEqualTypeOf<FileView | null>()
          return 0
        },
      },
    })
    const w = new World({ modules: [module] })
    w.file('f', 'abc', 0o755, w.dir('d'))
    w.call(1, 'unlink', 'd/f')
    expect(seen).toEqual([
      ['f', '/d/f', 'tmpfs', 'root', 3],
      ['/d', 'd', 'tmpfs', 'root', false, false],
    ])
    w.file('g', 'abc')
    w.check('g')
    expect(seen[2]).toBe(0x21)
  })

  test('sees mappings', () => {
    const seen: unknown[] = []
    const module = define_module({
      name: 'm',
      hooks: {
        file_mprotect({ vma, prot }) {
          seen.push([vma.end - vma.start, vma.prot, vma.shared, vma.file?.path ?? null, prot])
          return vma.file === null ? 'EACCES' : 0
        },
      },
    })
    const w = new World({ modules: [module, rules_module('t', [DENY_BY_VMA])] })
    w.file('f', 'x')
    const fd = w.open('f', 'O_RDWR')
    const mapped = w.call(1, 'mmap', null, 1, 'PROT_READ', 'MAP_SHARED', fd, 0)
    const anonymous = w.call(1, 'mmap', null, 1, 'PROT_READ', 'MAP_PRIVATE|MAP_ANONYMOUS', -1, 0)
    expect(w.call(1, 'mprotect', mapped, 1, 'PROT_NONE')).toBe(0)
    expect(w.call(1, 'mprotect', mapped, 1, 'PROT_EXEC')).toBe('EPERM')
    expect(w.call(1, 'mprotect', anonymous, 1, 'PROT_EXEC')).toBe('EACCES')
    expect(seen).toEqual([
      [4096, 1, true, '/f', 0],
      [4096, 0, true, '/f', 4],
      [4096, 1, false, null, 4],
    ])
  })

  test('an unlinked file is shown as deleted', () => {
    let path = ''
    const module = define_module({
      name: 'm',
      hooks: {
        bprm_creds_for_exec(ctx) {
          path = ctx.file.path
          return 0
        },
      },
    })
    const w = new World({ modules: [module] })
    w.file('f', '')
    const fd = w.open('f', 'O_PATH')
    w.call(1, 'unlink', 'f')
    w.check('', 'AT_EMPTY_PATH', fd)
    expect(path).toBe('/f (deleted)')
  })
})

test.each([
  [0, 0],
  [-1, -1],
  [-4095, -4095],
  [-4096, undefined],
  [1, undefined],
  [-0.5, undefined],
  ['EACCES', -13],
  ['eacces', undefined],
  ['SIGBUS', undefined],
  ['', undefined],
  [false, undefined],
  [null, undefined],
])('the answer %j stands for the errno %j (include/linux/err.h: MAX_ERRNO)', (answer, errno) => {
  expect(errno_of(answer)).toBe(errno)
})

describe('mistakes', () => {
  const answering = (answer: unknown) => {
    const w = new World({ modules: [define_module({ name: 'm', hooks: { file_open: () => answer as 0 } })] })
    w.file('f', '')
    return () => w.open('f', 'O_RDONLY')
  }

  test.each([
    [undefined, 'm: file_open returned undefined; expected 0, or an errno such as'],
    [13, 'm: file_open returned 13 (errnos are negative: -13?)'],
    ['EACCESS', 'm: file_open returned "EACCESS"'],
    ['SIGKILL', 'm: file_open returned "SIGKILL"'],
    [true, 'm: file_open returned true'],
    [Number.NaN, 'm: file_open returned NaN'],
    [-1.5, 'm: file_open returned -1.5'],
    [-5000, 'm: file_open returned -5000'],
    [{}, 'm: file_open returned an object'],
    [Promise.resolve(0), 'm: file_open returned a promise'],
  ])('the answer %s', (answer, message) => {
    expect(answering(answer)).toThrow(LsmModuleError)
    expect(answering(answer)).toThrow(message)
  })

  test('a hook that throws', () => {
    const fails = () => {
      throw new Error('oops')
    }
    const w = new World({ modules: [define_module({ name: 'm', hooks: { file_open: fails } })] })
    w.file('f', '')
    expect(() => w.open('f', 'O_RDONLY')).toThrow(new LsmModuleError('m: file_open failed: oops'))
  })

  test('names and functions', () => {
    for (const nameless of [undefined, null, 7, {}, { name: 7, hooks: {} }, { name: '', hooks: {} }])
      expect(() => define_module(nameless as never)).toThrow(
        new LsmModuleError('a security module needs a name'),
      )
    expect(() => define_module({ name: 'm', hooks: { file_opem: () => 0 } as object })).toThrow(
      'there is no hook file_opem',
    )
    expect(() => define_module({ name: 'm', hooks: { file_open: 0 as never } })).toThrow(
      'file_open: expected a function',
    )
    expect(() => define_module({ name: 'm', hooks: null as never })).toThrow('hooks: expected an object')
  })
})
