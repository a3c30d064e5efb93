import { describe, expect, test } from 'vitest'
import { FastStore } from '../../src/kernel/fast_store.js'
import {
  attempt,
  call,
  done,
  fn,
  hand_over,
  hold,
  jump,
  local,
  release,
  stage,
  take,
} from '../../src/kernel/fn.js'
import { ImmerStore } from '../../src/kernel/immer_store.js'
import { AGAIN, BLOCKED, type Fn, Kernel, type Step } from '../../src/kernel/kernel.js'
import { ASLEEP, choose, ended, is_local, STEPPED, start, step } from '../../src/kernel/machine.js'
import { profile } from '../../src/kernel/profile.js'
import { int, list, str, table, value } from '../../src/kernel/schema.js'

const note = table('machine_note', { text: { text: str() } })
const say = (k: Kernel, text: string) => {
  note(k, 1).text += `${text} `
}

const left = hold('machine_left', (k, object) => say(k, `left${object}`))
const right = hold('machine_right', (k, object) => say(k, `right${object}`), { local: true })

let made = 0
/** A function of its own for each test. */
const make = (steps: readonly Step<any>[], locals = {}): Fn =>
  fn(`machine_${++made}`, { source: 'test', locals: { x: int(), got: value(), ...locals } }, steps)

describe.each([
  ['fast', () => new FastStore()],
  ['immer', () => new ImmerStore()],
] as const)('on the %s store', (_, make_store) => {
  function boot(main: Fn, values: object = {}): Kernel {
    const k = new Kernel(make_store(), { profile: profile('7.2'), modules: [] })
    note.create(k, {})
    start(k, 1, main, values)
    return k
  }
  /** Runs to the end. @returns what was said, and in how many steps */
  function run(main: Fn): [string, number] {
    const k = boot(main)
    let steps = 0
    while (!ended(k, 1) && steps < 100) {
      expect(step(k, 1)).toBe(STEPPED)
      steps++
    }
    return [note(k, 1).text.trim(), steps]
  }

  test('whoever drives it is told what the outermost function returned, in the step in which it did', () => {
    const inner = make([stage('a', (_, f) => done(f, [7, 8]))], {})
    const main = make([
      call(
        inner,
        () => ({}),
        (_, f, got: readonly number[]) => done(f, got[1]! + f.x),
      ),
    ])
    const k = boot(main, { x: 5 })
    step(k, 1)
    expect([ended(k, 1), k.returned]).toEqual([false, 0])
    step(k, 1)
    expect([ended(k, 1), k.returned]).toEqual([true, 13])
    const refused = boot(make([stage('a', () => -13)]))
    step(refused, 1)
    expect(refused.returned).toBe(-13)
  })

  test('stages run in order, each a step', () => {
    const main = make([stage('a', (k) => say(k, 'a')), local('b', (k) => say(k, 'b'))])
    expect(run(main)).toEqual(['a b', 2])
  })

  test('a stage can run again, jump, and return early', () => {
    const main = make([
      stage('a', (k, f) => {
        say(k, 'a')
        f.x += 1
        return f.x < 3 ? AGAIN : jump(f, 'c')
      }),
      stage('b', (k) => say(k, 'never')),
      stage('c', (k, f) => {
        say(k, 'c')
        return done(f)
      }),
      stage('d', (k) => say(k, 'never')),
    ])
    expect(run(main)).toEqual(['a a a c', 4])
  })

  test('what a failing frame holds is given back in reverse, a stage each, and the caller fails too', () => {
    const inner = make([
      stage('take', (_, f) => {
        take(f, left, 1)
        take(f, right, 2)
        take(f, left, 3)
      }),
      stage('fail', () => -5),
      stage('on', (k) => say(k, 'never')),
    ])
    const middle = make([call(inner, () => ({}), undefined, 'in'), stage('after', (k) => say(k, 'never'))])
    const outer = make([
      attempt(
        middle,
        () => ({}),
        (k, _, ret) => say(k, `failed${ret}`),
        'in',
      ),
      stage('after', (k) => say(k, 'after')),
    ])
    // enter middle, enter inner, take, fail, three times give back, after
    expect(run(outer)).toEqual(['left3 right2 left1 failed-5 after', 8])
  })

  test('giving back is local where the hold says so', () => {
    const main = make([
      stage('take', (_, f) => {
        take(f, right, 1)
        take(f, left, 2)
        return -1
      }),
    ])
    const k = boot(main)
    expect(is_local(k, 1)).toBe(false)
    step(k, 1)
    expect(is_local(k, 1)).toBe(false)
    step(k, 1)
    expect(is_local(k, 1)).toBe(true)
  })

  test('a call and a stage that is local concern nobody else; neither does a return with nothing to give back', () => {
    const inner = make([stage('a', () => {})])
    const main = make([
      local('own', (_, f) => take(f, left, 1)),
      call(inner, () => ({})),
      stage('fail', () => -1),
    ])
    const k = boot(main)
    const seen: boolean[] = []
    for (let i = 0; i < 4; i++) {
      seen.push(is_local(k, 1))
      step(k, 1)
    }
    expect(seen).toEqual([true, true, false, false])
    // In a run that others do not take part in, they give back at once what they hold.
    k.store.top(1).holds = []
    expect([is_local(k, 1), ended(k, 1)]).toEqual([true, false])
    expect([step(k, 1), ended(k, 1), k.returned, note(k, 1).text]).toEqual([STEPPED, true, -1, ''])
  })

  test.each([['-5'], [[-5]], [0]])('%j is no failure', (given) => {
    const inner = make([stage('give', (_, f) => done(f, given))])
    const outer = make([
      call(
        inner,
        () => ({}),
        (k, _, ret) => say(k, JSON.stringify(ret)),
      ),
    ])
    expect(run(outer)).toEqual([JSON.stringify(given), 2])
  })

  test('what is handed over or released is not given back again', () => {
    const main = make([
      stage('take', (k, f) => {
        take(f, left, 1)
        take(f, right, 2)
        take(f, left, 3)
        take(f, right, 4)
        say(k, `handed${hand_over(f, left)}`)
        release(k, f, right)
      }),
    ])
    expect(run(main)).toEqual(['handed3 right4 right2 left1', 3])
    expect(() => run(make([stage('none', (k, f) => release(k, f, left))]))).toThrow('does not hold')
  })

  test.each([
    ['a number', 7],
    ['a string', 'text'],
    ['a list', [1, 2]],
  ])('a result can be %s', (_, given) => {
    const inner = make([stage('give', (_, f) => done(f, given))])
    const outer = make([
      call(
        inner,
        () => ({ x: 1 }),
        (k, _, ret) => say(k, JSON.stringify(ret)),
        'in',
      ),
    ])
    expect(run(outer)).toEqual([JSON.stringify(given), 2])
  })

  test('a call can be skipped', () => {
    const main = make([
      call(
        () => null,
        () => ({}),
        (k) => say(k, 'never'),
        'in',
      ),
      stage('b', (k) => say(k, 'b')),
    ])
    expect(run(main)).toEqual(['b', 2])
  })

  test('a stage that would sleep changes nothing, and is tried again', () => {
    const main = make([stage('wait', (k) => (note(k, 1).text === '' ? BLOCKED : undefined))])
    const k = boot(main)
    expect(step(k, 1)).toBe(ASLEEP)
    expect(ended(k, 1)).toBe(false)
    say(k, 'go')
    expect(step(k, 1)).toBe(STEPPED)
    expect(ended(k, 1)).toBe(true)
  })

  test('the driver answers choices, and learns how many there were', () => {
    const main = make([stage('toss', (k) => say(k, String(choose(k, 3)))), stage('b', () => {})])
    const k = boot(main)
    step(k, 1, 2)
    expect([note(k, 1).text, k.choices]).toEqual(['2 ', 3])
    step(k, 1)
    expect(k.choices).toBe(1)
  })

  test('a broken model is told so', () => {
    const inner = make([stage('a', () => {})])
    expect(() => run(make([stage('odd', () => 99)]))).toThrow('a stage answered 99')
    expect(() => run(make([stage('lost', (_, f) => jump(f, 'nowhere'))]))).toThrow('has no stage nowhere')
    expect(() =>
      run(
        make([
          call(
            inner,
            () => ({}),
            () => BLOCKED,
            'in',
          ),
        ]),
      ),
    ).toThrow('slept on a result')
    expect(() => run(make([stage('gone', (k) => say(k, note(k, 5).text))]))).toThrow(
      'machine_note 5 does not exist',
    )
    expect(() => run(make([stage('gone', (k) => note.remove(k, 5))]))).toThrow(
      'machine_note 5 does not exist',
    )
  })

  test('keyed rows are listed by key, in whatever order they came', () => {
    const k = boot(make([stage('a', () => {})]))
    for (const [of, at] of [
      [2, 1],
      [1, 7],
      [1, 3],
    ])
      leaf.create(k, { of, at })
    expect(leaf.where(k, 1).map((row) => row.at)).toEqual([3, 7])
    expect(leaf.rows(k).map((row) => [row.of, row.at])).toEqual([
      [1, 3],
      [1, 7],
      [2, 1],
    ])
  })

  test('what is constant, or the key of a row, cannot be written', () => {
    const k = boot(make([stage('a', () => {})]))
    const row = fixed.create(k, { born: 1 })
    expect(() => {
      row.born = 2
    }).toThrow('machine_fixed.born is constant')
    expect([row.born, row.many]).toEqual([1, []])
  })

  test('every bit of a number counts in the hash', () => {
    const main = make([stage('a', () => {})])
    const numbers = [0, 1, -1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 53, 2 ** 64, 2 ** 65, 1e300, 0.5, 1.5]
    const hashes = numbers.map((born) => {
      const k = boot(main)
      fixed.create(k, { born })
      return `${k.store.hash_lo},${k.store.hash_hi}`
    })
    expect(new Set(hashes).size).toBe(numbers.length)
  })
})

const leaf = table('machine_leaf', { key: { of: int(), at: int() } }, { unique: ['of', 'at'], keyed: true })
const fixed = table(
  'machine_fixed',
  { identity: { born: int() }, more: { many: list() } },
  { constant: ['identity'] },
)

test('names that rows and frames need for themselves are refused', () => {
  expect(() => table('machine_bad', { g: { id: int() } })).toThrow('no field can be called id')
  expect(() => make([], { slots: int() })).toThrow('no field can be called slots')
})

test('a function has one name, and so have its stages', () => {
  fn('machine_once', { source: 'test' }, [])
  expect(() => fn('machine_once', { source: 'test' }, [])).toThrow('machine_once is defined twice')
  expect(() => make([stage('a', () => {}), stage('a', () => {})])).toThrow('two stages have the same name')
})

describe('locals that a function does not have', () => {
  const callee = fn('callee_of_two_locals', { source: 'test', locals: { one: int(), two: int() } }, [])
  const given: Fn = callee
  const caller = fn('caller_with_a_third', { source: 'test' }, [call(given, () => ({ one: 1, three: 3 }))])

  test.each([
    ['fast', () => new FastStore()],
    ['immer', () => new ImmerStore()],
  ] as const)('are refused by the %s store, in a call and at the start of a task', (_, make) => {
    const k = new Kernel(make(), { profile: profile('7.2'), modules: [] })
    start(k, 1, caller, {})
    expect(() => step(k, 1)).toThrow(
      'fn callee_of_two_locals has no three; it has stage, holds, ret, one, two',
    )
    expect(() => start(k, 2, callee, { four: 4 })).toThrow('has no four')
  })

  test('are no arguments to the type checker either', () => {
    // @ts-expect-error: three is no local of the callee
    call(callee, () => ({ one: 1, three: 3 }))
    call(callee, () => ({ one: 1 }))
  })
})
