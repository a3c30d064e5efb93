/** What a module has been told, and whether it then did as before. */
import { describe, expect, test } from 'vitest'
import { Answers, Remembers } from '../../src/lsm/answers.js'

describe('a hook that does something else than before', () => {
  /** Whether a hook may answer one thing having read this, and another having read that. */
  function may_differ(one: unknown, other: unknown): boolean {
    const answers = new Answers()
    const asked = (value: unknown, answer: number) => {
      const question = answers.ask('m', 'file_open')
      expect(question.read('ctx.x', value)).toBe(value)
      question.answer(answer)
    }
    asked(one, 0)
    try {
      asked(other, -13)
    } catch (error) {
      expect(error).toBeInstanceOf(Remembers)
      return false
    }
    return true
  }
  const long = 'x'.repeat(200)

  test.each<[unknown, unknown]>([
    [0, 1],
    [1, '1'],
    [true, false],
    [true, 'true'],
    [null, undefined],
    [null, {}],
    [0, null],
    ['', 'a'],
    ['ab', 'ba'],
    [`${long}a`, `${long}b`],
    [long, `${long}x`],
    ['x'.repeat(64), 'x'.repeat(65)],
    [
      [1, 2],
      [1, 3],
    ],
    ['function', () => 0],
    ['object', {}],
  ])('had been told something else: %j is not %j', (one, other) => {
    expect(may_differ(one, other)).toBe(true)
    expect(may_differ(other, one)).toBe(true)
  })

  test.each<[unknown, unknown]>([
    [7, 7],
    ['a', 'a'],
    [`${long}a`, `${long}a`],
    [
      [1, 2],
      [1, 2],
    ],
    [() => 0, () => 1],
    [{ a: 1 }, { a: 2 }],
  ])('had been told the same: %j and %j', (one, other) => {
    expect(may_differ(one, other)).toBe(false)
  })

  test('of an object it is what is read of it that counts', () => {
    const answers = new Answers()
    const asked = (size: number, answer: number) => {
      const question = answers.ask('m', 'file_open')
      question.read('ctx.file', { size })
      question.read('ctx.file.size', size)
      question.answer(answer)
    }
    asked(1, 0)
    asked(2, -13)
    expect(() => asked(2, 0)).toThrow(
      'module m is not deterministic: in file_open, told the same as before, it answers 0 where it answered -13',
    )
  })

  test('another hook is another question', () => {
    const answers = new Answers()
    answers.ask('m', 'file_open').answer(0)
    answers.ask('m', 'mmap_file').answer(-13)
    expect(() => answers.ask('m', 'file_open').answer(-13)).toThrow(Remembers)
  })

  test('reads another thing, or answers where it read', () => {
    const answers = new Answers()
    answers.ask('m', 'file_open').read('ctx.task', 1)
    expect(() => answers.ask('m', 'file_open').read('ctx.file', 1)).toThrow(
      'it reads ctx.file where it read ctx.task',
    )
    expect(() => answers.ask('m', 'file_open').answer(0)).toThrow('it answers 0 where it read ctx.task')
  })

  test('reads after it has answered', () => {
    const question = new Answers().ask('m', 'file_open')
    question.answer(0)
    expect(() => question.read('ctx.task', 1)).toThrow('it reads ctx.task of file_open after it has answered')
  })
})
