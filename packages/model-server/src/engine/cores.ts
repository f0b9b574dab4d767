/** How sessions share the cores of the process. */

/** Sessions beyond this would cost more memory than they bring; their threads get the other cores. */
const MAX_DEFAULT_WORKERS = 8;

/**
 * Workers and threads per worker whose product is at most `cores`. One thread in each of many sessions serves more
 * requests than many threads in one: operators of small batches do not split evenly. Measured on two cores: 10.4 ms of CPU per picture with two sessions of
 * one thread, 10.9 with one session of two (medians of three, clothing model int8, a busy machine).
 */
export function shareCores(
  cores: number,
  given: { readonly workers: number | undefined; readonly intraOpThreads: number | undefined },
): { readonly workers: number; readonly intraOpThreads: number } {
  const workers =
    given.workers ??
    Math.max(1, Math.min(MAX_DEFAULT_WORKERS, Math.floor(cores / (given.intraOpThreads ?? 1))));
  const intraOpThreads = given.intraOpThreads ?? Math.max(1, Math.floor(cores / workers));
  return { workers, intraOpThreads };
}
