/** Failures whose message is all that a person needs: it is printed without a stack. */
export class CommandFailed extends Error {
  readonly exitCode: number = 1;
}

/** There is no running bridge to talk to. */
export class NotRunning extends CommandFailed {
  override readonly exitCode: number = 3;
}
