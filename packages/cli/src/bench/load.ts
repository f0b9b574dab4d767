/** A load on a gateway: requests in a closed or an open loop, and a record of what came of them. */
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { arrivalGaps, type Load } from "./arrivals.js";
import { createRecord, type LoadRecord } from "./load-record.js";
import { createSender, type LoadRequest } from "./send.js";

export interface LoadPlan {
  readonly gatewayUrl: string;
  readonly load: Load;
  /** Sent in turn. */
  readonly requests: readonly LoadRequest[];
  /** Requests that begin so early are answered and not counted. */
  readonly warmUpMs: number;
  /** Of the part that counts. */
  readonly durationMs: number;
  /** Ends the load earlier, when so many that count have begun. */
  readonly mostRequests: number;
  readonly timeoutMs: number;
  readonly apiKey?: string | undefined;
  /** Requests under way at a time in an open loop; what is due beyond waits here, and its waiting counts. */
  readonly mostUnderWay?: number;
  /** Ends the load; what is under way then is not counted. */
  readonly signal: AbortSignal;
  /** Called when the warm-up is over. */
  readonly onCounting?: () => void;
  readonly onProgress?: (record: LoadRecord) => void;
}

/** Outcome of arrivals for which the load's end came before their turn. */
export const NOT_SENT = "NOT_SENT";

/** A caller of a closed loop rests so long after a failure, as clients do that heed Retry-After; a dead target is not hammered. */
const PAUSE_AFTER_FAILURE_MS = 50;

const MOST_UNDER_WAY = 1024;

/**
 * Runs a load to its end. Requests under way at the end of `durationMs` are waited for; they count.
 *
 * @returns what came of it, also when the signal ended it.
 */
export async function runLoad(plan: LoadPlan): Promise<LoadRecord> {
  const { load, signal } = plan;
  const sender = createSender(plan.gatewayUrl, plan);
  const startedMs = performance.now();
  const countFromMs = startedMs + plan.warmUpMs;
  const endMs = countFromMs + plan.durationMs;
  const record = createRecord(countFromMs);
  let begun = 0;
  let counted = 0;

  const isOver = (): boolean => signal.aborted || performance.now() >= endMs || counted >= plan.mostRequests;

  /** @param dueMs when it should have begun. */
  async function one(dueMs: number): Promise<string> {
    const request = plan.requests[begun++ % plan.requests.length];
    if (request === undefined) throw new Error("a load without requests");
    const counts = dueMs >= countFromMs;
    if (counts) counted++;
    const sentMs = performance.now();
    const answer = await sender.send(request);
    if (counts)
      record.add({ answer, dueMs, sentMs, endedMs: performance.now(), bytes: request.body.byteLength });
    return answer.outcome;
  }

  const counting = setTimeout(() => {
    record.begin();
    plan.onCounting?.();
  }, plan.warmUpMs);
  const progress = setInterval(() => plan.onProgress?.(record.read()), 250);
  const close = (): void => sender.close();
  signal.addEventListener("abort", close, { once: true });
  try {
    if (load.kind === "closed") {
      const caller = async (): Promise<void> => {
        while (!isOver()) {
          if ((await one(performance.now())) !== "OK") await delay(PAUSE_AFTER_FAILURE_MS);
        }
      };
      await Promise.all(Array.from({ length: load.concurrency }, caller));
    } else {
      const notSent = await openLoop({
        gapMs: arrivalGaps(load.perSecond, load.arrivals),
        startedMs,
        mostUnderWay: plan.mostUnderWay ?? MOST_UNDER_WAY,
        isOver,
        begin: one,
        signal,
      });
      const endedByTime = !signal.aborted && counted < plan.mostRequests;
      for (const dueMs of notSent) if (endedByTime && dueMs >= countFromMs) record.fail(NOT_SENT);
    }
  } finally {
    clearTimeout(counting);
    clearInterval(progress);
    signal.removeEventListener("abort", close);
    sender.close();
  }
  return record.read();
}

interface OpenLoop {
  readonly gapMs: () => number;
  readonly startedMs: number;
  readonly mostUnderWay: number;
  readonly isOver: () => boolean;
  readonly begin: (dueMs: number) => Promise<unknown>;
  readonly signal: AbortSignal;
}

/** @returns when the arrivals were due for which there was no room until the end. */
async function openLoop({
  gapMs,
  startedMs,
  mostUnderWay,
  isOver,
  begin,
  signal,
}: OpenLoop): Promise<readonly number[]> {
  const underWay = new Set<Promise<unknown>>();
  const waiting: number[] = [];
  let nextMs = startedMs + gapMs();

  const beginNext = (): void => {
    const dueMs = underWay.size < mostUnderWay ? waiting.shift() : undefined;
    if (dueMs === undefined) return;
    const running: Promise<unknown> = begin(dueMs).finally(() => {
      underWay.delete(running);
      if (!isOver()) beginNext();
    });
    underWay.add(running);
  };

  await new Promise<void>((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const arrive = (): void => {
      const nowMs = performance.now();
      while (nextMs <= nowMs && !isOver()) {
        waiting.push(nextMs);
        nextMs += gapMs();
        beginNext();
      }
      if (isOver()) {
        signal.removeEventListener("abort", onAbort);
        resolve();
      } else timer = setTimeout(arrive, nextMs - nowMs);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    arrive();
  });
  await Promise.all(underWay);
  return waiting;
}
