/**
 * Who gets a run that waits in a worker's inbox: the worker, which begins it, or the server, which calls it back. One
 * word of memory that both see, taken once.
 */

/** Crosses the border between the threads as it is. */
export type RunClaim = Int32Array<SharedArrayBuffer>;

const OPEN = 0;
const BEGUN = 1;
const CALLED_BACK = 2;

export function openClaim(): RunClaim {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

/** The worker's side. @returns false when the run was called back. */
export function begin(claim: RunClaim): boolean {
  return Atomics.compareExchange(claim, 0, OPEN, BEGUN) === OPEN;
}

/** The server's side. @returns false when the run has begun, or was called back before. */
export function callBack(claim: RunClaim): boolean {
  return Atomics.compareExchange(claim, 0, OPEN, CALLED_BACK) === OPEN;
}

export function hasBegun(claim: RunClaim): boolean {
  return Atomics.load(claim, 0) === BEGUN;
}

/** Milliseconds on a clock that all threads of the process share; `performance.now()` counts from each one's start. */
export function sharedNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}
