/** How far `classify` is, on stderr: one line that is rewritten at a terminal, now and then a line elsewhere. */
import type { Writable } from "node:stream";

const TERMINAL_EVERY_MS = 100;
const LINES_EVERY_MS = 10_000;

export interface Tally {
  readonly done: number;
  /** Of those, rows of an earlier run. */
  readonly earlier: number;
  readonly failed: number;
  /** undefined until all have been counted. */
  readonly total: number | undefined;
}

export interface Progress {
  /** Shows the tally, unless the last one was shown a moment ago. */
  show(tally: Tally): void;
  /** Removes the line that is rewritten. */
  clear(): void;
}

/** @param now milliseconds of a monotonic clock. */
export function createProgress(stderr: Writable, now: () => number = () => performance.now()): Progress {
  const terminal = isTerminal(stderr);
  const startedMs = now();
  let shownMs = startedMs;
  return {
    show(tally) {
      const nowMs = now();
      if (nowMs - shownMs < (terminal ? TERMINAL_EVERY_MS : LINES_EVERY_MS)) return;
      shownMs = nowMs;
      const text = progressText(tally, nowMs - startedMs);
      stderr.write(terminal ? `\r\u001b[K${text}` : `${text}\n`);
    },
    clear() {
      if (terminal) stderr.write("\r\u001b[K");
    },
  };
}

export function isTerminal(stream: Writable): boolean {
  return "isTTY" in stream && stream.isTTY === true;
}

function progressText({ done, earlier, failed, total }: Tally, elapsedMs: number): string {
  const of = total === undefined ? "" : ` of ${total} (${Math.floor((100 * done) / Math.max(1, total))}%)`;
  const trouble = failed === 0 ? "" : `, ${failed} failed`;
  const perSecond = (done - earlier) / (elapsedMs / 1000);
  const left = total === undefined || perSecond === 0 ? "" : `, ${timeText((total - done) / perSecond)} left`;
  return `${done}${of}, ${perSecond.toFixed(0)} per second${left}${trouble}`;
}

function timeText(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}
