/** How a load goes, on stderr: a line that is rewritten at a terminal, one every ten seconds elsewhere. */
import type { Writable } from "node:stream";
import { isTerminal } from "../classify/progress.js";
import type { LoadRecord } from "./load-record.js";

const LINES_EVERY_MS = 10_000;

export interface BenchProgress {
  /** Says a sentence of its own line. */
  say(sentence: string): void;
  show(record: LoadRecord): void;
  /** Removes the line that is rewritten. */
  clear(): void;
}

export function createBenchProgress(stderr: Writable): BenchProgress {
  const terminal = isTerminal(stderr);
  let shownMs = performance.now();
  const clear = (): void => {
    if (terminal) stderr.write("\r\u001b[K");
  };
  return {
    clear,
    say(sentence) {
      clear();
      stderr.write(`${sentence}\n`);
      shownMs = performance.now();
    },
    show(record) {
      const nowMs = performance.now();
      if (!terminal && nowMs - shownMs < LINES_EVERY_MS) return;
      shownMs = nowMs;
      const text = progressText(record);
      stderr.write(terminal ? `\r\u001b[K${text}` : `${text}\n`);
    },
  };
}

function progressText({ seconds, ok, failures }: LoadRecord): string {
  if (seconds === 0) return "warming up";
  const failed = [...failures.values()].reduce((sum, count) => sum + count, 0);
  const rate = (ok / seconds).toFixed(0);
  return `${seconds.toFixed(0)} s: ${ok} answered, ${rate} per second${failed === 0 ? "" : `, ${failed} failed`}`;
}
