/**
 * FIFOs (fs/pipe.c): who has which end open, and the bytes on their way.
 *
 *     open                      sleeps until the other end is there, or with O_NONBLOCK does not (ENXIO for a writer)
 *     read                      what there is; its end once nobody has it open for writing
 *     write                     as much as there is room for; EPIPE once nobody has it open for reading
 *
 * The kernel has the pipe's mutex around each of these; here each is one stage. What wakes a sleeper in open is
 * that the other end was opened at all, though it may be closed again by then: hence the two counters.
 */
import { EAGAIN, EFAULT, EINVAL, ENXIO, EPIPE } from '../../kernel/errno.js'
import { done, fn, hold, stage, take } from '../../kernel/fn.js'
import type { Kernel } from '../../kernel/kernel.js'
import { AGAIN, BLOCKED, type Frame } from '../../kernel/kernel.js'
import { int, list, ref, str, table } from '../../kernel/schema.js'
import { FMODE_READ, FMODE_STREAM, FMODE_WRITE, file } from '../file.js'
import { PAGE_SIZE, S_IFIFO, S_IFMT } from '../inode.js'
import { O_NONBLOCK } from '../open/open_flags.js'
import { copy_to_user } from '../tasks/task.js'

/** struct pipe_inode_info; its number is the inode's. It is there while some file is open on the FIFO. */
export const pipe = table('pipe_inode_info', {
  ends: { readers: int(), writers: int(), files: int() },
  /** How often each end was opened. */
  opens: { r_counter: int(), w_counter: int() },
  /** The bytes, and of each buffer a pair: how much of it was read, how much is left. */
  data: { data: str(), bufs: list() },
})

/** Buffers of a page each (include/linux/pipe_fs_i.h: PIPE_DEF_BUFFERS). */
const PIPE_DEF_BUFFERS = 16

export const is_fifo = (mode: number): boolean => (mode & S_IFMT) === S_IFIFO

const reads = (f_mode: number): number => ((f_mode & FMODE_READ) !== 0 ? 1 : 0)
const writes = (f_mode: number): number => ((f_mode & FMODE_WRITE) !== 0 ? 1 : 0)

/** A file that was opened on a FIFO goes; with the last one go the bytes (fs/pipe.c: pipe_release). */
export function pipe_release(k: Kernel, id: number): void {
  const { f_inode, f_mode } = file(k, id)
  if ((f_mode & FMODE_STREAM) === 0) return
  const fifo = pipe(k, f_inode)
  if (fifo.files === 1) {
    pipe.remove(k, f_inode)
    return
  }
  fifo.files -= 1
  fifo.readers -= reads(f_mode)
  fifo.writers -= writes(f_mode)
}

/** An end that an open which has not succeeded yet has taken. */
export const fifo_end = hold('pipe_release', pipe_release)

/** The counter that tells an opener that the other end has come. */
const partner_counter = (f_mode: number) => (writes(f_mode) === 1 ? 'r_counter' : 'w_counter')

type Opening = Frame<{ file: number; fifo: number; awaited: number }>

/**
 * Takes the ends that a file asks for, and notes the other end's counter where the open must wait for it to move.
 *
 * @returns 0, -EINVAL (access mode 3), or -ENXIO (O_NONBLOCK for writing without a reader)
 */
export function fifo_open(k: Kernel, f: Opening): number {
  const { f_inode, f_mode, f_flags } = file(k, f.file)
  const [read, write] = [reads(f_mode), writes(f_mode)]
  if (read + write === 0) return k.refuse(-EINVAL, 'a FIFO is opened for reading, for writing or for both')
  const nonblock = (f_flags & O_NONBLOCK) !== 0
  const there = pipe.has(k, f_inode)
  if (read === 0 && nonblock && !(there && pipe(k, f_inode).readers > 0)) {
    return k.refuse(-ENXIO, 'nobody has the FIFO open for reading')
  }
  const fifo = there ? pipe(k, f_inode) : pipe.create_at(k, f_inode, {})
  fifo.files += 1
  fifo.readers += read
  fifo.writers += write
  fifo.r_counter += read
  fifo.w_counter += write
  take(f, fifo_end, f.file)
  f.fifo = 1
  const alone = fifo.readers === 0 || fifo.writers === 0
  if (alone && !nonblock) f.awaited = fifo[partner_counter(f_mode)]
  return 0
}

/** Sleeps until the other end has been opened since. */
export const wait_for_partner = fn(
  'wait_for_partner',
  { source: 'fs/pipe.c', locals: { file: ref('file'), since: int() } },
  [
    stage('wait_for_partner', (k, f) => {
      const { f_inode, f_mode } = file(k, f.file)
      return pipe(k, f_inode)[partner_counter(f_mode)] === f.since ? BLOCKED : undefined
    }),
  ],
)

// --- reading and writing -----------------------------------------------------------------------------------

/** What is left of the buffers when so many bytes have been read. */
function consume(bufs: readonly number[], count: number): number[] {
  const left: number[] = []
  for (let i = 0; i < bufs.length; i += 2) {
    const [offset, length] = [bufs[i]!, bufs[i + 1]!]
    const taken = Math.min(count, length)
    count -= taken
    if (taken < length) left.push(offset + taken, length - taken)
  }
  return left
}

/** Bytes, those of one read. Errors: EAGAIN (nothing there, O_NONBLOCK). @returns their number; 0 at the end */
export const pipe_read = fn(
  'pipe_read',
  { source: 'fs/pipe.c', locals: { file: ref('file'), pos: int(), count: int() } },
  [
    stage('pipe_read', (k, f) => {
      const { f_inode, f_flags } = file(k, f.file)
      const fifo = pipe(k, f_inode)
      if (f.count === 0) return done(f, 0)
      if (fifo.data === '') {
        if (fifo.writers === 0) return done(f, 0)
        return (f_flags & O_NONBLOCK) !== 0 ? k.refuse(-EAGAIN, 'the FIFO is empty') : BLOCKED
      }
      const bytes = fifo.data.slice(0, f.count)
      fifo.data = fifo.data.slice(bytes.length)
      fifo.bufs = consume(fifo.bufs, bytes.length)
      copy_to_user(k, bytes, 0)
      return done(f, bytes.length)
    }),
  ],
)

/** How much of `length` bytes there is room for, and the buffers with it: the last one is filled up where all of the odd rest fits. */
function room_for(bufs: readonly number[], length: number): { taken: number; bufs: number[] } {
  const after = [...bufs]
  let taken = 0
  const odd = length % PAGE_SIZE
  const last = after.length - 2
  if (odd > 0 && last >= 0 && after[last]! + after[last + 1]! + odd <= PAGE_SIZE) {
    after[last + 1]! += odd
    taken = odd
  }
  while (taken < length && after.length < 2 * PIPE_DEF_BUFFERS) {
    const part = Math.min(PAGE_SIZE, length - taken)
    after.push(0, part)
    taken += part
  }
  return { taken, bufs: after }
}

/**
 * Bytes to be read. Errors, in order: EPIPE (no reader; SIGPIPE is ignored here), EAGAIN (no room, O_NONBLOCK), EFAULT.
 * @returns their number
 */
export const pipe_write = fn(
  'pipe_write',
  {
    source: 'fs/pipe.c',
    locals: { file: ref('file'), pos: int(), data: str(), unmapped: int(), written: int() },
  },
  [
    stage('pipe_write', (k, f) => {
      const { f_inode, f_flags } = file(k, f.file)
      const fifo = pipe(k, f_inode)
      if (f.data === '' && f.unmapped === 0) return done(f, 0)
      const none = fifo.readers === 0 ? -EPIPE : (f_flags & O_NONBLOCK) !== 0 ? -EAGAIN : 0
      const rest = f.data.slice(f.written)
      const wanted = f.unmapped === 1 ? 1 : rest.length
      const { taken, bufs } = fifo.readers === 0 ? { taken: 0, bufs: [] } : room_for(fifo.bufs, wanted)
      if (taken === 0) {
        if (none === 0) return BLOCKED
        return f.written > 0 ? done(f, f.written) : k.refuse(none, 'nobody reads the FIFO, or it is full')
      }
      if (f.unmapped === 1) return k.refuse(-EFAULT, 'there are no bytes to be written')
      fifo.data += rest.slice(0, taken)
      fifo.bufs = bufs
      f.written += taken
      return f.written < f.data.length ? AGAIN : done(f, f.written)
    }),
  ],
)
