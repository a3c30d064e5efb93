import { describe, expect, test } from 'vitest'
import { register_filesystem } from '../../../src/kernel/fs.js'
import type { Feature, Release } from '../../../src/kernel/profile.js'
import { security } from '../../../src/kernel/security.js'
import { capability } from '../../../src/lsm/capability.js'
import { type IpeOptions, IpePolicyError, ipe } from '../../../src/lsm/ipe/ipe.js'
import { dentry } from '../../../src/vfs/dentry.js'
import { file } from '../../../src/vfs/file.js'
import { PROT_EXEC, PROT_READ, PROT_WRITE, vm_area } from '../../../src/vfs/memory/mm.js'
import { task_struct } from '../../../src/vfs/tasks/task.js'
import { World } from '../../exec/world.js'

const ELF = '\x7fELF'
const HEADER = 'policy_name=test policy_version=1.0.0\nDEFAULT action=ALLOW\n'
const SIGNED_ONLY = `${HEADER}DEFAULT op=EXECUTE action=DENY\nop=EXECUTE dmverity_signature=TRUE action=ALLOW\n`
const REFUSED = 'ipe: DEFAULT op=EXECUTE action=DENY'

/** `/f` and `/s` in the root, `/signed/f` and `/signed/s` on a signed device, `/boot/f` on the initramfs. */
function world(
  policy: string | undefined,
  options: IpeOptions = {},
  release: Release = '6.19',
  features: readonly Feature[] = [],
) {
  const module = ipe({ policy, ...options })
  const w = new World({ release, features, modules: [capability, module] })
  const s_bdev = w.device('sha256:ab01', true)
  const signed = w.file_system('image', 'erofs', { s_bdev })
  const boot = w.file_system('rootfs', 'tmpfs', { s_initramfs: 1 })
  w.mount('signed', signed)
  w.mount('boot', boot)
  const inodes = {
    f: w.file('f', ELF),
    signed: w.file('f', ELF, 0o755, signed),
    boot: w.file('f', ELF, 0o755, boot),
    verity: w.file('v', ELF, 0o755, w.root, { verity_digest: 'sha256:0011', verity_signed: 1 }),
  }
  w.file('s', '#!/signed/f\n')
  w.file('to_unsigned', '#!/f\n', 0o755, signed)
  w.file('s', '#!/signed/f\n', 0o755, signed)
  return { w, module, inodes }
}

describe('the check', () => {
  test.each([
    ['6.14', 0],
    ['6.18', 0],
    ['6.19', 'EACCES'],
    ['7.2', 'EACCES'],
  ] as const)('on %s an unsigned file: %s', (release, answer) => {
    const { w } = world(SIGNED_ONLY, {}, release)
    expect(w.check('f')).toBe(answer)
    expect(w.check('signed/f')).toBe(0)
  })

  test('says why, and writes a record', () => {
    const { w, inodes } = world(SIGNED_ONLY)
    expect(w.heard('refused', () => w.check('/f'))).toEqual([REFUSED])
    expect(w.heard('audit', () => w.check('f'))).toEqual([
      'type=1420 ipe_op=EXECUTE ipe_hook=BPRM_CREDS_FOR_EXEC enforcing=1 pid=1 comm="task1" path="/f" dev="tmpfs" ' +
        `ino=${inodes.f} rule="DEFAULT op=EXECUTE action=DENY"`,
    ])
  })

  test('the record has s_id of the file system, and 15 bytes of the name of the task', () => {
    const { w } = world('policy_name=none policy_version=0.0.0\nDEFAULT action=DENY')
    task_struct(w.k, 1).comm = 'a name of seventeen'
    const record = (name: string) => w.heard('audit', () => w.check(name))[0]
    const comm = Buffer.from('a name of seven').toString('hex').toUpperCase()
    expect(record('boot/f')).toContain(` comm=${comm} path="/boot/f" dev="rootfs" `)
    expect(record('signed/f')).toMatch(/ path="\/signed\/f" dev="(?!image|erofs)[^"]+" /)
    expect(record('f')).toContain(' dev="tmpfs" ')
  })

  test('judges what lies below the file at that moment', () => {
    const { w, inodes } = world(
      `${HEADER}DEFAULT op=EXECUTE action=DENY\nop=EXECUTE fsverity_signature=TRUE action=ALLOW\n`,
    )
    expect(w.check('v')).toBe(0)
    expect(w.check('f')).toBe('EACCES')
    expect(inodes.verity).not.toBe(inodes.f)
  })
})

describe('a real exec', () => {
  test('is judged at every level, on every release', () => {
    for (const release of ['6.12', '6.18', '7.2'] as const) {
      const { w } = world(SIGNED_ONLY, {}, release)
      expect(w.exec('f')).toBe('EACCES')
      expect(w.exec('s')).toBe('EACCES')
      expect(w.exec('signed/to_unsigned')).toBe('EACCES')
      expect(w.exec('signed/s')).toBe(0)
    }
  })

  test('script, interpreter and mapping each get a record', () => {
    const { w } = world(SIGNED_ONLY, { success_audit: true })
    const hooks = w
      .heard('audit', () => w.exec('signed/s'))
      .map((text) => {
        const [, hook, path] = /ipe_hook=(\w+) .* path="([^"]*)"/.exec(text)!
        return `${hook} ${path}`
      })
    expect(hooks).toEqual(['BPRM_CHECK /signed/s', 'BPRM_CHECK /signed/f', 'MMAP /signed/f'])
  })
})

describe('mappings', () => {
  const mmap = (w: World, id: number, prot: number, reqprot = prot) =>
    security(w.k, 'mmap_file', { file: id, reqprot, prot, flags: 2 })
  const opened = (w: World, path: string) => {
    w.open(path, 'O_RDONLY')
    const id = file.rows(w.k).at(-1)!.id
    w.k.task = 1
    return id
  }

  test('are judged where they become executable, by the protection in effect', () => {
    const { w } = world(SIGNED_ONLY)
    const unsigned = opened(w, 'f')
    expect(mmap(w, unsigned, PROT_READ | PROT_WRITE)).toBe(0)
    expect(mmap(w, unsigned, PROT_READ | PROT_EXEC)).toBe(-13)
    expect(mmap(w, unsigned, PROT_READ | PROT_EXEC, PROT_READ)).toBe(-13)
    expect(mmap(w, unsigned, PROT_READ, PROT_READ | PROT_EXEC)).toBe(0)
    expect(mmap(w, opened(w, 'signed/f'), PROT_EXEC)).toBe(0)
  })

  test('anonymous memory is judged without a file: no property is TRUE of it', () => {
    const { w } = world(SIGNED_ONLY)
    w.k.task = 1
    expect(mmap(w, 0, PROT_EXEC)).toBe(-13)
    expect(w.heard('audit', () => mmap(w, 0, PROT_EXEC))).toEqual([
      'type=1420 ipe_op=EXECUTE ipe_hook=MMAP enforcing=1 pid=1 comm="task1" path=? dev=? ino=? ' +
        'rule="DEFAULT op=EXECUTE action=DENY"',
    ])
    const lenient = world(
      `${HEADER}DEFAULT op=EXECUTE action=DENY\nop=EXECUTE dmverity_signature=FALSE action=ALLOW\n`,
    )
    lenient.w.k.task = 1
    expect(mmap(lenient.w, 0, PROT_EXEC)).toBe(0)
  })

  test('mprotect is judged only where it makes a mapping executable', () => {
    const { w } = world(SIGNED_ONLY)
    const vm_file = opened(w, 'f')
    const vma = (vm_prot: number, vm_start: number) => vm_area.create(w.k, { vm_start, vm_prot, vm_file }).id
    const mprotect = (id: number, prot: number) =>
      security(w.k, 'file_mprotect', { vma: id, reqprot: prot, prot })
    expect(mprotect(vma(PROT_READ, 0), PROT_READ | PROT_EXEC)).toBe(-13)
    expect(mprotect(vma(PROT_READ, 4096), PROT_READ | PROT_WRITE)).toBe(0)
    expect(mprotect(vma(PROT_READ | PROT_EXEC, 8192), PROT_EXEC)).toBe(0)
    expect(w.heard('audit', () => mprotect(vma(PROT_READ, 12288), PROT_EXEC))[0]).toContain(
      'ipe_hook=MPROTECT',
    )
  })
})

describe('modes', () => {
  test('permissive: the record is written, the answer is 0', () => {
    const { w } = world(SIGNED_ONLY, { enforce: false })
    const records = w.heard('audit', () => expect(w.check('f')).toBe(0))
    expect(records).toEqual([expect.stringContaining('enforcing=0')])
  })

  test('allowed accesses are audited only on demand', () => {
    const quiet = world(SIGNED_ONLY)
    expect(quiet.w.heard('audit', () => quiet.w.check('signed/f'))).toEqual([])
    const { w } = world(SIGNED_ONLY, { success_audit: true })
    expect(w.heard('audit', () => w.check('signed/f'))[0]).toContain(
      'rule="op=EXECUTE dmverity_signature=TRUE action=ALLOW"',
    )
  })

  test('no policy allows everything', () => {
    const { w, module, inodes } = world(undefined)
    expect(w.heard('audit', () => expect(w.exec('f')).toBe(0))).toEqual([])
    expect(module.approves?.(w.k, inodes.f)).toBe(true)
  })

  test('a policy that the kernel refuses', () => {
    expect(() => ipe({ policy: `${HEADER}op=EXECUTE action=MAYBE` })).toThrow(IpePolicyError)
    try {
      ipe({ policy: `${HEADER}op=EXECUTE action=MAYBE` })
    } catch (error) {
      expect((error as IpePolicyError).error).toMatchObject({ errno: 'EBADMSG', line: 3 })
      expect((error as Error).message).toMatch(/^line 3, column \d+: EBADMSG: /)
    }
  })
})

test.each([
  ['boot_verified=TRUE', 'boot/f', 'f'],
  ['boot_verified=FALSE', 'f', 'boot/f'],
  ['dmverity_signature=FALSE', 'f', 'signed/f'],
  ['dmverity_roothash=sha256:AB01', 'signed/f', 'f'],
  ['fsverity_digest=sha256:0011', 'v', 'f'],
  ['fsverity_signature=FALSE', 'f', 'v'],
])('%s is true of %s and not of %s', (property, yes, no) => {
  const { w } = world(`${HEADER}DEFAULT op=EXECUTE action=DENY\nop=EXECUTE ${property} action=ALLOW\n`)
  expect([w.check(yes), w.check(no)]).toEqual([0, 'EACCES'])
})

test('approves: what the policy says of an object, whoever asks, also in permissive mode', () => {
  for (const enforce of [true, false]) {
    const { w, module, inodes } = world(SIGNED_ONLY, { enforce })
    const approved = [inodes.f, inodes.signed, inodes.boot, inodes.verity].map((ino) =>
      module.approves!(w.k, ino),
    )
    expect(approved).toEqual([false, true, false, false])
  }
})

test('what is between a name and its bytes is asked of the file system: data, or as a proposal metadata', () => {
  for (const [features, answer] of [
    [[], 'EACCES'],
    [['ipe_backing_metadata'], 0],
  ] as const) {
    const { w, inodes } = world(SIGNED_ONLY, {}, '7.2', features)
    const stacked = w.file_system('stack', 'stacked for a test')
    stacked_on.set('data', inodes.f).set('metadata', inodes.signed)
    w.mount('stacked', stacked)
    w.file('x', '', 0o755, stacked)
    expect(w.check('stacked/x')).toBe(answer)
    expect(dentry(w.k, stacked).d_sb).toBeGreaterThan(0)
  }
})

const stacked_on = new Map<string, number>()
register_filesystem({
  name: 'stacked for a test',
  lookup: (k, parent, name) => dentry.find(k, parent, name)?.id ?? 0,
  d_real: (_, __, type) => stacked_on.get(type)!,
})
