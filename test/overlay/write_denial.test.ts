/**
 * Who denies writing to whom (facts: §3.4, exec-vfs §4.4). What runs a file is written down here as what it
 * does to the inode: it denies writing, on the overlay inode for a run through the overlay, on the real one for a direct run.
 */
import { describe, expect, it } from 'vitest'
import {
  file,
  MAP_SHARED,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  Overlay,
  PROT_READ,
  PROT_WRITE,
} from './machine.js'

const lower = () => new Overlay({ l: { f: file('lower') } })
const upper = () => new Overlay({ u: { f: file('upper') } })

/** Whether an execution or its check through this path would be let in. */
const check = (m: Overlay, path: string) => (m.writecount(path) > 0 ? 'ETXTBSY' : 0)

describe('run through the overlay', () => {
  it.each([
    ['lower', lower],
    ['upper', upper],
  ])('%s-resident: no writer through the overlay, and no copy-up', (_, make) => {
    const m = make()
    const before = m.names('/u')
    m.deny('/m/f')
    expect(m.call('open', '/m/f', O_WRONLY)).toBe('ETXTBSY')
    expect(m.call('open', '/m/f', O_RDWR)).toBe('ETXTBSY')
    expect(m.call('open', '/m/f', O_WRONLY | O_TRUNC)).toBe('ETXTBSY')
    expect(m.call('truncate', '/m/f', 0)).toBe('ETXTBSY')
    expect(m.names('/u')).toBe(before)
    expect(m.writecount('/m/f')).toBe(-1)
  })

  it('chmod is not denied, and copies up; nor is a direct writer of either layer', () => {
    const m = lower()
    m.deny('/m/f')
    expect(m.call('chmod', '/m/f', 0o700)).toBe(0)
    expect(m.names('/u')).toBe('f')
    expect(m.call('open', '/l/f', O_WRONLY)).toBe(0)
    expect(m.call('open', '/u/f', O_WRONLY)).toBe(1)
  })

  it('O_RDONLY|O_TRUNC of a lower file: ETXTBSY, yet the file is empty and upper from then on', () => {
    const m = lower()
    m.deny('/m/f')
    expect(m.call('open', '/m/f', O_RDONLY | O_TRUNC)).toBe('ETXTBSY')
    expect([m.names('/u'), m.stat('/m/f').size, m.content('/l/f')]).toEqual(['f', 0, 'lower'])
  })

  it('the same of an upper file: ETXTBSY, and nothing else', () => {
    const m = upper()
    m.deny('/m/f')
    expect(m.call('open', '/m/f', O_RDONLY | O_TRUNC)).toBe('ETXTBSY')
    expect(m.content('/u/f')).toBe('upper')
  })

  it('lower links are two files: a writer of the other is let in (index=off)', () => {
    const m = new Overlay({ l: { a: file('x'), b: { type: 'hardlink', target: 'l/a' } } })
    m.deny('/m/a')
    expect(m.call('open', '/m/b', O_WRONLY)).toBe(0)
    expect(m.call('open', '/m/a', O_WRONLY)).toBe('ETXTBSY')
  })
})

describe('run directly', () => {
  it('the real lower file: a writer through the overlay copies up, and never meets it', () => {
    const m = lower()
    m.deny('/l/f')
    expect(m.call('open', '/m/f', O_WRONLY)).toBe(0)
    expect(m.writecount('/l/f')).toBe(-1)
  })

  it('the real upper file: a writer through the overlay is refused by the inner open, a truncate too', () => {
    const m = upper()
    m.deny('/u/f')
    expect(m.call('open', '/m/f', O_WRONLY)).toBe('ETXTBSY')
    expect(m.call('truncate', '/m/f', 0)).toBe('ETXTBSY')
    expect([m.writecount('/m/f'), m.writecount('/u/f'), check(m, '/m/f')]).toEqual([0, -1, 0])
  })
})

describe('a writer (I3)', () => {
  it('through the overlay counts on the overlay inode and on the upper one, and gives both back', () => {
    const m = lower()
    const fd = m.open('/m/f', O_RDWR)
    expect([check(m, '/m/f'), check(m, '/u/f'), check(m, '/l/f')]).toEqual(['ETXTBSY', 'ETXTBSY', 0])
    m.call('close', fd)
    expect([m.writecount('/m/f'), m.writecount('/u/f')]).toEqual([0, 0])
  })

  it('of a layer is not seen through the overlay', () => {
    const m = upper()
    m.open('/u/f', O_RDWR)
    expect([check(m, '/m/f'), check(m, '/u/f')]).toEqual([0, 'ETXTBSY'])
  })

  it('that has only its shared mapping left counts on the upper inode alone, and can still write', () => {
    const m = lower()
    const fd = m.open('/m/f', O_RDWR)
    const at = m.map(fd, MAP_SHARED, PROT_READ | PROT_WRITE)
    m.call('close', fd)
    expect([check(m, '/m/f'), check(m, '/u/f')]).toEqual([0, 'ETXTBSY'])
    m.call('poke', at, 'POKED')
    expect(m.cat('/m/f')).toBe('POKED')
    m.call('munmap', at, 4096)
    expect(m.writecount('/u/f')).toBe(0)
  })

  it('shows in the count while it still copies up; a chmod does not (§2.3)', () => {
    for (const [call, expected] of [
      [['open', '/m/f', O_WRONLY], 'ETXTBSY'],
      [['chmod', '/m/f', 0o600], 0],
    ] as const) {
      const m = lower()
      m.spawn(2)
      m.begin(2, call[0], ...call.slice(1))
      while (m.names('/u') === '') m.step(2)
      expect(check(m, '/m/f')).toBe(expected)
    }
  })
})
