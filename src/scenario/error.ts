/** What is wrong with a scenario, said to the person who wrote it. */

export { nearest, suggestion } from '../kernel/spelling.js'

/** A scenario that cannot be loaded: the message names the field and what was expected there. */
export class ScenarioError extends Error {
  /** What the command line exits with. */
  readonly exit_code = 3

  /**
   * @param path where in the document: `cases[0].tasks[1].program[2].args[0]`, or empty for all of it
   * @param problem what is wrong there and what was expected
   */
  constructor(
    readonly path: string,
    readonly problem: string,
  ) {
    super(path === '' ? problem : `${path}: ${problem}`)
    this.name = 'ScenarioError'
  }
}
