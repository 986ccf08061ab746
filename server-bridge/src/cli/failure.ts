/** A failure whose message is all that a person needs: it is printed without a stack. */
export class CommandFailed extends Error {}
