/** No name has power: what a user may call something decides nothing. */
import { describe, expect, test } from 'vitest'
import { make_scenario, scenario_from_form } from '../../src/scenario/builder.js'
import { case_system } from '../../src/scenario/case_system.js'
import { validate_scenario } from '../../src/scenario/form_schema.js'
import { explore_case } from '../../src/verdict/explore_case.js'
import unicode from '../cases/scenarios/unicode-names.js'
import { case_of, message_of, run } from './support.js'

const BOOT_VERIFIED = `policy_name=p policy_version=0.0.0
DEFAULT action=DENY
op=EXECUTE boot_verified=TRUE action=ALLOW
`
const SIGNED = `policy_name=p policy_version=0.0.0
DEFAULT action=DENY
op=EXECUTE dmverity_signature=TRUE action=ALLOW
`

describe('a file system', () => {
  test.each(['shm', 'stdio', 'overlay', 'root', 'proc', 'dev'])(
    'that is called %s vouches for its own files only',
    (name) => {
      const { ret } = run(
        case_of((s) => {
          s.mount('/', s.filesystem('plain', { type: 'tmpfs' }))
          s.mount(
            '/image',
            s.filesystem(name, { type: 'ext4', dmverity: { signed: true }, tree: { f: 'good' } }),
          )
          s.ipe(SIGNED)
          const t = s.victim('v')
          t.mmap(0, 4096, 'PROT_READ|PROT_WRITE', 'MAP_SHARED|MAP_ANONYMOUS', -1, 0).as('memory')
          t.mprotect(0x7000_0000_0000, 4096, 'PROT_READ').may_fail()
          t.mmap(0, 4096, 'PROT_READ|PROT_EXEC', 'MAP_SHARED|MAP_ANONYMOUS', -1, 0).as('anonymous').may_fail()
          const own = t.mmap(0, 4096, 'PROT_READ', 'MAP_SHARED|MAP_ANONYMOUS', -1, 0)
          t.mprotect(own, 4096, 'PROT_READ|PROT_EXEC').as('made').may_fail()
          const image = t.open('/image/f', 'O_RDONLY')
          t.mmap(0, 4096, 'PROT_READ|PROT_EXEC', 'MAP_PRIVATE', image, 0).as('image').may_fail()
        }),
      )
      expect(ret('v', 'memory')).toBeGreaterThan(0)
      expect(ret('v', 'anonymous')).toBe(-13)
      expect(ret('v', 'made')).toBe(-13)
      expect(ret('v', 'image')).toBeGreaterThan(0)
    },
  )

  test.each(['a:b', 'a/b', '..', '.', ''])('cannot be called %j: names of layers are paths', (name) => {
    const of = () => case_of((s) => void s.filesystem(name, { type: 'tmpfs' }))
    expect(message_of(of)).toMatch(/expected a name/)
    expect(message_of(of)).toContain(`, not ${JSON.stringify(name)}`)
  })
})

describe('boot_verified', () => {
  const used = (initramfs: boolean) =>
    case_of((s) => {
      s.mount(
        '/',
        s.filesystem('root', { type: 'tmpfs', initramfs, tree: { f: { file: 'good', mode: 0o755 } } }),
      )
      s.ipe(BOOT_VERIFIED)
      const t = s.victim('v')
      const fd = t.open('/f', 'O_RDONLY')
      t.execveat(fd, '', null, null, 'AT_EMPTY_PATH|AT_EXECVE_CHECK').as('check').may_fail()
      t.use(t.read(fd, 100))
      s.property('policy')
    })

  test('is asked by the property policy as by the hook', () => {
    for (const initramfs of [true, false]) {
      const { k, ret, system } = run(used(initramfs))
      expect(ret('v', 'check')).toBe(initramfs ? 0 : -13)
      expect(system.violations(k)).toEqual(initramfs ? [] : ['policy'])
    }
  })
})

describe('__proto__, constructor, toString', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']

  test('are names of files, at every depth', () => {
    const tree = JSON.parse(
      `{${names.map((name) => `"${name}": {"dir": {"${name}": "in ${name}"}}`).join()}}`,
    )
    const of = case_of((s) => {
      s.mount('/', s.filesystem('root', { type: 'tmpfs', tree }))
      const t = s.task('t')
      for (const name of names) t.read(t.open(`/${name}/${name}`, 'O_RDONLY'), 100).as(`of_${name}`)
    })
    const loaded = scenario_from_form(
      JSON.parse(JSON.stringify({ toctoscope: 1, name: 'a', summary: 'b', cases: [of.form] })),
    )
    for (const each of [of, loaded.cases[0]!]) {
      const { data } = run(each)
      for (const name of names) expect(data('t', `of_${name}`)).toBe(`in ${name}`)
    }
  })

  test('are names of file systems, tasks, results, parameters', () => {
    for (const name of names) {
      const of = make_scenario({
        name,
        summary: name,
        params: JSON.parse(`{"${name}": ["x"]}`),
        build(s, params: any) {
          s.mount('/', s.filesystem(name, { type: 'tmpfs', tree: { f: '' } }))
          const t = s.victim(name)
          const fd = t.open('/f', 'O_RDONLY').as(name)
          t.close(fd)
          s.never({ [`${name}.${name}`]: params[name] === 'x' ? 'ok' : 'failed' })
        },
      }).cases[0]!
      expect(explore_case(of)).toMatchObject({ case: `${name}=x`, verdict: 'hole' })
    }
  })

  test('are no fields, and what is wrong below them is told', () => {
    const wrong = (tree: string, more = '') =>
      message_of(() =>
        validate_scenario(
          JSON.parse(`{"toctoscope": 1, "name": "a", "summary": "b", ${more} "cases": [{"tasks": [{"name": "t", "program": []}],
            "setup": {"filesystems": {"r": {"type": "tmpfs", "tree": ${tree}}}}}]}`),
        ),
      )
    expect(wrong('{}', '"__proto__": 1,')).toMatch(/^has no field "__proto__"/)
    expect(wrong('{"__proto__": {"dir": {"f": {"file": "", "mod": 0}}}}')).toBe(
      'cases[0].setup.filesystems.r.tree.__proto__.dir.f: has no field "mod"; did you mean mode?',
    )
  })
})

test('names for people are any text, in TypeScript as in JSON', () => {
  const loaded = scenario_from_form(JSON.parse(JSON.stringify(unicode)))
  expect(loaded.form).toEqual(unicode.form)
  expect(unicode.cases[0]!.form.tasks[1]!.name).toBe('at;tacker: #2 \u202e <i>')
  const { ret } = run(loaded.cases[0]!)
  expect(ret('end', 'fd')).toBe(3)
})

test('a task may have dots in its name', () => {
  const of = case_of((s) => {
    s.mount('/', s.filesystem('root', { type: 'tmpfs', tree: { f: '' } }))
    s.victim('a.b').open('/f', 'O_RDONLY').as('fd')
    s.never({ 'a.b.fd': 'ok' })
  })
  expect(case_system(of).properties.names).toContain('never a.b.fd=ok')
  expect(explore_case(of).verdict).toBe('hole')
})
