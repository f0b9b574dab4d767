/** A limit of time for work that also ends with its caller. */

/**
 * Runs work whose signal aborts with the caller's, and after `timeoutMs` with a `TimeoutError`.
 *
 * In place of `AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])`: Node 20 lets go of the timeout at the next
 * garbage collection, after which nothing ends the work; and such a timeout alone does not keep the process alive.
 *
 * @throws what `work` throws.
 */
export async function withDeadline<T>(
  timeoutMs: number,
  signal: AbortSignal,
  work: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const end = (): void => limit.abort(signal.reason);
  if (signal.aborted) end();
  signal.addEventListener("abort", end, { once: true });
  const timer = setTimeout(
    () => limit.abort(new DOMException(`no answer within ${timeoutMs} ms`, "TimeoutError")),
    timeoutMs,
  );
  try {
    return await work(limit.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  }
}
