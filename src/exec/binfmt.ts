/**
 * Formats of programs (fs/exec.c: exec_binprm; fs/binfmt_script.c, fs/binfmt_elf.c).
 *
 * The model knows two: scripts, and a minimal ELF. Any content that begins with the four bytes `\x7fELF` is
 * a program of one segment, the whole file, mapped readable and executable; it has no PT_INTERP. (A real
 * kernel wants a whole header, and answers ENOEXEC to those four bytes alone.)
 */
import { ELOOP, ENOENT, ENOEXEC } from '../kernel/errno.js'
import { attempt, call, done, fn, hand_over, jump, local, release, stage } from '../kernel/fn.js'
import type { Frame, Kernel, Outcome } from '../kernel/kernel.js'
import { int, ref, str, type ValuesOf } from '../kernel/schema.js'
import { security } from '../kernel/security.js'
import { file } from '../vfs/file.js'
import { fput } from '../vfs/files/file_table.js'
import { inode_ops } from '../vfs/inode.js'
import { stored_page } from '../vfs/memory/page_cache.js'
import { MAY_READ } from '../vfs/namei/permission.js'
import { write_denial } from '../vfs/open/write_access.js'
import { begin_new_exec } from './begin_new_exec.js'
import { do_open_execat, type ErrorAndFile, pass_denial, take_denial } from './open_execat.js'
import { BINPRM_BUF_SIZE, script_interpreter } from './script.js'

/** The first bytes of a program of the one binary format. */
const ELF_MAGIC = '\x7fELF'

/** A script may be interpreted by a script, and so on, this often. */
const MAX_INTERPRETERS = 5

const binprm = {
  /** What is open now: the script, then its interpreter, and so on. */
  file: ref('file'),
  filename: str(),
  /** The name leads nowhere after the exec: no interpreter could open it. */
  inaccessible: int(),
  by_descriptor: int(),
  /** The interpreter that the script names, and once it is open, its file. */
  interp: str(),
  interpreter: ref('file'),
  depth: int(),
  error: int(),
}
type Binprm = Frame<ValuesOf<typeof binprm>>

/**
 * Finds the format, and runs the program. Takes over the file with its denial and gives back the one that is
 * open at the end.
 *
 * @returns [0 or the error, file]
 *
 * Errors, at each level in this order: what a module answers to reading, or to the level; ENOEXEC (no format
 * knows it); ENOENT (a script by a close-on-exec descriptor); those of opening the interpreter; ELOOP (more
 * than five interpreters). Past the point of no return the task gets SIGSEGV.
 */
export const exec_binprm = fn<typeof binprm, ErrorAndFile>(
  'exec_binprm',
  { source: 'fs/exec.c', locals: binprm },
  [
    stage('prepare_binprm', (k, f) =>
      refused(k, f, security(k, 'file_permission', { file: f.file, mask: MAY_READ }), read_header),
    ),
    stage('security_bprm_check', (k, f) => {
      const { file: opened, filename } = f
      return refused(k, f, security(k, 'bprm_check_security', { file: opened, filename, is_check: false }))
    }),
    local('load_binary', (k, f) => refused(k, f, f.error)),
    attempt(
      (_, f) => (f.interp === ELF_MAGIC ? null : do_open_execat),
      (_, f) => ({ name: f.interp, lookup_empty: 1 }),
      (k, f, opened: number) => {
        if (opened < 0) return refused(k, f, opened)
        f.interpreter = opened
        take_denial(k, f, opened)
      },
      'open_exec',
    ),
    local('interpreter', (_, f) => (f.interpreter === 0 ? jump(f, 'begin_new_exec') : undefined)),
    // From here on the script may be written again, while its interpreter reads it.
    stage('exe_file_allow_write_access', (k, f) => {
      if (!k.has('exec_denies_writes')) return
      hand_over(f, write_denial)
      release(k, f, write_denial)
      take_denial(k, f, f.interpreter)
    }),
    call(fput, (_, f) => ({ file: f.file })),
    local('depth', (k, f) => {
      f.file = f.interpreter
      f.interpreter = 0
      f.depth += 1
      if (f.depth > MAX_INTERPRETERS) {
        return refused(k, f, k.refuse(-ELOOP, `more than ${MAX_INTERPRETERS} interpreters`))
      }
      return jump(f, 'prepare_binprm')
    }),
    attempt(
      begin_new_exec,
      (_, f) => ({ file: f.file, filename: f.filename, by_descriptor: f.by_descriptor }),
      (k, f, ret: number) => give_back(k, f, ret),
    ),
  ],
)

/** Ends with an error where there is one; else goes on, with `then` if it is given. */
function refused(k: Kernel, f: Binprm, error: number, then?: (k: Kernel, f: Binprm) => void): Outcome {
  if (error !== 0) return give_back(k, f, error)
  then?.(k, f)
}

function give_back(k: Kernel, f: Binprm, error: number): Outcome {
  pass_denial(k, f)
  return done(f, [error, f.file])
}

/**
 * Reads the first bytes, as `read` would: from the inode that holds the data now. What follows from them is
 * noted at once, so that the bytes need not be kept.
 */
function read_header(k: Kernel, f: Binprm): void {
  const { f_inode } = file(k, f.file)
  const from = inode_ops(k, f_inode).file_data_inode?.(k, f.file) ?? f_inode
  const buf = stored_page(k, from, 0).slice(0, BINPRM_BUF_SIZE)
  f.error = 0
  f.interp = buf.startsWith(ELF_MAGIC) ? ELF_MAGIC : (script_interpreter(buf) ?? NO_FORMAT)
  if (f.interp === NO_FORMAT) f.error = -ENOEXEC
  else if (f.interp !== ELF_MAGIC && f.inaccessible === 1) f.error = -ENOENT
}

/** No path: none contains a newline here, since a script's first line ends at one. */
const NO_FORMAT = '\n'
