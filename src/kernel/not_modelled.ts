/**
 * What a kernel has an answer to and the model has none. Any answer would be a wrong one, and a verdict that rests
 * on it too: so whatever runs the model ends here, and says what it was.
 */
export class NotModelled extends Error {
  /** What the command line exits with: the scenario asks for more than there is. */
  readonly exit_code = 3

  /** @param what the thing, as the subject of a sentence */
  constructor(what: string) {
    super(`${what} is not modelled`)
    this.name = 'NotModelled'
  }
}
