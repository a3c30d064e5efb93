/**
 * Devices (fs/char_dev.c, drivers/char/mem.c): null, zero and full. No other has a driver here, so opening it is
 * ENXIO, as it is for a whiteout that is met in its layer.
 */
import { ENOSPC, ENXIO } from '../kernel/errno.js'
import type { Kernel } from '../kernel/machine.js'
import { S_IFCHR, S_IFMT } from './inode.js'
import { copy_to_user } from './task.js'

/** Device numbers as makedev(3) gives them; the memory devices have major number 1. */
export const DEV_NULL = 0x103
export const DEV_ZERO = 0x105
export const DEV_FULL = 0x107

/** @returns 0, or -ENXIO for what has no driver */
export function device_open(k: Kernel, character: boolean, rdev: number): number {
  if (character && (rdev === DEV_NULL || rdev === DEV_ZERO || rdev === DEV_FULL)) return 0
  return k.refuse(-ENXIO, 'no driver has such a device; null, zero and full have one')
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
