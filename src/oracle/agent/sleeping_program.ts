/** A program that a kernel can run: it sleeps until it is killed. */

/** Machine code of `for (;;) pause()`, and the number of the machine in an ELF header. */
const machines: Readonly<Record<string, { readonly number: number; readonly code: readonly number[] }>> = {
  // mov $34, %eax; syscall; jmp to the beginning
  x64: { number: 62, code: [0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7] },
  // mov x0-x4, #0; mov x8, #73 (ppoll); svc #0; b to the beginning
  arm64: {
    number: 183,
    code: [
      ...[0, 1, 2, 3, 4].flatMap((register) => [register, 0, 0x80, 0xd2]),
      ...[0x28, 0x09, 0x80, 0xd2, 1, 0, 0, 0xd4, 0xf9, 0xff, 0xff, 0x17],
    ],
  },
}

/** Bytes of the headers: of the file, and of its one segment. */
export const HEADERS = 64 + 56
const LOAD_ADDRESS = 0x400000

function little_endian(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256)
}

/**
 * The program's file: an ELF header, one segment that is the whole file, and the code. The model takes it for
 * its minimal ELF.
 *
 * @param arch as `process.arch` names it
 * @returns bytes in base64
 */
export function sleeping_program(arch: string): string {
  const { number, code } = machines[arch] ?? machines.x64!
  const size = HEADERS + code.length
  const half = (value: number) => little_endian(value, 2)
  const word = (value: number) => little_endian(value, 4)
  const long = (value: number) => little_endian(value, 8)
  const bytes = [
    ...[0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    // e_type ET_EXEC, e_machine, e_version, e_entry, e_phoff, e_shoff, e_flags
    ...[
      ...half(2),
      ...half(number),
      ...word(1),
      ...long(LOAD_ADDRESS + HEADERS),
      ...long(64),
      ...long(0),
      ...word(0),
    ],
    // e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx
    ...[64, 56, 1, 64, 0, 0].flatMap(half),
    // p_type PT_LOAD, p_flags read and execute, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align
    ...[...word(1), ...word(5), ...long(0), ...long(LOAD_ADDRESS), ...long(LOAD_ADDRESS)],
    ...[...long(size), ...long(size), ...long(4096)],
    ...code,
  ]
  return btoa(String.fromCharCode(...bytes))
}
