import { describe, expect, it } from 'vitest'
import { replay, run_in_order } from '../../src/explore/replay.ts'
import { type CaseBuilder, counterexample_trace, explore_case, scenario } from '../../src/index.ts'
import { FastStore } from '../../src/kernel/fast_store.ts'
import { case_system } from '../../src/scenario/case_system.ts'
import { execution_of, trace_execution } from '../../src/trace/record/execution.ts'
import { explain } from '../../src/trace/render/explain.ts'
import { to_mermaid } from '../../src/trace/render/mermaid.ts'
import { to_text } from '../../src/trace/render/text.ts'
import type { Trace } from '../../src/trace/trace.ts'

const CHECK = 'AT_EMPTY_PATH|AT_EXECVE_CHECK'
const make = (build: (s: CaseBuilder) => void) => scenario({ name: 'mine', summary: 'mine', build })

function script(s: CaseBuilder): void {
  s.mount('/', s.filesystem('root', { type: 'ext4', tree: { script: { file: 'good', mode: 0o755 } } }))
}

/** The trace of the shortest counterexample, or of a run in order. */
function trace_of(build: (s: CaseBuilder) => void, in_order = false): Trace {
  const made = make(build)
  if (in_order) {
    const k = case_system(made.cases[0]!).boot(new FastStore())
    return trace_execution(execution_of({ removed: [], schedule: run_in_order(k) }, made, 0))
  }
  return counterexample_trace(made, made.cases[0]!, explore_case(made.cases[0]!))!
}

describe('what happened, in plain words', () => {
  it('of a write in place', () => {
    const trace = trace_of((s) => {
      script(s)
      const t = s.victim('reader')
      const fd = t.open('/script', 'O_RDONLY')
      const check = t.execveat(fd, '', null, null, CHECK)
      t.use(t.read(fd, 100), { relies: check })
      const a = s.attacker('writer')
      a.write(a.open('/script', 'O_WRONLY'), 'evil')
    })
    expect(trace.cause!.kind).toBe('write in place')
    const told = explain(trace).join(' ')
    expect(told).toMatch(
      /reader asks whether \/script may be executed, and execveat\(AT_EXECVE_CHECK\) says yes/,
    )
    expect(told).toMatch(
      /writer writes over its bytes with write \(generic_perform_write, step \d+\): the same inode, \/script/,
    )
    expect(told).toMatch(
      /the inode that was judged, with other content.*writers were kept out only from step \d+ to step \d+/,
    )
  })

  it('of bytes that were read before the check', () => {
    const trace = trace_of((s) => {
      script(s)
      const t = s.victim('reader')
      const fd = t.open('/script', 'O_RDONLY')
      const bytes = t.read(fd, 10)
      t.use(bytes, { relies: t.execveat(fd, '', null, null, CHECK) })
      const a = s.attacker('writer')
      const w = a.open('/script', 'O_WRONLY')
      a.write(w, 'evil')
      a.pwrite(w, 'good', 4, 0)
      a.close(w)
    })
    const told = explain(trace).join(' ')
    expect(told).toMatch(
      /were read in step \d+, before the check in step \d+, which judged other bytes. The check did not help: it came too late/,
    )
    expect(told).not.toContain('writers were kept out')
  })

  it('of another file than the one that was checked, and of a part of it', () => {
    const another = trace_of((s) => {
      s.mount('/', s.filesystem('root', { type: 'ext4', tree: { a: { file: 'a', mode: 0o755 }, b: 'b' } }))
      const t = s.victim('reader')
      const check = t.execveat(t.open('/a', 'O_RDONLY'), '', null, null, CHECK)
      t.use(t.read(t.open('/b', 'O_RDONLY'), 9), { relies: check })
    })
    const told = explain(another).join(' ')
    expect(told).toContain('uses 1 byte of /b, and the check was about /a. The check did not help')
    expect(told).toContain('is the 1 byte of /a')
    expect(told).not.toContain('writers were kept out')
    const part = trace_of((s) => {
      script(s)
      const t = s.victim('reader')
      const fd = t.open('/script', 'O_RDONLY')
      const check = t.execveat(fd, '', null, null, CHECK)
      t.use(t.read(fd, 2), { relies: check })
    })
    expect(explain(part).join(' ')).toContain(
      'nobody changed the file, reader itself took only its beginning',
    )
  })

  it('of a copy-up that chmod triggers, and of bytes written directly in the upper layer', () => {
    const trace = trace_of((s) => {
      s.mount('/', s.filesystem('root', { type: 'tmpfs' }))
      const lower = s.filesystem('lower', { type: 'erofs', tree: { script: { file: 'good', mode: 0o777 } } })
      const rw = s.filesystem('rw', { type: 'tmpfs', tree: { upper: { dir: {} }, work: { dir: {} } } })
      s.overlay('/m', { lower: [lower], upper: rw.at('/upper'), work: rw.at('/work') })
      s.mount('/rw', rw)
      const t = s.victim('reader')
      const fd = t.open('/m/script', 'O_RDONLY')
      const check = t.execveat(fd, '', null, null, CHECK)
      t.use(t.read(fd, 100), { relies: check })
      const a = s.attacker('writer')
      a.chmod('/m/script', 0o777)
      a.write(a.open('/rw/upper/script', 'O_WRONLY'), 'evil')
    })
    const told = explain(trace).join(' ')
    expect(told).toContain('writer changes it with chmod. A file of a lower layer is copied up')
    expect(told).toMatch(/write changes that in step \d+, directly in the upper layer/)
    expect(told).not.toContain('opens it for writing')
  })

  it('of a policy that was asked, but is permissive', () => {
    const trace = trace_of((s) => {
      script(s)
      const policy =
        'policy_name=p policy_version=1.0.0\nDEFAULT action=ALLOW\nDEFAULT op=EXECUTE action=DENY\n'
      s.ipe({ policy, enforce: false })
      s.property('policy')
      const t = s.victim('reader')
      const fd = t.open('/script', 'O_RDONLY')
      const check = t.execveat(fd, '', null, null, CHECK)
      t.use(t.read(fd, 100), { relies: check })
    })
    expect(explain(trace).join(' ')).toContain(
      'IPE was asked and denied it (DEFAULT op=EXECUTE action=DENY), but it is permissive (enforcing=0)',
    )
    expect(to_text(trace)).toContain('(which IPE denied, but it is permissive)')
    expect(to_text(trace)).not.toContain('no policy was asked')
  })

  it('of a child that relies on what its parent was told', () => {
    const trace = trace_of((s) => {
      script(s)
      const t = s.victim('parent')
      const fd = t.open('/script', 'O_RDONLY')
      const check = t.execveat(fd, '', null, null, CHECK).as('the_check')
      t.fork((child) => {
        child.use(child.read(fd, 9), { relies: check })
      })
      const a = s.attacker('writer')
      a.write(a.open('/script', 'O_WRONLY'), 'evil')
    })
    expect(trace.uses[0]!.relies).toBe('the_check')
    expect(explain(trace).join(' ')).toMatch(
      /parent asks whether .* child of parent uses 4 bytes of \/script/,
    )
    expect(to_text(trace)).toContain('approved by the_check')
  })

  it('says where a task stands, and what a bind shows', () => {
    const trace = trace_of((s) => {
      const tree = { m: { dir: { script: { file: 'good', mode: 0o755 } } }, view: { dir: {} } }
      s.mount('/', s.filesystem('root', { type: 'ext4', tree }))
      s.bind('/m', '/view', ['ro'])
      const t = s.victim('reader', { cwd: '/m' })
      t.open('script', 'O_RDONLY')
      t.open('/view/script', 'O_RDONLY')
    }, true)
    const text = to_text(trace)
    expect(text).toContain('reader  victim, uid 0, in /m')
    expect(text).toContain('/view is a read-only bind of /m: its files are called by their paths there.')
    const plain = to_text(trace_of(script_read, true))
    expect(plain).not.toMatch(/bind|in \/$/m)
  })

  it('without what would control a terminal', () => {
    const name = '\x1b[31mred\n'
    const trace = trace_of((s) => {
      s.mount('/', s.filesystem('root', { type: 'ext4', tree: { [name]: { file: '\x1b[2J', mode: 0o755 } } }))
      const t = s.victim('reader\x07')
      const fd = t.open(`/${name}`, 'O_RDONLY')
      const check = t.execveat(fd, '', null, null, CHECK)
      t.use(t.read(fd, 100), { relies: check })
      const a = s.attacker('writer')
      a.write(a.open(`/${name}`, 'O_WRONLY'), '\x1b]0;evil\x07')
    })
    for (const drawn of [to_text(trace), to_text(trace, { stages: true }), to_mermaid(trace)]) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
      expect(drawn).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/)
    }
    expect(to_text(trace)).toContain('/\\33[31mred\\n')
    expect(to_text(trace)).toContain('"\\33[2J"')
  })

  it('of an outcome that must never be', () => {
    const trace = trace_of((s) => {
      script(s)
      const t = s.task('checker')
      t.execveat(t.open('/script', 'O_RDONLY'), '', null, null, CHECK)
      s.task('writer').open('/script', 'O_WRONLY').as('w')
      s.never({ 'writer.w': 'ETXTBSY' })
    })
    const text = to_text(trace)
    expect(text).toContain('RACE  never writer.w=ETXTBSY: it happens')
    expect(text).toContain('What must never happen, writer.w=ETXTBSY, happens in this interleaving.')
    expect(text.replace(/[\s│]+/g, ' ')).toContain('✗ ETXTBSY: /script is denied to writers')
    expect(text).toMatch(/switch: checker is preempted inside execveat, after \w+; writer runs/)
    expect(to_mermaid(trace)).toContain('K--xT2: = -1 ETXTBSY')
  })

  it('of bytes that nobody has approved of', () => {
    const trace = trace_of((s) => {
      script(s)
      const t = s.victim('reader', { uid: 1000 })
      const fd = t.open('/script', 'O_RDONLY')
      s.never({ 'other.x': 'ok' })
      t.read(fd, 10)
      s.task('other').open('/none', 'O_RDONLY').as('x')
    }, true)
    const told = explain(trace).join(' ')
    expect(told).toContain('no property was violated')
    expect(told).toMatch(/other's open failed with ENOENT/)
  })

  it('of a deadlock', () => {
    const [step] = trace_of(script_read, true).steps
    const base = trace_of(script_read, true)
    const stuck: Trace = { ...base, verdict: 'deadlock', steps: [{ ...step!, ended: false }] }
    expect(explain(stuck).join(' ')).toMatch(
      /No task can go on, and one has not ended: reader sleeps in do_sys_openat2/,
    )
    expect(to_text(stuck)).toContain('DEADLOCK  no task can go on')
  })

  it('of a child, which is called after its parent', () => {
    const trace = trace_of((s) => {
      script(s)
      const t = s.task('parent')
      const fd = t.open('/script', 'O_RDONLY')
      t.fork((child) => {
        child.read(fd, 2)
      })
      t.fork((child) => {
        child.read(fd, 2)
      })
    }, true)
    const names = trace.tasks.map(({ name }) => name)
    expect(names.slice(0, 2)).toEqual(['parent', 'child of parent'])
    expect(names[2]).toMatch(/^child of parent \(\d+\)$/)
    expect(trace.results.filter(({ data }) => data !== null).map(({ data }) => data)).toEqual(['go', 'od'])
  })

  it('of calls of every kind, in one column and in three', () => {
    const trace = trace_of((s) => {
      script(s)
      const t = s.task('one')
      t.truncate('/script', 2)
      t.chmod('/script', 0o600)
      t.rename('/script', '/moved')
      t.mkdir('/d', 0o755)
      t.symlink('/d', '/l')
      t.link('/moved', '/e')
      t.unlink('/e')
      s.task('two').open('/gone', 'O_RDONLY').may_fail()
      s.task('three').open('/moved', 'O_WRONLY|O_CREAT', 0o644)
    }, true)
    const text = to_text(trace)
    for (const said of [
      'i_mode',
      'was script',
      '/d: the name is made',

      'no gone there',
    ])
      expect(text.replace(/[\s│]+/g, ' ')).toContain(said)
    expect(text.replace(/[\s│]+/g, ' ')).toMatch(/the name (is gone|leads there no more)/)
  })
})

function script_read(s: CaseBuilder): void {
  script(s)
  const t = s.victim('reader')
  t.read(t.open('/script', 'O_RDONLY'), 4)
}

describe('a schedule of something else', () => {
  it('is refused', () => {
    const made = make(script_read)
    const schedule = [{ task: 1, choice: 3 }]
    expect(() => replay(case_system(made.cases[0]!), new FastStore(), schedule)).toThrow('no choice 3')
  })
})
