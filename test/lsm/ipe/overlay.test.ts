/** What IPE and the denial of writing make of an overlay file (facts: a copy-up changes what IPE sees). */
import { describe, expect, test } from 'vitest'
import type { Release } from '../../../src/kernel/profile.js'
import { ipe } from '../../../src/lsm/ipe/ipe.js'
import { mount_overlay } from '../../../src/overlay/overlay.js'
import { dentry } from '../../../src/vfs/dentry.js'
import { super_block } from '../../../src/vfs/super_block.js'
import { World } from '../../exec/world.js'

const POLICY =
  'policy_name=p policy_version=0.0.1\nDEFAULT action=DENY\nop=EXECUTE dmverity_signature=TRUE action=ALLOW\n'
const ELF = '\x7fELF'

function world(release: Release = '7.2') {
  const approved: number[] = []
  const w = new World({
    release,
    modules: [ipe({ policy: POLICY })],
    monitor: { approval: (_, data) => approved.push(data) },
  })
  w.task(2)
  const lower = w.file_system('lower', 'erofs', { s_bdev: w.device('sha256:ab', true) })
  const script = w.file('s', 'script', 0o755, lower)
  const elf = w.file('elf', ELF, 0o755, lower)
  const upper_root = w.file_system('upper', 'tmpfs')
  const upper = w.dir('u', 0o755, upper_root)
  const work = w.dir('w', 0o755, upper_root)
  w.mount('lower', lower)
  w.mount('upper', upper_root)
  const made = mount_overlay(w.k, { id: 'overlay', lower: [lower], upper, work })
  if ('errno' in made) throw new Error(made.why)
  w.mount('m', super_block(w.k, made.sb).s_root)
  return { w, script, elf, upper, approved }
}

const inode_at = (w: World, upper: number, name: string) => dentry.find(w.k, upper, name)!.d_inode

describe('the check of an overlay file', () => {
  test('judges the lower file, until it is copied up: then also by descriptors opened before', () => {
    const { w, script, approved } = world()
    const fd = w.open('m/s', 'O_RDONLY')
    expect([w.check('m/s'), w.check('', 'AT_EMPTY_PATH', fd)]).toEqual([0, 0])
    expect(approved).toEqual([script, script])
    w.call(2, 'close', w.open('m/s', 'O_WRONLY', 2))
    expect([w.check('m/s'), w.check('', 'AT_EMPTY_PATH', fd)]).toEqual(['EACCES', 'EACCES'])
    expect(w.check('lower/s')).toBe(0)
  })

  test('on 6.18 approves the upper file too, whatever was written to it', () => {
    const { w, script, upper, approved } = world('6.18')
    w.call(2, 'pwrite', w.open('m/s', 'O_WRONLY', 2), 'SCRIPT', 6, 0)
    w.call(2, 'close', 0)
    expect(w.check('m/s')).toBe(0)
    const copy = inode_at(w, upper, 's')
    expect(approved).toEqual([copy])
    expect(copy).not.toBe(script)
    expect(w.content(copy)).toBe('SCRIPT')
  })

  test('keeps out those who come through the overlay, and nobody else', () => {
    const { w, upper } = world()
    w.call(2, 'close', w.open('m/s', 'O_WRONLY', 2))
    w.begin(1, 'execveat', 'AT_FDCWD', 'm/s', null, null, 'AT_EXECVE_CHECK')
    w.until(1, 'security_bprm_creds_for_exec')
    expect(w.open('m/s', 'O_WRONLY', 2)).toBe('ETXTBSY')
    expect(w.open('upper/u/s', 'O_WRONLY', 2)).toBe(0)
    expect(w.finish(1)).toBe('EACCES')
    expect(w.writecount(inode_at(w, upper, 's'))).toBe(1)
  })

  test('the record names the overlay', () => {
    const { w } = world()
    w.call(2, 'close', w.open('m/s', 'O_WRONLY', 2))
    expect(w.heard('audit', () => w.check('m/s'))[0]).toMatch(/ path="\/m\/s" dev="overlay" ino=\d+ /)
  })

  test('a copy-up between the judgement and the end of the check needs no descriptor for writing', () => {
    const { w, script, approved } = world()
    w.begin(1, 'execveat', 'AT_FDCWD', 'm/s', null, null, 'AT_EXECVE_CHECK')
    w.until(1, 'exe_file_allow_write_access')
    expect(w.call(2, 'chmod', 'm/s', 0o700)).toBe(0)
    expect([w.finish(1), w.check('m/s')]).toEqual([0, 'EACCES'])
    expect(approved).toEqual([script])
  })
})

describe('a real exec of an overlay file', () => {
  test('denies the overlay inode as long as the program runs, and maps the real file', () => {
    const { w, elf } = world()
    expect(w.exec('m/elf')).toBe(0)
    expect(w.open('m/elf', 'O_WRONLY', 2)).toBe('ETXTBSY')
    expect(w.call(2, 'truncate', 'm/elf', 0)).toBe('ETXTBSY')
    expect(w.writecount(elf)).toBe(0)
    w.call(1, 'exit', 0)
    expect(w.open('m/elf', 'O_WRONLY', 2)).toBe(0)
  })

  test('the mapping is judged by the data inode of the moment', () => {
    const { w } = world()
    w.begin(1, 'execve', 'm/elf', [], [])
    w.until(1, 'elf_load')
    expect(w.call(2, 'chmod', 'm/elf', 0o755)).toBe(0)
    expect(w.finish(1)).toBe('SIGSEGV')
  })

  test('mprotect is judged by the real file that was mapped', () => {
    const { w } = world()
    const fd = w.open('m/elf', 'O_RDONLY')
    const at = w.call(1, 'mmap', null, 4, 'PROT_READ', 'MAP_PRIVATE', fd, 0)
    w.call(2, 'chmod', 'm/elf', 0o755)
    expect(w.call(1, 'mprotect', at, 4096, 'PROT_READ|PROT_EXEC')).toBe(0)
    const copied = w.open('m/elf', 'O_RDONLY')
    const other = w.call(1, 'mmap', null, 4, 'PROT_READ', 'MAP_PRIVATE', copied, 0)
    expect(w.heard('audit', () => w.call(1, 'mprotect', other, 4096, 'PROT_READ|PROT_EXEC'))[0]).toMatch(
      / ipe_hook=MPROTECT .* path="\/.*elf" dev="tmpfs" /,
    )
  })
})
