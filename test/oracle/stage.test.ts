import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import '../../src/model.js'
import { Agent } from '../../src/oracle/agent/agent.js'
import { encode_task } from '../../src/oracle/agent/encode.js'
import type { Play, PlayCall } from '../../src/oracle/agent/play.js'
import { SetupRefused } from '../../src/oracle/agent/play.js'
import { check_call, check_case, check_setup, HostRefused } from '../../src/oracle/agent/stage.js'
import type { CaseForm, NodeForm, OpForm, SetupForm } from '../../src/scenario/form.js'
import { no_kernel } from './support.js'

const tree_of = (node: NodeForm, name = 'x'): SetupForm => ({
  filesystems: { root: { type: 'tmpfs', tree: { d: { dir: { [name]: node } } } } },
  mounts: [{ at: '/', filesystem: 'root' }],
})

describe('set-ups', () => {
  const device = (type: 'char' | 'block' | 'fifo', rdev?: number): SetupForm =>
    tree_of({ device: type, ...(rdev === undefined ? {} : { rdev }) })

  it('may have whiteouts, null, zero, full and fifos', () => {
    for (const rdev of [undefined, 0, 0x103, 0x105, 0x107]) check_setup(device('char', rdev))
    check_setup(device('fifo', 0x801))
    check_setup(tree_of({ whiteout: true }))
  })

  it('may have no other device', () => {
    for (const rdev of [0x101, 0x108, 0x109, 0x501, 2 ** 32 + 0x103, 0x100103])
      expect(() => check_setup(device('char', rdev)), String(rdev)).toThrow(HostRefused)
    expect(() => check_setup(device('char', 0x109))).toThrow(
      /^setup\.filesystems\.root\.tree\["d"\]\.dir\["x"\]\.rdev: the device 1:9: on a kernel only whiteouts/,
    )
    for (const rdev of [undefined, 0, 0x103, 0x801])
      expect(() => check_setup(device('block', rdev))).toThrow(/the block device/)
    // A type that stands among the permission bits makes another of it.
    expect(() => check_setup(tree_of({ device: 'char', mode: 0o40644 }))).toThrow(/permission bits/)
  })

  it('name no place by .., . or a NUL', () => {
    for (const name of ['..', '.', 'a/../../b', 'a\0b', '/../..'])
      expect(() => check_setup(tree_of('x', name)), name).toThrow(/without \., \.\. and NUL/)
    expect(() => check_setup(tree_of({ link: '../../f' }))).toThrow(/\.link: expected a path/)
    const { filesystems } = tree_of('x')
    const root = { at: '/', filesystem: 'root' } as const
    const wrong: SetupForm['mounts'] = [
      { at: '/../../x', filesystem: 'root' },
      { at: '/a/..', filesystem: 'root' },
      { at: '/a', bind: '/../etc' },
      { at: '/a', filesystem: 'root', root: '/../..' },
      { at: '/a', filesystem: '../root' },
      { at: '/a', overlay: { lower: ['root:/../..'] } },
      { at: '/a', overlay: { lower: ['root'], upper: 'root:/d/../..', work: 'root:/d' } },
      { at: '/a', overlay: { lower: ['root'], upper: 'root:/d', work: 'root\nfs y:/d' } },
      { at: '/a', overlay: { lower: ['/..', 'root'] } },
      { at: '/a', overlay: { lower: ['root'], upper: '/d/../../u', work: '/d' } },
      { at: '/a', overlay: { lower: ['root'], upper: '/d', work: '/d\0' } },
      { at: '/a', filesystem: '/d' },
    ]
    for (const each of wrong)
      expect(() => check_setup({ filesystems, mounts: [root, each] }), JSON.stringify(each)).toThrow(
        /expected a path|name of a file system/,
      )
    expect(() => check_setup({ filesystems: { 'a\nb': { type: 'tmpfs' } } })).toThrow(/is no name/)
  })
})

describe('calls', () => {
  const refused = (call: string, ...args: PlayCall['args'] & object) =>
    expect(() => check_call({ call, args }, 'here'), JSON.stringify(args))

  it('may make no other device, however it is written', () => {
    refused('mknod', '/x', 'S_IFBLK|0600', 0x801).toThrow(/^here\.args: the block device 8:1: /)
    refused('mknod', '/x', 'S_IFCHR|0600', 0x109).toThrow(/the device 1:9/)
    refused('mknod', '/x', 0o20600, '0x109').toThrow(HostRefused)
    refused('mknod', '/x', 0x10000 + 0o60600, 0).toThrow(HostRefused)
    refused('mknodat', 'AT_FDCWD', '/x', '0o60000', 0).toThrow(HostRefused)
    refused('mknodat', 3, '/x', 0o20000, 2 ** 32 + 0x109).toThrow(HostRefused)
    // The kernel takes 32 bits of a device's number, and so do we: this is null.
    refused('mknodat', 3, '/x', 0o20000, 2 ** 32 + 0x103).not.toThrow()
    refused('mknod', '/x', 'S_IFCHR|0600', 0x103).not.toThrow()
    refused('mknodat', { $: 'fd' }, '/x', 'S_IFIFO|0600').not.toThrow()
    refused('mknod', '/x', 'S_IFCHR|0600').not.toThrow()
  })

  it('are found wherever a program has them', () => {
    const call = { call: 'mknod', args: ['/x', 'S_IFBLK|0600', 0x801] }
    const test = { result: 'x', ok: true } as const
    // biome-ignore lint/suspicious/noThenProperty: it is the form's word
    const branch = (yes: OpForm[], no: OpForm[]): OpForm[] => [{ if: test, then: yes, else: no }]
    const programs: OpForm[][] = [
      [call],
      branch([], [call]),
      branch([call], []),
      [{ repeat: 2, body: [{ repeat: 1, body: [call] }] }],
      [{ call: 'fork', child: [call] }],
    ]
    for (const program of programs) {
      const form: CaseForm = { tasks: [{ name: 'a', program }] }
      expect(() => check_case(form), JSON.stringify(program)).toThrow(/tasks\[0\]\.program\[0\].*8:1/)
    }
  })
})

describe.skipIf(no_kernel !== undefined)('the agent itself', () => {
  let agent: Agent
  beforeAll(async () => {
    agent = await Agent.start()
  })
  afterAll(() => agent.close())

  const root = ['fs root', 'at "/ 0 fs "root']
  const request = (...lines: string[]) => agent.request([...lines, 'end', ''].join('\n'))

  it('builds nothing that leads out', async () => {
    const wrong = [
      'node "root/x 24960 0 0 2049',
      'node "root/x 8576 0 0 265',
      'node "root/x 25060 0 0 0',
      'file "root/../../x 33188 0 0 "evil',
      'dir "root/.. 16877 0 0',
      'at "/../../x 0 fs "root',
      'at "/link/x 0 fs "root',
      'at "/link 0 fs "root',
      'at "/y 0 bind "/../../..',
      'at "/y 0 bind "/link',
      'at "/y 0 fs "root/link',
      'at "/y 0 overlay - - "root/../../.. "root',
      'at "/y 0 overlay - - "root/link "root',
      'at "/y 0 overlay - - "/../../.. "root',
      'at "/y 0 overlay - - "/link "root',
      'at "/y 0 overlay "/link "/link "root',
      'file "root/link/x 33188 0 0 "evil',
      'fs ../../x',
    ]
    for (const line of wrong)
      await expect(
        request('fs root', 'sym "root/link 41471 0 0 "/../..', root[1]!, line),
        line,
      ).rejects.toThrow(SetupRefused)
    expect(await request(...root, encode_task(1, { name: 'a' }), 'call 1 access "/x 0')).toEqual([
      { errno: 'ENOENT' },
    ])
  })

  it('makes no device whose number is known only then', async () => {
    const calls: PlayCall[] = [
      { task: 1, call: 'stat', args: ['/'], as: 'st' },
      { task: 1, call: 'umask', args: [0o60000], as: 'old' },
      { task: 1, call: 'lseek', args: [3, 0, 0], as: 'none' },
      { task: 1, call: 'mknod', args: ['/d', 'S_IFCHR|0600', { $: 'st.st_mode' }] },
    ]
    const play: Play = { setup: {}, tasks: [{ name: 'a' }], calls }
    await expect(agent.play(play)).rejects.toThrow(/^refused: mknod of a device/)
    const null_device = [
      ...root,
      encode_task(1, { name: 'a' }),
      'call 1 mknod "/n 8576 259',
      'call 1 open "/n 2 0',
    ]
    expect(await request(...null_device)).toEqual([{ ret: 0 }, { ret: 3 }])
  })

  it.skipIf(process.getuid?.() !== 0)('gives tasks a null device of their own', async () => {
    const before = statSync('/dev/null').mode
    const answers = await request(
      ...root,
      encode_task(1, { name: 'a' }),
      'call 1 fchmod 0 384',
      'call 1 fchown 1 7 7',
    )
    expect(answers).toEqual([{ ret: 0 }, { ret: 0 }])
    expect(statSync('/dev/null').mode).toBe(before)
    const [fresh] = await request(...root, encode_task(1, { name: 'a' }), 'call 1 fstat 0')
    expect(fresh!.fields).toMatchObject({ st_mode: 0o20666, st_uid: 0, st_rdev: 0x103 })
  })

  describe.skipIf(process.arch !== 'x64' || process.getuid?.() !== 0)('and what a task becomes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'toctoscope-stage-'))
    afterAll(() => rmSync(folder, { recursive: true }))

    /** What a program gets for calls, each a number and its arguments in C; it writes the results into /out. */
    async function answers_to(...calls: string[]): Promise<number[]> {
      const source = join(folder, 'program.c')
      const binary = join(folder, 'program')
      writeFileSync(
        source,
        `static long call(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	__asm__ volatile("syscall" : "+a"(n) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return n;
}
void _start(void)
{
	long results[] = { ${calls.map((each) => `call(${each})`).join(', ')} };
	long fd = call(257, -100, (long)"/out", 0102, 0600, 0, 0);
	call(1, fd, (long)results, sizeof results, 0, 0, 0);
	for (;;)
		call(34, 0, 0, 0, 0, 0, 0);
}
`,
      )
      const cc = spawnSync('cc', [
        '-Os',
        '-static',
        '-nostdlib',
        '-fno-stack-protector',
        '-o',
        binary,
        source,
      ])
      expect(cc.stderr.toString()).toBe('')
      spawnSync('strip', [binary])
      const base64 = readFileSync(binary).toString('base64')
      const play: Play = {
        setup: {
          filesystems: { root: { type: 'tmpfs', tree: { p: { file: { base64 }, mode: 0o755 } } } },
          mounts: [{ at: '/', filesystem: 'root' }],
        },
        tasks: [{ name: 'a' }, { name: 'b' }],
        calls: [
          { task: 1, call: 'execve', args: ['/p', ['p'], null] },
          { task: 2, call: 'open', args: ['/out', 0], as: 'fd' },
          { task: 2, call: 'read', args: [{ $: 'fd' }, 4096] },
        ],
      }
      const [exec, , read] = await agent.play(play)
      expect(exec).toEqual({ exec: true })
      const bytes = Buffer.from(read!.data ?? '', 'latin1')
      return calls.map((_, i) => Number(bytes.readBigInt64LE(8 * i)))
    }

    it('can make no call that the model has not, and no device', async () => {
      const mount = '165, (long)"proc", (long)"/", (long)"proc", 0, 0, 0'
      const fork = '57, 0, 0, 0, 0, 0, 0'
      const clone = '56, 17, 0, 0, 0, 0, 0'
      const socket = '41, 1, 1, 0, 0, 0, 0'
      const disk = '259, -100, (long)"/disk", 060600, 0x801, 0, 0'
      const random = '133, (long)"/random", 020600, 0x109, 0, 0, 0'
      const kernel_log = '259, -100, (long)"/kmsg", 020600, 0x10b, 0, 0'
      const fine = '259, -100, (long)"/null", 020600, 0x103, 0, 0'
      const kill = '62, 1, 9, 0, 0, 0, 0'
      const reboot = '169, 0xfee1dead, 672274793, 0x89abcdef, 0, 0, 0'
      const leave = '161, (long)"/", 0, 0, 0, 0, 0'
      const answers = await answers_to(
        ...[mount, fork, clone, socket, disk, random, kernel_log, kill, reboot, leave, fine],
      )
      expect(answers).toEqual([...Array(10).fill(-1), 0])
    })
  })

  it('stays apart from the host', () => {
    expect(existsSync('/s')).toBe(false)
    expect(existsSync('/toct-outside')).toBe(false)
  })
})
