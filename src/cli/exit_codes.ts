/** What the command line exits with. */
export const exit = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  cannot_load: 3,
  incomplete: 4,
  /** The model and a real kernel differ. */
  disagreement: 5,
  /** This machine lacks what was asked for. */
  lacking: 6,
  /** A bug of toctoscope itself (EX_SOFTWARE of sysexits.h). */
  bug: 70,
} as const
