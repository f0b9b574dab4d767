/** What a batcher runs its batches on. */

/** What became of a batch. */
export type BatchOutcome<Output> =
  | {
      readonly kind: "outputs";
      /** One per input, in the same order. */
      readonly outputs: readonly Output[];
      /** On the clock of `performance.now()`. */
      readonly startedAt: number;
      readonly runMs: number;
    }
  /** It did not run, and shall be queued again. */
  | { readonly kind: "called-back" };

export interface BatchRun<Output> {
  readonly done: Promise<BatchOutcome<Output>>;
  /** False while it waits behind another run. */
  readonly hasBegun: boolean;
  /** Takes the batch back, if it has not begun. */
  callBack(): void;
}

/** Where batches run: a pool of sessions. */
export interface BatchTarget<Input, Output> {
  /** What a batch would find that came now: an idle session, or a place right behind the run of one, or neither. */
  readonly room: "idle" | "ahead" | "none";
  /**
   * Runs the inputs together.
   *
   * @param lives sessions that may die over this run: with more than one, it is tried again on another.
   */
  run(inputs: readonly Input[], lives: number): BatchRun<Output>;
  /** Requests wait, for which there was no room. */
  noRoom(): void;
}
