/**
 * Devices (fs/char_dev.c, drivers/char/mem.c): null, zero and full. Where no kernel has a driver, opening is ENXIO:
 * that of a whiteout that is met in its layer. What a kernel has or may have one for is not modelled.
 */
import { ENOSPC, ENXIO } from '../../kernel/errno.js'
import type { Kernel } from '../../kernel/kernel.js'
import { NotModelled } from '../../kernel/not_modelled.js'
import { S_IFCHR, S_IFMT } from '../inode.js'
import { copy_to_user } from '../tasks/task.js'

/** Device numbers as makedev(3) gives them; the memory devices have major number 1. */
export const DEV_NULL = 0x103
const DEV_ZERO = 0x105
const DEV_FULL = 0x107

/** The memory devices that have a driver, by minor number (drivers/char/mem.c: devlist). */
const devlist: ReadonlyMap<number, string> = new Map([
  [1, 'mem'],
  [3, 'null'],
  [4, 'port'],
  [5, 'zero'],
  [7, 'full'],
  [8, 'random'],
  [9, 'urandom'],
  [11, 'kmsg'],
])
const MEM_MAJOR = 1

/** Parts of a device number as stat shows it (include/linux/kdev_t.h: new_decode_dev). */
const major_of = (rdev: number): number => (rdev >>> 8) & 0xfff
const minor_of = (rdev: number): number => (rdev & 0xff) | ((rdev >>> 12) & 0xfff00)

/**
 * @returns 0, or -ENXIO for what has no driver on any kernel: major number 0, and minor numbers of the memory devices
 * @throws NotModelled for all else
 */
export function device_open(k: Kernel, character: boolean, rdev: number): number {
  if (character && (rdev === DEV_NULL || rdev === DEV_ZERO || rdev === DEV_FULL)) return 0
  const [major, minor] = [major_of(rdev), minor_of(rdev)]
  const known = character && major === MEM_MAJOR
  if (major === 0 || (known && !devlist.has(minor))) return k.refuse(-ENXIO, 'no driver has such a device')
  const name = known ? ` (${devlist.get(minor)})` : ''
  throw new NotModelled(
    `opening the ${character ? 'character' : 'block'} device ${major}:${minor}${name}, for which a kernel may have a driver,`,
  )
}

/** Nothing of null, zeros of zero and full. @returns the number of bytes that the user buffer got */
export function device_read(k: Kernel, rdev: number, count: number): number {
  if (rdev === DEV_NULL) return 0
  copy_to_user(k, '\0'.repeat(count), 0)
  return count
}

/** @returns the number of bytes, all of them, or -ENOSPC of full */
export function device_write(k: Kernel, rdev: number, count: number): number {
  return rdev === DEV_FULL ? k.refuse(-ENOSPC, 'the device is always full') : count
}

/** Mapping zero gives anonymous memory; no other device can be mapped (drivers/char/mem.c: mmap_zero). */
export const is_zero_device = (mode: number, rdev: number): boolean =>
  (mode & S_IFMT) === S_IFCHR && rdev === DEV_ZERO
