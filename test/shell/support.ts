import { validate_setup } from '../../src/scenario/form_schema.js'
import { Protocol } from '../../src/shell/protocol.js'
import { Session, type SessionOptions } from '../../src/shell/session.js'

/** What an answer may say, for tests that look at some of it. */
export interface Told {
  readonly id: unknown
  readonly ret?: number
  readonly errno?: string
  readonly signal?: string
  readonly exec?: string
  readonly error?: string
  readonly data?: string
  readonly stat?: Readonly<Record<string, number>>
  readonly blocked?: true
}

/** A shell that is told requests as objects. */
export class JsonShell {
  readonly session: Session
  readonly protocol: Protocol
  private id = 0

  constructor(options: SessionOptions = {}) {
    this.session = new Session(options)
    this.protocol = new Protocol(this.session, async (given) => validate_setup(given))
  }

  /** The answer to a line, as it is written. */
  line(text: string): string {
    const answer = this.protocol.answer(text)
    if (typeof answer !== 'string') throw new Error('the answer comes later')
    return answer
  }

  async ask(request: object): Promise<Told> {
    return JSON.parse(await this.protocol.answer(JSON.stringify(request))) as Told
  }

  /** The answer to a call, without its id. */
  call(task: number, call: string, ...args: readonly unknown[]): Omit<Told, 'id'> {
    const { id: _, ...answer } = JSON.parse(
      this.line(JSON.stringify({ id: ++this.id, task, call, args })),
    ) as Told
    return answer
  }

  /** The text of the bytes that a call gave. */
  data(task: number, call: string, ...args: readonly unknown[]): string {
    return atob(this.call(task, call, ...args).data ?? '')
  }
}
