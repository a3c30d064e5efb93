import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import '../../src/model.js'
import {
  decode_answer,
  encode_call,
  encode_setup,
  encode_task,
  text_word,
  word_text,
} from '../../src/oracle/agent/encode.js'
import { SetupRefused } from '../../src/oracle/agent/play.js'

const byte_string = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 42, 37, 32, 34, 10)), {
    maxLength: 40,
  })
  .map((bytes) => String.fromCharCode(...bytes))

describe('words of text', () => {
  it('come back as they were', () => {
    fc.assert(fc.property(byte_string, (bytes) => word_text(text_word(bytes)) === bytes))
  })

  it('have no space or line end in them', () => {
    fc.assert(fc.property(byte_string, (bytes) => /^"[!-~]*$/.test(text_word(bytes))))
  })

  it('write a long run once', () => {
    expect(text_word('\0'.repeat(4096))).toBe('"%00*4095;')
    expect(word_text('"%00*4095;')).toBe('\0'.repeat(4096))
  })
})

describe('overlays', () => {
  const filesystems = { low: { type: 'tmpfs' }, rw: { type: 'tmpfs' } } as const
  const line = (options?: object) => {
    const overlay = { lower: ['low'], upper: 'rw:/u', work: 'rw:/w', options }
    return encode_setup({ filesystems, mounts: [{ at: '/', overlay }] }).at(-1)
  }

  it('have their options before their layers', () => {
    expect(line()).toMatch(/^at "\/ 0 overlay \S+ \S+ - \S+$/)
    expect(line({})).toBe(line())
    expect(line({ redirect_dir: 'nofollow', volatile: true })).toBe(
      line()!.replace(' - ', ' redirect_dir=nofollow,volatile '),
    )
  })
})

describe('calls', () => {
  const none = new Map<string, number>()

  it('have numbers for names of constants', () => {
    expect(
      encode_call({ task: 1, call: 'openat', args: ['AT_FDCWD', '/f', 'O_RDWR|O_CREAT', 0o644] }, none),
    ).toBe('call 1 openat -100 "/f 66 420')
  })

  it('refer to results by the number of their call', () => {
    const known = new Map([['fd', 7]])
    expect(encode_call({ task: 2, call: 'close', args: [{ $: 'fd' }] }, known)).toBe('call 2 close $7')
    expect(encode_call({ task: 2, call: 'truncate', args: ['/f', { $: 'fd.st_size' }] }, known)).toBe(
      'call 2 truncate "/f $7.st_size',
    )
  })

  it('send bytes and their number, which is all of them where it is left out', () => {
    expect(encode_call({ task: 1, call: 'write', args: [3, 'hello', 2] }, none)).toBe(
      'call 1 write 3 "hello 2',
    )
    expect(encode_call({ task: 1, call: 'write', args: [3, 'hello'] }, none)).toBe('call 1 write 3 "hello #')
    expect(encode_call({ task: 1, call: 'pwrite', args: [3, 'hello', 9] }, none)).toBe(
      'call 1 pwrite 3 "hello # 9',
    )
    expect(encode_call({ task: 1, call: 'pwrite', args: [3, 'hello', 2, 9] }, none)).toBe(
      'call 1 pwrite 3 "hello 2 9',
    )
  })

  it('take NULL and vectors', () => {
    expect(encode_call({ task: 1, call: 'execve', args: [null, ['a', ''], null] }, none)).toBe(
      'call 1 execve @ ( "a " ) @',
    )
  })
})

describe('tasks', () => {
  it('have all capabilities, or none, unless told', () => {
    expect(encode_task(1, { name: 'a' })).toBe('task 1 0 0 18 1024 0 - "/')
    expect(encode_task(2, { name: 'b', uid: 1000, gid: 5, capabilities: ['CAP_FOWNER'], groups: [7] })).toBe(
      'task 2 1000 5 18 1024 0 8 "/ 7',
    )
  })
})

describe('bad pointers', () => {
  it('are said with how much they are for', () => {
    const none = new Map<string, number>()
    expect(encode_call({ task: 1, call: 'write', args: [3, null, 5] }, none)).toBe('call 1 write 3 @ 5')
    expect(encode_call({ task: 1, call: 'pwrite', args: [3, null, 5, 9] }, none)).toBe(
      'call 1 pwrite 3 @ 5 9',
    )
    expect(encode_call({ task: 1, call: 'open', args: [null, 0, 0] }, none)).toBe('call 1 open @ 0 0')
  })
})

describe('answers', () => {
  it('are results, errnos, signals and ends', () => {
    expect(decode_answer('3')).toEqual({ ret: 3 })
    expect(decode_answer('-2')).toEqual({ errno: 'ENOENT' })
    expect(decode_answer('!7')).toEqual({ signal: 'SIGBUS' })
    expect(decode_answer('X')).toEqual({ exec: true })
    expect(decode_answer('D')).toEqual({ dead: true })
    expect(decode_answer('B')).toEqual({ blocked: true })
    expect(decode_answer('2 "a%0A')).toEqual({ ret: 2, data: 'a\n' })
    expect(decode_answer('0 st_dev=1 st_mode=33188 st_size=5').fields).toMatchObject({
      st_mode: 0o100644,
      st_size: 5,
    })
  })

  it('of a set-up that failed are an error', () => {
    expect(() => decode_answer('E mount: Operation not permitted')).toThrow(SetupRefused)
  })
})
