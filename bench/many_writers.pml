/*
 * A sketch of bench/family.ts for SPIN: one interpreter that opens a script on an overlay, asks whether it may be executed,
 * and reads it; N writers that open, write and close it. A statement is a stage of the model that others can meet, and
 * whatever else the kernel does is left out: no walks, no credentials, no descriptors, no reference counts.
 *
 *     spin -DN=3 -a many_writers.pml && gcc -O2 -o pan pan.c && ./pan -c0
 */
#ifndef N
#define N 3
#endif

#define NOBODY 255

byte lower = 1;          /* what the signed image holds: 1 good, 2 evil */
byte upper;              /* what the copy holds */
bool is_up;              /* the copy is published (ovl_inode_update) */
byte copying = NOBODY;   /* who holds the mutex of the copy-up */
byte i_rwsem = NOBODY;   /* of the upper inode */
short writecount[2];     /* of the overlay inode, and of the upper one: writers above zero, deniers below */
byte judged;             /* what the check said yes to */
byte used;

inline get_write_access(which, ok) {
  d_step { if :: writecount[which] < 0 -> ok = false :: else -> writecount[which]++; ok = true fi }
}
inline put_write_access(which) { writecount[which]-- }

active proctype interpreter() {
  byte real_at_open;
  /* open: the real file is that of now */
  real_at_open = is_up;
  /* fstat */
  skip;
  /* execveat(AT_EXECVE_CHECK): writes are denied while the modules judge */
  if
  :: d_step { writecount[0] > 0 -> judged = 0 }
  :: d_step { writecount[0] <= 0 -> writecount[0]-- };
     d_step { if :: is_up -> judged = 0 :: else -> judged = lower fi };
     writecount[0]++
  fi;
  if
  :: judged == 0 -> skip
  :: else ->
     /* read: from what is the real file by now */
     d_step { if :: is_up -> real_at_open = 1 :: else -> skip fi };
     d_step { if :: real_at_open -> used = upper :: else -> used = lower fi };
     assert(used == judged)
  fi
}

active [N] proctype writer() {
  bool ok;
  byte copied;
  /* may_open, then write access of the overlay inode */
  get_write_access(0, ok);
  if
  :: !ok -> goto done
  :: else
  fi;
  /* ovl_maybe_copy_up */
  if
  :: is_up
  :: !is_up ->
     d_step { copying == NOBODY -> copying = _pid };
     if
     :: is_up -> copying = NOBODY
     :: !is_up ->
        copied = lower;                         /* ovl_copy_up_file */
        upper = copied;                         /* ovl_do_link */
        d_step { is_up = true; copying = NOBODY } /* ovl_inode_update */
     fi
  fi;
  /* ovl_open_realfile */
  get_write_access(1, ok);
  /* write: the lock of the overlay inode, then that of the real one */
  d_step { i_rwsem == NOBODY -> i_rwsem = _pid };
  upper = 2;
  i_rwsem = NOBODY;
  /* close: the real file's write access goes back, then its own */
  put_write_access(1);
  put_write_access(0);
done:
  skip
}
