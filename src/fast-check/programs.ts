/** Random programs: a few system calls whose arguments mostly mean something. */
import fc from 'fast-check'
import { suggestion } from '../scenario/error.js'
import type { ArgumentForm, OpForm } from '../scenario/form.js'

/** What random programs are made of. */
export interface ProgramOptions {
  /** What operations there may be, of `operations`; all unless told. */
  readonly operations?: readonly string[]
  /** Paths that calls name. */
  readonly paths?: readonly string[]
  /** Operations at least and at most. One on a descriptor opens one first where there is none. */
  readonly min?: number
  /** Operations at most. */
  readonly max?: number
}

/** Paths that calls name unless told; some stand there twice, so that tasks meet. */
const PATHS = ['/m/f', '/m/f', '/m/g', '/m/d/f', '/m/s', '/m/d', '/f', '/f', '/g', '/d/f', '/s', '/b/f']

/** Numbers from which an operation takes what it must choose. */
interface Wish {
  readonly op: string
  readonly path: number
  readonly other: number
  readonly which: number
  readonly number: number
}

const CHECK = 'AT_EMPTY_PATH|AT_EXECVE_CHECK'
const modes = [0o755, 0o600, 0o777, 0]
const lengths = [0, 4, 4096, 3, 5000]

/** A program being written: it knows the names of results. */
class Writer {
  readonly program: OpForm[] = []
  private readonly fds: string[] = []
  private readonly maps: string[] = []
  private names = 0

  constructor(private readonly paths: readonly string[]) {}

  path(wish: number): string {
    return this.paths[wish % this.paths.length]!
  }

  call(name: string, ...args: ArgumentForm[]): string {
    const as = `${name}${++this.names}`
    this.program.push({ call: name, args, as, on_error: 'continue' })
    return as
  }

  open(wish: Wish, flags: string): string {
    const fd = this.call('open', this.path(wish.path), flags, 0o755)
    this.fds.push(fd)
    return fd
  }

  fd(wish: Wish, flags = 'O_RDWR'): ArgumentForm {
    if (this.fds.length === 0) this.open(wish, flags)
    return { $: this.fds[wish.which % this.fds.length]! }
  }

  dup(wish: Wish): void {
    this.fds.push(this.call('dup', this.fd(wish, 'O_RDONLY')))
  }

  map(wish: Wish, prot: string, flags: string, fd: ArgumentForm = this.fd(wish)): string {
    const address = this.call('mmap', 0, 4096, prot, flags, fd, 0)
    this.maps.push(address)
    return address
  }

  address(wish: Wish): ArgumentForm {
    if (this.maps.length === 0) this.map(wish, 'PROT_READ|PROT_WRITE', 'MAP_SHARED')
    return { $: this.maps[wish.which % this.maps.length]! }
  }

  check(wish: Wish): void {
    this.ask(this.fd(wish, 'O_RDONLY'))
  }

  /** Opens a file, asks the check, and takes its bytes for what was judged; sometimes asks after reading. */
  use(wish: Wish): void {
    const fd = { $: this.open(wish, 'O_RDONLY') }
    const early = wish.number % 3 !== 0
    const asked = early ? this.ask(fd) : undefined
    const part = wish.other % 3 === 2
    const use = this.bytes(wish, fd)
    const relies = asked ?? this.ask(fd)
    // biome-ignore lint/suspicious/noThenProperty: data, which nobody awaits
    this.program.push({ if: { result: relies, ok: true }, then: [{ use, relies, part }] })
  }

  /** Asks about a path, and then opens it. */
  use_path(wish: Wish): void {
    const path = this.path(wish.path)
    const relies = this.call('execveat', 'AT_FDCWD', path, null, null, 'AT_EXECVE_CHECK')
    const use = this.bytes({ ...wish, other: 0 }, { $: this.open(wish, 'O_RDONLY') })
    // biome-ignore lint/suspicious/noThenProperty: data, which nobody awaits
    this.program.push({ if: { result: relies, ok: true }, then: [{ use, relies }] })
  }

  private ask(fd: ArgumentForm): string {
    return this.call('execveat', fd, '', null, null, CHECK)
  }

  private bytes(wish: Wish, fd: ArgumentForm): string {
    switch (wish.other % 3) {
      case 0:
        return this.call('read', fd, 64)
      case 1:
        return this.call('pread', fd, 64, 0)
      default:
        return this.call('peek', { $: this.map(wish, 'PROT_READ', 'MAP_PRIVATE', fd) }, 4)
    }
  }

  /** A child that goes on with what its parent has. */
  fork(wish: Wish): void {
    const fd = this.fd(wish)
    const child: OpForm[] = [
      { call: 'write', args: [fd, 'child'], as: `child${++this.names}`, on_error: 'continue' },
      {
        call: wish.number % 2 === 0 ? 'exit' : 'close',
        args: [fd],
        as: `gone${this.names}`,
        on_error: 'continue',
      },
    ]
    this.program.push({ call: 'fork', args: [], as: `fork${this.names}`, on_error: 'continue', child })
  }

  /** The last call again, only if it failed. */
  again(wish: Wish): void {
    const last = this.program.at(-1)
    if (last === undefined || !('call' in last) || last.child !== undefined) return
    const again = { ...last, as: `${last.call}${++this.names}` }
    const tests = [{ failed: true }, { ok: true }, { errno: 'ETXTBSY' }] as const
    // biome-ignore lint/suspicious/noThenProperty: data, which nobody awaits
    this.program.push({ if: { result: last.as!, ...tests[wish.number % 3] }, then: [again] })
  }
}

const pick = <T>(list: readonly T[], wish: number): T => list[wish % list.length]!
type Write = (w: Writer, wish: Wish) => unknown

/** What each operation writes. */
const writers: Readonly<Record<string, Write>> = {
  open_read: (w, wish) => w.open(wish, 'O_RDONLY'),
  open_write: (w, wish) => w.open(wish, pick(['O_WRONLY', 'O_RDWR', 'O_WRONLY|O_APPEND'], wish.number)),
  open_truncate: (w, wish) => w.open(wish, 'O_WRONLY|O_TRUNC'),
  open_create: (w, wish) =>
    w.open(wish, pick(['O_RDWR|O_CREAT', 'O_WRONLY|O_CREAT|O_EXCL', 'O_RDWR|O_CREAT|O_TRUNC'], wish.number)),
  open_other: (w, wish) => w.open(wish, pick(['O_PATH', 'O_RDONLY|O_NOFOLLOW', 'O_DIRECTORY'], wish.number)),
  open_tmpfile: (w, wish) => w.open(wish, 'O_RDWR|O_TMPFILE'),
  openat: (w, wish) =>
    w.call('openat', w.fd(wish, 'O_RDONLY'), pick(['f', '', '.', '../f'], wish.number), 'O_RDONLY'),
  close: (w, wish) => w.call('close', w.fd(wish)),
  dup: (w, wish) => w.dup(wish),
  dup2: (w, wish) => w.call('dup2', w.fd(wish), pick([0, 3, 4, -1], wish.number)),
  read: (w, wish) => w.call('read', w.fd(wish, 'O_RDONLY'), pick([64, 2], wish.number)),
  pread: (w, wish) => w.call('pread', w.fd(wish, 'O_RDONLY'), 64, pick([0, 2], wish.number)),
  write: (w, wish) => w.call('write', w.fd(wish), pick(['evil', 'x', ''], wish.number)),
  pwrite: (w, wish) => w.call('pwrite', w.fd(wish), 'XY', 2, pick([0, 4095], wish.number)),
  lseek: (w, wish) =>
    w.call('lseek', w.fd(wish), pick([0, 2], wish.other), pick([0, 1, 2, 3, 4], wish.number)),
  truncate: (w, wish) => w.call('truncate', w.path(wish.path), pick(lengths, wish.number)),
  ftruncate: (w, wish) => w.call('ftruncate', w.fd(wish), pick(lengths, wish.number)),
  stat: (w, wish) => w.call(pick(['stat', 'lstat'], wish.number), w.path(wish.path)),
  fstat: (w, wish) => w.call('fstat', w.fd(wish, 'O_RDONLY')),
  chmod: (w, wish) => w.call('chmod', w.path(wish.path), pick(modes, wish.number)),
  fchmod: (w, wish) => w.call('fchmod', w.fd(wish), pick(modes, wish.number)),
  chown: (w, wish) =>
    w.call(pick(['chown', 'lchown'], wish.other), w.path(wish.path), pick([0, 1000, -1], wish.number), -1),
  access: (w, wish) => w.call('access', w.path(wish.path), wish.number % 8),
  rename: (w, wish) => w.call('rename', w.path(wish.path), w.path(wish.other)),
  renameat2: (w, wish) =>
    w.call('renameat2', -100, w.path(wish.path), -100, w.path(wish.other), pick([1, 2, 4, 0], wish.number)),
  unlink: (w, wish) => w.call('unlink', w.path(wish.path)),
  rmdir: (w, wish) => w.call('rmdir', w.path(wish.path)),
  unlinkat: (w, wish) =>
    w.call('unlinkat', 'AT_FDCWD', w.path(wish.path), pick(['AT_REMOVEDIR', 0], wish.number)),
  mkdir: (w, wish) => w.call('mkdir', w.path(wish.path), pick(modes, wish.number)),
  mknod: (w, wish) =>
    w.call('mknod', w.path(wish.path), pick(['S_IFIFO', 'S_IFREG', 'S_IFCHR'], wish.number), 0),
  link: (w, wish) => w.call('link', w.path(wish.path), w.path(wish.other)),
  symlink: (w, wish) => w.call('symlink', pick(['f', '/m/f', 's', 'd'], wish.number), w.path(wish.path)),
  readlink: (w, wish) => w.call('readlink', w.path(wish.path), 64),
  map: (w, wish) =>
    w.map(
      wish,
      pick(['PROT_READ', 'PROT_READ|PROT_WRITE', 'PROT_EXEC|PROT_READ'], wish.other),
      pick(['MAP_PRIVATE', 'MAP_SHARED'], wish.number),
    ),
  map_anonymous: (w, wish) =>
    w.map(
      wish,
      'PROT_READ|PROT_WRITE',
      pick(['MAP_PRIVATE', 'MAP_SHARED'], wish.number).concat('|MAP_ANONYMOUS'),
      -1,
    ),
  peek: (w, wish) => w.call('peek', w.address(wish), 4),
  poke: (w, wish) => w.call('poke', w.address(wish), 'poke'),
  munmap: (w, wish) => w.call('munmap', w.address(wish), 4096),
  mprotect: (w, wish) => w.call('mprotect', w.address(wish), 4096, pick([1, 3, 5, 0], wish.number)),
  check: (w, wish) => w.check(wish),
  check_path: (w, wish) => w.call('execveat', 'AT_FDCWD', w.path(wish.path), null, null, 'AT_EXECVE_CHECK'),
  use: (w, wish) => w.use(wish),
  use_path: (w, wish) => w.use_path(wish),
  exec: (w, wish) =>
    pick([true, false], wish.number)
      ? w.call('execve', w.path(wish.path), null, null)
      : w.call('execveat', w.fd(wish, 'O_RDONLY'), '', null, null, 'AT_EMPTY_PATH'),
  securebits: (w, wish) =>
    w.call('prctl', pick(['PR_SET_SECUREBITS', 'PR_GET_SECUREBITS'], wish.other), (wish.number % 16) << 8),
  chdir: (w, wish) => w.call('chdir', w.path(wish.path)),
  fchdir: (w, wish) => w.call('fchdir', w.fd(wish, 'O_RDONLY')),
  umask: (w, wish) => w.call('umask', pick([0, 0o077], wish.number)),
  fork: (w, wish) => w.fork(wish),
  again: (w, wish) => w.again(wish),
  exit: (w) => w.call('exit', 0),
}

/** Names of the operations that programs are made of. */
export const operations: readonly string[] = Object.keys(writers)

/**
 * A program. Its calls go on after errors.
 *
 * @throws RangeError for an operation that there is not, with the nearest that there is
 */
export function programs(options: ProgramOptions = {}): fc.Arbitrary<readonly OpForm[]> {
  const unknown = options.operations?.find((each) => !operations.includes(each))
  if (unknown !== undefined)
    throw new RangeError(`there is no operation ${JSON.stringify(unknown)}${suggestion(unknown, operations)}`)
  const { min = 1, max = 6, paths = PATHS } = options
  const wish = fc.record<Wish>({
    op: fc.constantFrom(...(options.operations ?? operations)),
    path: fc.nat(paths.length - 1),
    other: fc.nat(19),
    which: fc.nat(2),
    number: fc.nat(59),
  })
  return fc.array(wish, { minLength: min, maxLength: max }).map((wishes) => {
    const writer = new Writer(paths)
    for (const each of wishes) writers[each.op]!(writer, each)
    return writer.program
  })
}
