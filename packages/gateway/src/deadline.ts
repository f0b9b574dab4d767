/** The one AbortSignal of a request. */
import { ServeError } from "@vitrine/protocol/status";

export interface Deadline {
  /** Aborts with a ServeError: DEADLINE_EXCEEDED when the time is up, CANCELLED when the caller has gone. */
  readonly signal: AbortSignal;
  /** What is left of the time, at least 1. */
  remainingMs(): number;
  /** Stops the clock and lets go of the caller: the signal does not abort any more. */
  clear(): void;
}

/**
 * Starts the clock.
 *
 * @param caller aborts when nobody waits for the answer any more.
 */
export function startDeadline(timeoutMs: number, caller?: AbortSignal): Deadline {
  const controller = new AbortController();
  const endsAt = performance.now() + timeoutMs;
  const timer = setTimeout(() => {
    controller.abort(
      new ServeError("DEADLINE_EXCEEDED", `request was not answered within its ${timeoutMs} ms`),
    );
  }, timeoutMs);
  const leave = (): void => {
    clearTimeout(timer);
    controller.abort(new ServeError("CANCELLED", "request was cancelled by the caller"));
  };
  if (caller?.aborted === true) leave();
  else caller?.addEventListener("abort", leave, { once: true });
  return {
    signal: controller.signal,
    remainingMs: () => Math.max(1, Math.ceil(endsAt - performance.now())),
    clear() {
      clearTimeout(timer);
      caller?.removeEventListener("abort", leave);
    },
  };
}

/** What an aborted signal is to be reported as: its reason when that is a ServeError, else CANCELLED. */
export function abortError(signal: AbortSignal): ServeError {
  return signal.reason instanceof ServeError
    ? signal.reason
    : new ServeError("CANCELLED", "request was cancelled", { cause: signal.reason });
}

/**
 * Waits for work that cannot be stopped, but no longer than until `signal` aborts. Whoever passes it sees to what it
 * leaves behind.
 *
 * @throws what {@link abortError} makes of the signal.
 */
export function orAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(abortError(signal));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
