/** The directories whose mutants are judged. */
export const JUDGED = [
  'src/explore',
  'src/kernel',
  'src/scenario',
  'src/exec',
  'src/overlay',
  'src/lsm',
  'src/verdict',
]
