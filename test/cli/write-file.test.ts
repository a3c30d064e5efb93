import { spawnSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { write_file } from '../../src/cli/write_file.ts'
import { save_case } from '../../src/oracle/conform/saved_cases.ts'
import { overlay_play } from '../oracle/support.ts'
import { program } from './terminal.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'toctoscope-write-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('a file that is written', () => {
  it('is there wholly, and nothing besides', () => {
    write_file(join(folder, 'race.c'), 'one')
    write_file(join(folder, 'race.c'), 'two')
    expect(readFileSync(join(folder, 'race.c'), 'utf8')).toBe('two')
    expect(readdirSync(folder)).toEqual(['race.c'])
  })

  it('is not written through a link, dangling or not', () => {
    writeFileSync(join(folder, 'precious'), 'mine')
    symlinkSync('precious', join(folder, 'a.c'))
    symlinkSync('nowhere', join(folder, 'b.c'))
    for (const name of ['a.c', 'b.c'])
      expect(() => write_file(join(folder, name), 'x')).toThrow(/is a symbolic link, which is not followed/)
    expect(readFileSync(join(folder, 'precious'), 'utf8')).toBe('mine')
    expect(existsSync(join(folder, 'nowhere'))).toBe(false)
  })

  it('may be a device, which stays one', () => {
    write_file('/dev/null', 'x')
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true)
  })

  it('says why it cannot be', () => {
    mkdirSync(join(folder, 'd'))
    writeFileSync(join(folder, 'f'), '')
    expect(() => write_file(join(folder, 'd'), 'x')).toThrow(/d cannot be written: EISDIR, it is a folder/)
    expect(() => write_file(join(folder, 'no', 'x'), 'x')).toThrow(/ENOENT, there is no such folder/)
    expect(() => write_file(join(folder, 'f', 'x'), 'x')).toThrow(/a part of its path is no folder/)
  })

  it.skipIf(process.getuid?.() !== 0)('is not there by half when the disk is full', () => {
    const shell = `mount -t tmpfs -o size=16k none ${folder} && head -c 10000 /dev/zero > ${folder}/full; printf old > ${folder}/race.c
      cd ${folder} && "$1" "$2" repro overlay-copy-up --case access=read,mitigation=none,profile=7.2 -o race.c; echo "exit $?"; cat race.c; ls -A`
    const run = spawnSync('unshare', ['-m', 'sh', '-c', shell, 'sh', process.execPath, program], {
      encoding: 'utf8',
    })
    expect(run.stderr).toMatch(/race\.c cannot be written: ENOSPC, the disk is full/)
    expect(run.stdout).toBe('exit 6\noldfull\nrace.c\n')
  })
})

describe('a case that conform saves', () => {
  it('replaces a link, and is not written through it', () => {
    const play = { ...overlay_play({}), calls: [] }
    const path = save_case(folder, 'open', '6.18', play, [])
    writeFileSync(join(folder, 'precious'), 'mine')
    rmSync(path)
    symlinkSync('precious', path)
    expect(save_case(folder, 'open', '6.18', play, [])).toBe(path)
    expect(lstatSync(path).isFile()).toBe(true)
    expect(readFileSync(join(folder, 'precious'), 'utf8')).toBe('mine')
  })
})
