/** What came of the requests of a load, as it is gathered. */
import { performance } from "node:perf_hooks";
import { ABANDONED, type Answer } from "./send.js";
import { createSeries, type Series } from "./series.js";

export interface LoadRecord {
  /** From the end of the warm-up to the last answer that counts. */
  readonly seconds: number;
  readonly ok: number;
  readonly failures: ReadonlyMap<string, number>;
  /**
   * Milliseconds of the requests that were answered. In an open loop they count from the moment at which the request
   * was due, so that a target that halts is seen by all who would have asked meanwhile.
   */
  readonly latencyMs: Series;
  /** By stage: those of `Server-Timing` but `total`; `waiting` is what they leave of it, `network` what it leaves of the answer's time. */
  readonly stagesMs: ReadonlyMap<string, Series>;
  /** Open loop only: how late requests were sent. More than a few milliseconds is the loader's fault, or the limit of requests under way. */
  readonly latenessMs: Series;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Answers that the gateway had in its memory. */
  readonly cached: number;
  /** CPU seconds of this process per second, and the share of time in which its event loop was at work. */
  readonly loader: { readonly cores: number; readonly busyShare: number };
}

interface Ended {
  readonly answer: Answer;
  readonly dueMs: number;
  readonly sentMs: number;
  readonly endedMs: number;
  readonly bytes: number;
}

/** @param countFromMs when the warm-up is over, on the clock of `performance.now()`. */
export function createRecord(countFromMs: number) {
  const latencyMs = createSeries();
  const latenessMs = createSeries();
  const stagesMs = new Map<string, Series>();
  const failures = new Map<string, number>();
  let lastMs = countFromMs;
  let sentBytes = 0;
  let receivedBytes = 0;
  let cached = 0;
  let cpuAtBegin = process.cpuUsage();
  let loopAtBegin = performance.eventLoopUtilization();

  function fail(outcome: string): void {
    failures.set(outcome, (failures.get(outcome) ?? 0) + 1);
  }

  function addStage(stage: string, ms: number): void {
    const series = stagesMs.get(stage) ?? createSeries();
    stagesMs.set(stage, series);
    series.add(ms);
  }

  return {
    fail,

    begin(): void {
      cpuAtBegin = process.cpuUsage();
      loopAtBegin = performance.eventLoopUtilization();
    },

    add({ answer, dueMs, sentMs, endedMs, bytes }: Ended): void {
      if (answer.outcome === ABANDONED) return;
      lastMs = Math.max(lastMs, endedMs);
      if (answer.outcome !== "OK") {
        fail(answer.outcome);
        return;
      }
      latencyMs.add(endedMs - dueMs);
      latenessMs.add(sentMs - dueMs);
      sentBytes += bytes;
      receivedBytes += answer.answerBytes;
      if (answer.cached) cached++;
      const totalMs = answer.stagesMs.get("total");
      if (totalMs === undefined) return;
      let restMs = totalMs;
      for (const [stage, ms] of answer.stagesMs) {
        if (stage === "total") continue;
        addStage(stage, ms);
        restMs -= ms;
      }
      addStage("waiting", Math.max(0, restMs));
      addStage("network", Math.max(0, endedMs - sentMs - totalMs));
    },

    read(): LoadRecord {
      const seconds = Math.max(0, lastMs - countFromMs) / 1000;
      const cpu = process.cpuUsage(cpuAtBegin);
      return {
        seconds,
        ok: latencyMs.count,
        failures,
        latencyMs,
        latenessMs,
        stagesMs,
        sentBytes,
        receivedBytes,
        cached,
        loader: {
          cores: seconds === 0 ? 0 : (cpu.user + cpu.system) / 1e6 / seconds,
          busyShare: performance.eventLoopUtilization(loopAtBegin).utilization,
        },
      };
    },
  };
}
