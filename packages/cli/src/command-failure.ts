/** A failure that its message explains; the command prints it without a stack and exits with 1. */
export class CommandFailure extends Error {
  override readonly name: string = "CommandFailure";
}
