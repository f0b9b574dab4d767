/** Loads one servable without a server around it. */
import { Batcher } from "../batcher.js";
import { PoolTarget, Servable } from "../servable.js";
import { SessionPool } from "../session-pool.js";
import { signaturesOf } from "../signature.js";

export async function loadTestServable(
  modelFile: string,
  version: number,
  workerUrl: URL,
): Promise<Servable> {
  const pool = new SessionPool(
    {
      workerUrl,
      worker: { modelFile, intraOpThreads: 1 },
      workers: 1,
      warmUp: () => [],
      crashLimit: 2,
      crashWindowMs: 60_000,
      restartDelayMs: 1,
    },
    { idle: () => {}, workerDied: () => {}, warmUpFailed: () => {}, broken: () => {} },
  );
  const graph = await pool.start();
  const batcher: ConstructorParameters<typeof Servable>[0]["batcher"] = new Batcher(
    new PoolTarget(pool, graph),
    { maxBatchSize: undefined, refuseLarger: false, batchTimeoutMicros: 0, maxEnqueuedBatches: 8 },
    { batchStarted: () => {} },
  );
  return new Servable({ version, signatures: signaturesOf(graph), contract: undefined, batcher, pool });
}
