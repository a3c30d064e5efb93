import { describe, expect, test } from 'vitest'
import { security } from '../../src/kernel/security.js'
import { LsmModuleError } from '../../src/lsm/hooks.js'
import { check_rules, type Rule, rules_module } from '../../src/lsm/rules.js'
import { PROT_EXEC, PROT_READ } from '../../src/vfs/memory/mm.js'
import { World } from '../exec/world.js'

function world(...rules: Rule[]) {
  const w = new World({ modules: [rules_module('table', rules)] })
  w.task(2, 1000)
  const image = w.file_system('image', 'erofs', { s_bdev: w.device('sha256:ab', true) })
  w.mount('image', image)
  w.file('f', '', 0o755, image)
  w.file('f', '')
  w.file('v', '', 0o755, w.root, { verity_digest: 'sha256:0011', verity_signed: 1 })
  w.file('imagef', '')
  return w
}

const deny = (when: Rule['when']): Rule => ({ hook: 'bprm_creds_for_exec', when, answer: 'EPERM' })

describe('rules', () => {
  test('the first that matches decides; where none does, 0', () => {
    const w = world(
      { hook: 'bprm_creds_for_exec', when: { path: '/v' }, answer: 'ALLOW' },
      { hook: 'bprm_creds_for_exec', when: { path_prefix: '/' }, answer: 'EPERM' },
      { hook: 'bprm_creds_for_exec', answer: 'EACCES' },
    )
    expect([w.check('v'), w.check('f')]).toEqual([0, 'EPERM'])
    expect(w.open('f', 'O_RDONLY')).toBe(0)
    expect(w.heard('refused', () => w.check('f'))).toEqual(['table: rule 2, bprm_creds_for_exec'])
  })

  test.each([
    [{ path: '/f' }, ['f']],
    [{ path_prefix: '/image' }, ['image/f']],
    [{ path_prefix: '/image/' }, ['image/f']],
    [{ path_prefix: '/f' }, ['f']],
    [{ sb: 'image' }, ['image/f']],
    [{ fs_type: 'tmpfs' }, ['f', 'v', 'imagef']],
    [{ uid: 0 }, ['f', 'v', 'image/f', 'imagef']],
    [{ uid: 1000 }, []],
    [{ gid: 1000 }, []],
    [{ comm: 'task1', path: '/v' }, ['v']],
    [{ is_check: false }, []],
    [{ is_check: true, fs_type: 'erofs' }, ['image/f']],
    [{ dmverity_signature: true }, ['image/f']],
    [{ dmverity_signature: false }, ['f', 'v', 'imagef']],
    [{ fsverity_signature: true }, ['v']],
  ] as const)('%j refuses %j', (when, refused) => {
    const w = world(deny(when))
    const names = ['f', 'v', 'image/f', 'imagef']
    expect(names.filter((name) => w.check(name) !== 0)).toEqual(refused)
  })

  test('uid and gid are those in effect', () => {
    const w = world(deny({ uid: 1000 }), deny({ gid: 1000 }))
    expect(w.check('f', 0, 'AT_FDCWD', 2)).toBe('EPERM')
    expect(w.check('f')).toBe(0)
  })

  test('all bits of mask and prot are needed', () => {
    const w = world(
      { hook: 'inode_permission', when: { mask: 'MAY_READ|MAY_WRITE', fs_type: 'tmpfs' }, answer: 'EACCES' },
      { hook: 'mmap_file', when: { prot: 'PROT_READ | PROT_EXEC' }, answer: 'EACCES' },
      { hook: 'mmap_file', when: { prot: PROT_EXEC, fs_type: 'tmpfs' }, answer: 'EPERM' },
    )
    expect([w.open('f', 'O_RDONLY'), w.open('f', 'O_RDWR')]).toEqual([0, 'EACCES'])
    const mmap = (prot: number) => security(w.k, 'mmap_file', { file: 0, reqprot: prot, prot, flags: 0 })
    // Anonymous memory has no file system.
    expect([mmap(PROT_READ), mmap(PROT_EXEC), mmap(PROT_READ | PROT_EXEC)]).toEqual([0, 0, -13])
  })

  test('names', () => {
    const w = world(
      { hook: 'path_mknod', when: { name: 'x', sb: 'root' }, answer: 'EACCES' },
      { hook: 'path_unlink', when: { fs_type: 'tmpfs' }, answer: 'EPERM' },
    )
    expect([w.open('x', 'O_CREAT|O_WRONLY'), w.open('y', 'O_CREAT|O_WRONLY')]).toEqual(['EACCES', 0])
    expect(w.call(1, 'unlink', 'f')).toBe('EPERM')
  })
})

describe('mistakes', () => {
  test.each([
    [{}, 'rules: expected a list of rules'],
    [[1], 'rules[0]: expected { hook, when, answer }'],
    [[{ hook: 'nope', answer: 'ALLOW' }], 'rules[0].hook: "nope" is no hook; hooks are bprm_creds_for_exec,'],
    [
      [{ hook: 'file_open', answer: 'DENY' }],
      'rules[0].answer: expected ALLOW or the name of an errno, such as EACCES, not "DENY"',
    ],
    [[{ hook: 'file_open' }], 'rules[0].answer: expected ALLOW'],
    [[{ hook: 'file_open', answer: -13 }], 'rules[0].answer: expected ALLOW'],
    [
      [{ hook: 'file_open', answer: 'ALLOW', since: 1 }],
      'rules[0].since: unknown; a rule has hook, when and answer',
    ],
    [[{ hook: 'file_open', answer: 'ALLOW', when: [] }], 'rules[0].when: expected conditions'],
    [
      [{ hook: 'file_open', answer: 'ALLOW', when: { pth: '/' } }],
      'rules[0].when.pth: no such condition; there are path,',
    ],
    [
      [{ hook: 'file_open', answer: 'ALLOW', when: { path: 'x' } }],
      'rules[0].when.path: expected a path that begins with /, not "x"',
    ],
    [
      [{ hook: 'file_open', answer: 'ALLOW', when: { is_check: true } }],
      'rules[0].when.is_check: file_open is not told of it (only of file)',
    ],
    [
      [{ hook: 'file_open', answer: 'ALLOW', when: { uid: -1 } }],
      'rules[0].when.uid: expected a user id, not -1',
    ],
    [
      [{ hook: 'file_permission', answer: 'ALLOW', when: { mask: 'MAY_FLY' } }],
      'rules[0].when.mask: expected a number',
    ],
    [
      [{ hook: 'file_permission', answer: 'ALLOW', when: { mask: 'PROT_EXEC' } }],
      'rules[0].when.mask: expected a number',
    ],
    [
      [{ hook: 'inode_unlink', answer: 'ALLOW', when: { path: '/x' } }],
      'rules[0].when.path: inode_unlink is not told of it',
    ],
  ])('%j', (rules, message) => {
    expect(check_rules(rules)).toEqual([expect.stringContaining(message)])
    expect(() => rules_module('rules', rules as never)).toThrow(LsmModuleError)
  })

  test('every mistake is named, with its place', () => {
    const rules = [
      { hook: 'x', answer: 'y' },
      { hook: 'file_open', answer: 'z' },
    ]
    expect(check_rules(rules, 'lsm.rules').map((line) => line.split(': ')[0])).toEqual([
      'lsm.rules[0].hook',
      'lsm.rules[0].answer',
      'lsm.rules[1].answer',
    ])
  })

  test.each([
    [
      ['path', 'path_prefix'],
      ['/', '/f'],
      ['f', '', 1, null],
    ],
    [['comm', 'sb', 'fs_type'], ['x'], ['', 1, null, true]],
    [
      ['uid', 'gid'],
      [0, 1000],
      ['0', 0.5, -1, null, Number.NaN],
    ],
    [
      ['dmverity_signature', 'fsverity_signature'],
      [true, false],
      [0, 'true', null],
    ],
    [['mask'], [0, 4, 'MAY_EXEC'], ['', 'PROT_EXEC', true, null, -1, 0.5, ['MAY_EXEC']]],
  ])('what %j may be', (names, right, wrong) => {
    const said = (name: string, given: unknown) =>
      check_rules([
        {
          hook: name === 'mask' ? 'file_permission' : 'file_open',
          answer: 'ALLOW',
          when: { [name]: given },
        },
      ])
    for (const name of names) {
      for (const given of right) expect(said(name, given)).toEqual([])
      for (const given of wrong)
        expect(said(name, given)).toEqual([expect.stringMatching(`when.${name}: expected .*, not `)])
    }
  })
})
