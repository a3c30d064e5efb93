import { describe, expect, test } from 'vitest'
import { FastStore } from '../../src/kernel/fast_store.js'
import { ImmerStore } from '../../src/kernel/immer_store.js'
import type { Kernel } from '../../src/kernel/kernel.js'
import { profile } from '../../src/kernel/profile.js'
import { syscall_named } from '../../src/kernel/syscall.js'
import { make_kernel } from '../../src/model.js'
import type { OverlayOptions } from '../../src/overlay/params.js'
import { scenario_from_form } from '../../src/scenario/builder.js'
import { case_system } from '../../src/scenario/case_system.js'
import { result } from '../../src/scenario/code.js'
import { define_module } from '../../src/scenario/code_module.js'
import type { CaseForm, FileSystemForm, SetupForm, TaskForm } from '../../src/scenario/form.js'
import { broken_invariant } from '../../src/scenario/invariants.js'
import { boot_setup } from '../../src/scenario/setup.js'
import { children, dentry } from '../../src/vfs/dentry.js'
import { find_place, type MountOption } from '../../src/vfs/filesystems/populate.js'
import { block_device, super_block } from '../../src/vfs/super_block.js'
import { CAP_FULL_SET, task_struct } from '../../src/vfs/tasks/task.js'
import { case_of, message_of, one_case, run } from './support.js'

const no_code = { modules: new Map(), properties: new Map() }

function boot(setup: SetupForm, task: Partial<TaskForm> = {}, rest: Partial<CaseForm> = {}) {
  const form: CaseForm = {
    setup,
    tasks: [{ name: 't', program: [{ call: 'stat', args: ['/'] }], ...task }],
    ...rest,
  }
  return case_system({ form, code: no_code }).boot(new FastStore())
}

describe('a set-up', () => {
  test('without mounts is an empty tmpfs; tasks have 0, 1 and 2 open and start at /', () => {
    const ran = run(
      case_of((s) => {
        const t = s.task('t')
        t.open('/f', 'O_RDWR|O_CREAT').as('fd')
        t.write(1, 'to the null device').as('to_null')
        t.read(0, 10).as('from_null')
        t.stat('.').as('here')
      }),
    )
    expect(['fd', 'to_null', 'from_null', 'here'].map((name) => ran.ret('t', name))).toEqual([3, 18, 0, 0])
  })

  test('names of files are bytes, as in the paths of calls', () => {
    const ran = run(
      case_of((s) => {
        s.mount('/', s.filesystem('r', { type: 'tmpfs', tree: { 'é\x9b': 'a', other: { link: 'é\x9b' } } }))
        const t = s.task('t')
        t.read(t.open('/é\x9b', 'O_RDONLY'), 10).as('read')
        t.stat('/other').as('link')
      }),
    )
    expect(['read', 'link'].map((name) => ran.ret('t', name))).toEqual([1, 0])
  })

  test('mounts with their options, binds, and a mount point that is made', () => {
    const ran = run(
      case_of((s) => {
        const data = s.filesystem('data', {
          type: 'ext4',
          tree: { 'a/b/f': 'x', x: { file: '', mode: 0o755 } },
        })
        s.mount('/', s.filesystem('root', { type: 'tmpfs' }))
        s.mount('/deep/mnt', data)
        s.mount('/part', data.at('/a'), ['ro'])
        s.bind('/deep/mnt/a/b', '/bind', ['noexec'])
        const t = s.task('t')
        t.open('/deep/mnt/a/b/f', 'O_RDWR').as('rw')
        t.open('/part/b/f', 'O_RDWR').as('ro').may_fail()
        t.open('/bind/f', 'O_RDONLY').as('bound')
        t.execveat('AT_FDCWD', '/deep/mnt/x', null, null, 'AT_EXECVE_CHECK').as('may_run')
      }),
    )
    expect(['rw', 'ro', 'bound', 'may_run'].map((name) => ran.ret('t', name))).toEqual([3, -30, 4, 0])
  })

  test('every kind of file', () => {
    const ran = run(
      case_of((s) => {
        s.mount(
          '/',
          s.filesystem('root', {
            type: 'ext4',
            tree: {
              text: 'ä',
              binary: { file: { base64: '/wD+' }, mode: '0600', uid: 5, gid: 6 },
              dir: { dir: { inner: 'i' }, mode: 0o700 },
              link: { symlink: 'dir/inner' },
              again: { link: 'dir/inner' },
              fifo: { device: 'fifo' },
              fixed: { file: 'v', immutable: true },
              sealed: { file: 'v', verity: { signed: true } },
            },
          }),
        )
        const t = s.task('t')
        t.read(t.open('/text', 'O_RDONLY'), 10).as('text')
        t.read(t.open('/binary', 'O_RDONLY'), 10).as('binary')
        t.read(t.open('/link', 'O_RDONLY'), 10).as('link')
        t.read(t.open('/again', 'O_RDONLY'), 10).as('again')
        t.open('/fixed', 'O_WRONLY').as('fixed').may_fail()
        t.open('/sealed', 'O_WRONLY').as('sealed').may_fail()
      }),
    )
    expect(['text', 'binary', 'link', 'again'].map((name) => ran.data('t', name))).toEqual([
      'Ã¤',
      'ÿ\0þ',
      'i',
      'i',
    ])
    expect(['fixed', 'sealed'].map((name) => ran.ret('t', name))).toEqual([-1, -1])
  })

  test('whiteouts and opaque directories of an upper layer', () => {
    const ran = run(
      case_of((s) => {
        const lower = s.filesystem('lower', {
          type: 'erofs',
          tree: { gone: 'x', 'dir/hidden': 'x', 'both/below': 'x' },
        })
        const tree = {
          upper: {
            dir: { gone: { whiteout: true }, dir: { dir: { shown: 'y' }, opaque: true }, both: { dir: {} } },
          },
          work: { dir: {} },
        } as const
        const rw = s.filesystem('rw', { type: 'tmpfs', tree })
        s.mount('/', s.filesystem('root', { type: 'tmpfs' }))
        s.overlay('/m', { lower: [lower], upper: rw.at('/upper'), work: rw.at('/work') })
        const t = s.task('t')
        for (const name of ['gone', 'dir/hidden', 'dir/shown', 'both/below'])
          t.stat(`/m/${name}`).as(name.replace('/', '_')).may_fail()
      }),
    )
    expect(['gone', 'dir_hidden', 'dir_shown', 'both_below'].map((name) => ran.ret('t', name))).toEqual([
      -2, -2, 0, 0,
    ])
  })

  test('credentials of tasks', () => {
    const k = boot(
      {},
      {
        uid: 7,
        gid: 8,
        groups: [9],
        capabilities: ['CAP_DAC_OVERRIDE', 'CAP_CHECKPOINT_RESTORE'],
        umask: 0o77,
        securebits: 'SECBIT_EXEC_RESTRICT_FILE',
      },
    )
    expect(task_struct(k, 1)).toMatchObject({
      uid: 7,
      euid: 7,
      gid: 8,
      groups: [9],
      cap_effective: 2 + 2 ** 40,
      umask: 0o77,
      securebits: 0x100,
      comm: 't',
    })
    const securebits = (given: string | number) => task_struct(boot({}, { securebits: given }), 1).securebits
    // include/uapi/linux/securebits.h: SECURE_NOROOT 0, SECURE_EXEC_RESTRICT_FILE 8
    expect(securebits('SECBIT_NOROOT|SECBIT_EXEC_RESTRICT_FILE')).toBe(0x101)
    expect(securebits(0x101)).toBe(0x101)
    expect(task_struct(boot({}), 1)).toMatchObject({ securebits: 0, umask: 0o022, rlimit_nofile: 1024 })
    expect(task_struct(boot({}, { rlimit_nofile: 7 }), 1).rlimit_nofile).toBe(7)
    expect(task_struct(boot({}, { uid: 1, capabilities: ['CAP_CHOWN', 'CAP_CHOWN'] }), 1).cap_effective).toBe(
      1,
    )
    expect(task_struct(boot({}), 1).cap_effective).toBe(CAP_FULL_SET)
    expect(task_struct(boot({}, { uid: 1 }), 1).cap_effective).toBe(0)
    expect(task_struct(boot({}, { uid: 1, capabilities: 'all' }), 1).cap_effective).toBe(CAP_FULL_SET)
  })

  test('a file system that is read-only, one of dm-verity and a first mount with ro refuse to be written to', () => {
    const written = (fs: Omit<FileSystemForm, 'type'>, options: readonly MountOption[] = []) => {
      const of = case_of((s) => {
        s.mount('/', s.filesystem('root', { type: 'ext4', tree: { f: '' }, ...fs }), options)
        s.task('t').open('/f', 'O_WRONLY').as('fd').may_fail()
      })
      return run(of).ret('t', 'fd')
    }
    const EROFS = -30
    expect(written({})).toBe(3)
    expect(written({ read_only: false })).toBe(3)
    expect(written({ read_only: true })).toBe(EROFS)
    expect(written({ dmverity: {} })).toBe(EROFS)
    expect(written({ dmverity: {}, read_only: false })).toBe(EROFS)
    expect(written({}, ['ro'])).toBe(EROFS)
  })

  test('dm-verity has the root hash that is given, and else one of its own for each tree', () => {
    const hash = (fs: Pick<FileSystemForm, 'tree' | 'dmverity'>) => {
      const k = boot({
        filesystems: { image: { type: 'ext4', ...fs } },
        mounts: [{ at: '/', filesystem: 'image' }],
      })
      return block_device
        .rows(k)
        .map(({ roothash, roothash_signed }) => ({ roothash, signed: roothash_signed }))
    }
    const of_a = hash({ tree: { a: '' }, dmverity: {} })
    expect(of_a).toEqual([{ roothash: expect.stringMatching(/^sha256:[0-9a-f]{64}$/), signed: 0 }])
    expect(hash({ tree: { a: '' }, dmverity: { signed: true } })).toEqual([{ ...of_a[0], signed: 1 }])
    expect(hash({ tree: { b: '' }, dmverity: {} })).not.toEqual(of_a)
    expect(hash({ dmverity: { roothash: 'sha256:00' } })).toMatchObject([{ roothash: 'sha256:00' }])
    expect(hash({ tree: { a: '' } })).toEqual([])
  })

  test('a task has the null device open, in no directory', () => {
    const ran = run(
      case_of((s) => {
        const t = s.task('t')
        t.fstat(0).as('null')
        t.openat(0, 'null', 'O_RDONLY').as('below').may_fail()
      }),
    )
    const row = result.find(ran.k, 1, ran.system.code.programs[0]!.slots.indexOf('null'))!
    const [mode, device] = ['st_mode', 'st_rdev'].map(
      (field) => row.fields[syscall_named('fstat')!.fields.indexOf(field)],
    )
    expect([mode, device]).toEqual([0o020666, 0x103])
    expect(ran.ret('t', 'below')).toBe(-20)
  })

  test('the books are right as it is booted: counts of names, of open files, of writers', () => {
    expect(broken_invariant(boot({}))).toBeNull()
    const filesystems = { root: { type: 'tmpfs' as const, tree: { d: { dir: {} } } } }
    const k = boot({ filesystems, mounts: [{ at: '/', filesystem: 'root' }] }, { cwd: '/d' })
    expect(broken_invariant(k)).toBeNull()
    expect(dentry(k, task_struct(k, 1).pwd).d_name).toBe('d')
    expect(dentry(k, task_struct(k, 1).root)).toMatchObject({ d_parent: task_struct(k, 1).root })
  })

  test.each(['/made/', '/made//', '//made', 'made'])('a mount point that is made is where %s leads', (at) => {
    const filesystems = { r: { type: 'tmpfs' as const, tree: { f: '' } } }
    const setup: SetupForm = {
      filesystems,
      mounts: [
        { at: '/', filesystem: 'r' },
        { at, bind: '/f' },
      ],
    }
    const directory: SetupForm = { ...setup, mounts: [setup.mounts![0]!, { at, bind: '/' }] }
    if (at.startsWith('/')) {
      const k = make_kernel(new FastStore(), profile('6.18'), [])
      const { root } = boot_setup(k, directory, 'setup')
      expect(find_place(k, root.mnt, '/made/f')).toBeDefined()
      expect(children(k, root.dentry).map(({ d_name }) => d_name)).toEqual(['f', 'made'])
    } else
      expect(message_of(() => boot(directory))).toContain(
        'setup.mounts[1].at: there is no made (symbolic links are not followed here)',
      )
    expect(message_of(() => boot(setup))).toContain('setup.mounts[1].at: ')
  })

  test('boots to the same state on both stores', () => {
    const of = case_of((s) => {
      s.mount('/', s.filesystem('root', { type: 'ext4', tree: { a: 'b' } }))
      s.task('t', { uid: 3 }).stat('/a')
    })
    const fast = case_system(of).boot(new FastStore()).store
    const immer = case_system(of).boot(new ImmerStore()).store
    expect(immer.snapshot()).toEqual(fast.snapshot())
    expect([immer.hash_lo, immer.hash_hi]).toEqual([fast.hash_lo, fast.hash_hi])
  })

  test('profiles with features', () => {
    expect(boot({ profile: '6.18' }).has('ipe_execve_check')).toBe(false)
    expect(boot({ profile: '6.18+ipe_execve_check' }).has('ipe_execve_check')).toBe(true)
    expect(boot({ profile: '7.2+-ipe_execve_check' }).has('ipe_execve_check')).toBe(false)
    expect(boot({}, {}, { profile: '6.14' }).config.profile.name).toBe('6.14')
    expect(boot({}).config.profile.name).toBe('7.2')
  })
})

describe('layers by path', () => {
  const dirs = { u: { dir: {} }, w: { dir: {} }, l: { dir: { d: { dir: { f: 'deep' } }, f: 'low' } } }
  const filesystems = {
    root: {
      type: 'tmpfs' as const,
      tree: { link: { symlink: 'm' }, file: '', m: { dir: {} }, t: { dir: {} } },
    },
    disk: { type: 'ext4' as const, tree: { ...dirs, l2: { dir: { d: { dir: { g: 'two' } } } } } },
    up: { type: 'tmpfs' as const, tree: dirs },
    top: { type: 'tmpfs' as const, tree: dirs },
  }
  const overlay = { at: '/m', overlay: { lower: ['disk:/l'], upper: 'up:/u', work: 'up:/w' } }
  const on_top = (lower: readonly string[], at = '/n') => ({
    at,
    overlay: { lower, upper: 'top:/u', work: 'top:/w' },
  })
  const mounts = (...more: NonNullable<SetupForm['mounts']>): SetupForm => ({
    filesystems,
    mounts: [
      { at: '/', filesystem: 'root' },
      { at: '/t', filesystem: 'disk', options: ['ro'] },
      overlay,
      ...more,
    ],
  })

  const names = (k: Kernel, path: string) => {
    const { root } = boot_setup(k, mounts(on_top(['/m/d', '/t/l2/d'])), 'setup')
    return children(k, find_place(k, root.mnt, path)!.dentry)
      .map((child) => child.d_name)
      .sort()
  }

  test('are directories of overlays and of other mounts, merged with each other', () => {
    expect(names(make_kernel(new FastStore(), profile('6.18'), []), '/n')).toEqual(['f', 'g'])
  })

  test('an overlay is called after where it is mounted', () => {
    const ids = (...at: string[]) => {
      const k = make_kernel(new FastStore(), profile('6.18'), [])
      const of_mounts = at.map((each) => ({ at: each, overlay: { lower: ['disk:/l', 'disk:/l2'] } }))
      const first = at[0] === '/' ? [] : [{ at: '/', filesystem: 'root' }]
      boot_setup(k, { filesystems, mounts: [...first, ...of_mounts] }, 'setup')
      return super_block.rows(k).flatMap(({ s_type, s_id }) => (s_type === 'overlay' ? [s_id] : []))
    }
    expect(ids('/')).toEqual(['overlay'])
    expect(ids('/m', '/t/o')).toEqual(['overlay-m', 'overlay-t-o'])
  })

  test('what is opaque for the overlay below is not for the one on top', () => {
    const opaque = { d: { dir: { x: '' }, opaque: true } }
    const setup = (lower: readonly string[]): SetupForm => ({
      filesystems: { ...filesystems, hides: { type: 'tmpfs', tree: opaque } },
      mounts: [
        { at: '/', filesystem: 'root' },
        { at: '/m', overlay: { lower: ['hides', 'disk:/l2'] } },
        { at: '/t', filesystem: 'hides' },
        { at: '/n', overlay: { lower } },
      ],
    })
    const shown = (lower: readonly string[]) => {
      const k = make_kernel(new FastStore(), profile('6.18'), [])
      const { root } = boot_setup(k, setup(lower), 'setup')
      return children(k, find_place(k, root.mnt, '/n/d')!.dentry).map((child) => child.d_name)
    }
    expect(shown(['/m', 'disk:/l'])).toEqual(['f', 'x'])
    expect(shown(['/t', 'disk:/l'])).toEqual(['x'])
  })

  test.each<[string, SetupForm, string]>([
    [
      'nothing there',
      mounts(on_top(['/x'])),
      'setup.mounts[3].overlay.lower[0]: there is no /x (symbolic links',
    ],
    [
      'a link',
      mounts(on_top(['/link/d'])),
      'setup.mounts[3].overlay.lower[0]: there is no /link/d (symbolic links',
    ],
    [
      'a link itself',
      mounts(on_top(['/link'])),
      'setup.mounts[3].overlay: EINVAL: layer link is not a directory',
    ],
    ['a file', mounts(on_top(['/file'])), 'setup.mounts[3].overlay: EINVAL: layer file is not a directory'],
    [
      'a way up',
      mounts(on_top(['/m/../..'])),
      'setup.mounts[3].overlay.lower[0]: expected a path without ., .. and NUL, not "/m/../.."',
    ],
    [
      'a later mount',
      mounts(on_top(['/later', 'up:/l']), { at: '/later', bind: '/m' }),
      'setup.mounts[3].overlay.lower[0]: there is no /later',
    ],
    [
      'of the first mount',
      { filesystems, mounts: [on_top(['/m'], '/')] },
      'setup.mounts[0].overlay.lower[0]: /m is a path, and nothing is mounted before this overlay',
    ],
    [
      'a third overlay',
      mounts(on_top(['/m']), { at: '/o', overlay: { lower: ['/n', 'up:/l'] } }),
      'setup.mounts[4].overlay: EINVAL: too many overlays on top of each other: there may be 2',
    ],
    [
      'the upper on an overlay',
      mounts({ at: '/n', overlay: { lower: ['top'], upper: '/m/d', work: '/m/d' } }),
      'setup.mounts[3].overlay: EINVAL: upperdir cannot be on an overlay',
    ],
    [
      'one in another',
      mounts(on_top(['/m/d', '/m'])),
      'setup.mounts[3].overlay: ELOOP: layer d overlaps another layer',
    ],
    ['the same by two ways', mounts(on_top(['/t', 'disk'])), 'setup.mounts[3].overlay: ELOOP: layer'],
    [
      'the upper on a mount that is read-only',
      mounts({ at: '/n', overlay: { lower: ['/m'], upper: '/t/u', work: '/t/w' } }),
      'setup.mounts[3].overlay: EINVAL: upperdir is on a read-only mount',
    ],
    [
      'upper and work on two mounts',
      mounts(
        { at: '/x', filesystem: 'top' },
        { at: '/n', overlay: { lower: ['/m'], upper: '/x/u', work: 'top:/w' } },
      ),
      'setup.mounts[4].overlay: EINVAL: workdir must be on the mount of upperdir',
    ],
    [
      'the upper of another overlay as upper',
      mounts({ at: '/n', overlay: { lower: ['/m'], upper: 'up:/u', work: 'top:/w' } }),
      'setup.mounts[3].overlay: EINVAL: workdir must be on the mount of upperdir',
    ],
    [
      'the upper and work of another overlay',
      mounts({ at: '/n', overlay: { lower: ['/m'], upper: 'up:/u', work: 'up:/w' } }),
      'setup.mounts[3].overlay: another overlay writes to upper or work already (on a kernel the behaviour is undefined)',
    ],
    [
      'the upper of another overlay as lower',
      mounts(on_top(['disk:/l2', 'up:/u'])),
      'setup.mounts[3].overlay.lower[1]: another overlay writes to this directory (on a kernel the behaviour is undefined)',
    ],
    [
      'the upper of another overlay as the first lower',
      mounts(on_top(['up:/u', 'disk:/l2'])),
      'setup.mounts[3].overlay.lower[0]: another overlay writes to this directory',
    ],
    ...[
      ['top:/l', 'top:/l/d'],
      ['top:/l/d', 'top:/l'],
    ].map(([first, second]): [string, SetupForm, string] => [
      `an upper ${second} beside another in ${first}`,
      mounts(
        { at: '/n', overlay: { lower: ['disk:/l2'], upper: first!, work: 'top:/w' } },
        { at: '/o', overlay: { lower: ['disk:/l'], upper: second!, work: 'top:/u' } },
      ),
      'setup.mounts[4].overlay: another overlay writes to upper or work already',
    ]),
    [
      'a lower around the upper',
      mounts({ at: '/n', overlay: { lower: ['top'], upper: 'top:/u', work: 'top:/w' } }),
      'setup.mounts[3].overlay.lower[0]: upper or work lies inside this layer (there the kernel answers ELOOP)',
    ],
    [
      'a mount point that would be made in a layer',
      mounts(
        on_top(['/m', 'top:/l']),
        { at: '/x', filesystem: 'top', root: '/l' },
        { at: '/x/y', bind: '/t' },
      ),
      'setup.mounts[5].at: there is no /x/y, and an overlay that is mounted already has the directory above it as a layer',
    ],
  ])('%s is refused', (_, setup, message) => {
    expect(() => boot(setup)).toThrow(message)
  })
})

describe('mistakes in set-ups', () => {
  const policy = 'policy_name=p policy_version=1.0.0\nDEFAULT action=ALLOW\nop=EXECUT action=DENY\n'
  const fs = { filesystems: { root: { type: 'tmpfs' as const } } }
  const with_options = (options: OverlayOptions): SetupForm => ({
    filesystems: {
      root: { type: 'tmpfs' },
      low: { type: 'tmpfs' },
      rw: { type: 'tmpfs', tree: { u: { dir: {} }, w: { dir: {} } } },
    },
    mounts: [
      { at: '/', filesystem: 'root' },
      { at: '/m', overlay: { lower: ['low'], upper: 'rw:/u', work: 'rw:/w', options } },
    ],
  })

  test.each<[string, SetupForm, string]>([
    [
      'a release',
      { profile: '6.20' },
      'setup.profile: there is no kernel profile "6.20"; expected one of 6.11, 6.12, 6.14, 6.18, 6.19, 7.2, 7.3',
    ],
    [
      'a feature',
      { profile: '6.18+o_deny_writ' },
      'setup.profile: there is no feature "o_deny_writ"; did you mean o_deny_write?',
    ],
    [
      'a file system',
      { ...fs, mounts: [{ at: '/', filesystem: 'rot' }] },
      'setup.mounts[0].filesystem: there is no file system "rot"; did you mean root?',
    ],
    [
      'the first mount',
      { ...fs, mounts: [{ at: '/m', filesystem: 'root' }] },
      'setup.mounts[0].at: the first mount is at /, not /m',
    ],
    ...['/./m', '/m/..', '/m\0'].map((at): [string, SetupForm, string] => [
      `the mount point ${JSON.stringify(at)}`,
      {
        ...fs,
        mounts: [
          { at: '/', filesystem: 'root' },
          { at, bind: '/' },
        ],
      },
      `setup.mounts[1].at: expected a path without ., .. and NUL, not ${JSON.stringify(at)}`,
    ]),
    ...[
      ['/f', '/d'],
      ['/d', '/f'],
    ].map(([at, bind]): [string, SetupForm, string] => [
      `${bind} on ${at}, of which one is a directory`,
      {
        filesystems: { root: { type: 'tmpfs', tree: { f: '', d: { dir: {} } } } },
        mounts: [
          { at: '/', filesystem: 'root' },
          { at: at!, bind: bind! },
        ],
      },
      `setup.mounts[1].at: ${at} and what is mounted there must both be directories, or both not`,
    ]),
    [
      'a bind',
      {
        ...fs,
        mounts: [
          { at: '/', filesystem: 'root' },
          { at: '/b', bind: '/nothing' },
        ],
      },
      'setup.mounts[1].bind: there is no /nothing (symbolic links are not followed here)',
    ],
    [
      'an overlay that the kernel refuses',
      {
        ...fs,
        mounts: [
          { at: '/', filesystem: 'root' },
          { at: '/m', overlay: { lower: ['root'] } },
        ],
      },
      'setup.mounts[1].overlay: EINVAL: without upperdir there must be two lowerdirs at least',
    ],
    [
      'a name twice',
      { filesystems: { r: { type: 'tmpfs', tree: { a: '', '/a': '' } } } },
      'setup.filesystems.r.tree["/a"]: the name is there already',
    ],
    [
      'a file as a directory',
      { filesystems: { r: { type: 'tmpfs', tree: { a: '', 'a/b': '' } } } },
      'setup.filesystems.r.tree["a/b"]: a is not a directory',
    ],
    [
      'a dot',
      { filesystems: { r: { type: 'tmpfs', tree: { '../x': '' } } } },
      'setup.filesystems.r.tree["../x"]: expected a path without ., .. and NUL, not "../x"',
    ],
    [
      'a NUL in a name',
      { filesystems: { r: { type: 'tmpfs', tree: { 'a\0b': '' } } } },
      'setup.filesystems.r.tree["a\\u0000b"]: expected a path without',
    ],
    [
      'a mount point that leads up',
      {
        filesystems: { r: { type: 'tmpfs' } },
        mounts: [
          { at: '/', filesystem: 'r' },
          { at: '/../x', filesystem: 'r' },
        ],
      },
      'setup.mounts[1].at: expected a path without ., .. and NUL, not "/../x"',
    ],
    [
      'a layer that leads up',
      { filesystems: { r: { type: 'tmpfs' } }, mounts: [{ at: '/', filesystem: 'r', root: '/..' }] },
      'setup.mounts[0].filesystem: expected a path without ., .. and NUL, not "/.."',
    ],
    [
      'a hard link',
      { filesystems: { r: { type: 'tmpfs', tree: { a: { link: 'b' } } } } },
      'setup.filesystems.r.tree["a"]: there is no file b in the tree before this',
    ],
    [
      'base64',
      { filesystems: { r: { type: 'tmpfs', tree: { a: { file: { base64: '?' } } } } } },
      'setup.filesystems.r.tree["a"].file: expected base64',
    ],
    ['a policy', { lsm: { ipe: { policy } } }, 'setup.lsm.ipe.policy: line 3, column 1: EBADMSG'],
    [
      'a rule',
      { lsm: { rules: [{ name: 'r', rules: [{ hook: 'file_opened', answer: 'EACCES' }] }] } },
      'setup.lsm.rules[0].rules[0].hook: "file_opened" is no hook',
    ],
    [
      'code',
      { lsm: { modules: [{ code: 'mine', source: '00' }] } },
      'setup.lsm.modules[0]: the module "mine" is code, which a scenario that is data does not carry',
    ],
    [
      'an option of an overlay that is not modelled',
      with_options({ metacopy: 'on' }),
      'setup.mounts[1].overlay: EOPNOTSUPP: metacopy=on is not modelled yet: a copy-up always copies the data',
    ],
    [
      'options that exclude each other',
      with_options({ metacopy: 'on', redirect_dir: 'follow' }),
      'setup.mounts[1].overlay: EINVAL: conflicting options: metacopy=on,redirect_dir=follow',
    ],
    [
      'a feature with a dash in its name',
      { profile: '6.18+-o-deny_write' },
      'setup.profile: there is no feature "o-deny_write"; did you mean o_deny_write?',
    ],
    [
      'a module of the name of one of the kernel',
      { lsm: { rules: [{ name: 'ipe', rules: [] }] } },
      'setup.lsm: ipe is a module of the kernel; a module of your own needs another name',
    ],
    [
      'two modules of one name',
      {
        lsm: {
          rules: [
            { name: 'r', rules: [] },
            { name: 's', rules: [] },
            { name: 'r', rules: [] },
          ],
        },
      },
      'setup.lsm: two modules are named "r"',
    ],
    [
      'a name that an overlay must have from a layer',
      {
        filesystems: { root: { type: 'tmpfs', tree: { l: { dir: {} }, k: { dir: {} } } } },
        mounts: [
          { at: '/', filesystem: 'root' },
          { at: '/m', overlay: { lower: ['root:/l', 'root:/k'] } },
          { at: '/m/x', bind: '/l' },
        ],
      },
      'setup.mounts[2].at: there is no /m/x, and the overlay above it must have it from a layer',
    ],
    [
      'a directory of a file system',
      { ...fs, mounts: [{ at: '/', filesystem: 'root', root: '/x' }] },
      'setup.mounts[0].filesystem: there is no /x in the file system root',
    ],
    [
      'an order that names one twice',
      { lsm: { ipe: {}, order: ['ipe', 'ipe'] } },
      'setup.lsm.order: ipe is named twice',
    ],
    ['an order', { lsm: { ipe: {}, order: ['ima'] } }, 'setup.lsm.order: there is no module "ima"'],
    [
      'an order that forgets',
      { lsm: { ipe: {}, order: [] } },
      'setup.lsm.order: ipe is missing; the order names every module',
    ],
  ])('%s', (_, setup, expected) => {
    expect(message_of(() => boot(setup))).toContain(expected)
  })

  test.each<[string, Partial<TaskForm>, string]>([
    [
      'a capability',
      { capabilities: ['CAP_DAC_OVERIDE'] as never },
      'tasks[0].capabilities: there is no capability "CAP_DAC_OVERIDE"; did you mean CAP_DAC_OVERRIDE?',
    ],
    [
      'a securebit',
      { securebits: 'SECBIT_NOROT' },
      'tasks[0].securebits: there is no securebit "SECBIT_NOROT"; did you mean SECBIT_NOROOT?',
    ],
    ['a directory', { cwd: '/nowhere' }, 'tasks[0].cwd: there is no /nowhere'],
  ])('%s', (_, task, expected) => {
    expect(message_of(() => boot({}, task))).toContain(expected)
  })

  test('two tasks of one name', () => {
    const tasks = [
      { name: 't', program: [] },
      { name: 't', program: [] },
    ]
    expect(message_of(() => case_system({ form: { tasks }, code: no_code }, 'cases[3]'))).toBe(
      'cases[3].tasks[1].name: two tasks are named "t"',
    )
  })
})

describe('code in scenarios', () => {
  const module = define_module({ name: 'nobody-opens', hooks: { file_open: () => 'EACCES' } })
  const scenario = one_case((s) => {
    s.module(module)
    s.property({ name: 'none', violated: () => false })
    s.task('t').open('/', 'O_RDONLY').as('fd')
  })

  test('runs', () => {
    expect(run(scenario.cases[0]!).ret('t', 'fd')).toBe(-13)
  })

  test('is named in the form by name and source, and refused where only data can go', () => {
    const [form] = scenario.form.cases
    expect(form!.setup!.lsm!.modules).toEqual([
      { code: 'nobody-opens', source: expect.stringMatching(/^[0-9a-f]{16}$/) },
    ])
    expect(form!.properties).toEqual([{ code: 'none', source: expect.stringMatching(/^[0-9a-f]{16}$/) }])
    expect(message_of(() => case_system(scenario_from_form(scenario.form).cases[0]!))).toBe(
      'properties[0]: the property "none" is code, which a scenario that is data does not carry',
    )
  })

  test('another source is another hash', () => {
    const other = define_module({ name: 'nobody-opens', hooks: { file_open: () => 'EPERM' } })
    const hash = (m: typeof module) => {
      const { form } = case_of((s) => {
        s.module(m)
        s.task('t')
      })
      return form.setup!.lsm!.modules![0]!.source
    }
    expect(hash(other)).not.toBe(hash(module))
  })
})

test('a module of the kernel is there where a set-up names it', () => {
  const names = (lsm: NonNullable<SetupForm['lsm']>) => boot({ lsm }).config.modules.map(({ name }) => name)
  const always = names({})
  expect(always).toEqual(['capability'])
  expect(names({ ipe: {} })).toEqual([...always, 'ipe'])
})

test('modules are asked in the order that is given; capability comes first', () => {
  const rules = ['a', 'b', 'c'].map((name) => ({ name, rules: [] }))
  const asked = (order?: string[]) =>
    boot({ lsm: { rules, order } }).config.modules.map((module) => module.name)
  const first = asked().slice(0, -3)
  expect(asked()).toEqual([...first, 'a', 'b', 'c'])
  expect(asked(['c', 'a', 'b'])).toEqual([...first, 'c', 'a', 'b'])
})
