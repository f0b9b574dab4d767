/** One measured load, with what the own tiers used meanwhile. */

import type { Io } from "@vitrine/runtime/lifecycle";
import { createBenchProgress } from "./bench-progress.js";
import { type LoadPlan, runLoad } from "./load.js";
import { describeMachine } from "./machine.js";
import type { PictureSet } from "./pictures.js";
import { type BenchResult, benchResult } from "./result.js";
import type { ReadUsage, Usage } from "./tier-usage.js";

export interface BenchRun
  extends Pick<
    LoadPlan,
    "gatewayUrl" | "load" | "warmUpMs" | "durationMs" | "mostRequests" | "timeoutMs" | "apiKey"
  > {
  readonly pictures: PictureSet;
  /** Ends the load: Ctrl-C, or a tier that is lost. */
  readonly io: Io;
  /** Of the own tiers; undefined for somebody else's. */
  readonly readUsage: ReadUsage | undefined;
}

export async function runBench({ pictures, io, readUsage, ...plan }: BenchRun): Promise<BenchResult> {
  const progress = createBenchProgress(io.stderr);
  let before: Promise<Usage | undefined> = Promise.resolve(undefined);
  const record = await runLoad({
    ...plan,
    requests: pictures.requests,
    signal: io.signal,
    onCounting() {
      before = readUsage?.() ?? before;
      // Awaited below; a load that ends by an error must not leave it unheard.
      before.catch(() => undefined);
    },
    onProgress: (current) => progress.show(current),
  });
  progress.clear();
  const usageBefore = await before;
  const usageAfter = usageBefore === undefined ? undefined : await readUsage?.();
  return benchResult({
    target: plan.gatewayUrl,
    pictures,
    load: plan.load,
    record,
    usage: usageBefore === undefined || usageAfter === undefined ? undefined : [usageBefore, usageAfter],
    machine: await describeMachine(),
    interrupted: io.signal.aborted,
  });
}
