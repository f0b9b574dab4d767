/** Loads one servable without a server around it. */
import { Batcher } from "../batcher.js";
import { PoolTarget, Servable } from "../servable.js";
import { SessionPool } from "../session-pool.js";
import { signatureOf } from "../signature.js";

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
  const signature = signatureOf(await pool.start());
  const batcher: ConstructorParameters<typeof Servable>[0]["batcher"] = new Batcher(
    new PoolTarget(pool, signature),
    { maxBatchSize: undefined, refuseLarger: false, batchTimeoutMicros: 0, maxEnqueuedBatches: 8 },
    { batchStarted: () => {} },
  );
  return new Servable({ version, signature, contract: undefined, batcher, pool });
}
