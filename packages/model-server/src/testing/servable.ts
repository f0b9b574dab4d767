/** Loads one servable without a server around it. */

import { PassThrough } from "node:stream";
import type { ModelContract } from "@vitrine/protocol/contract";
import { createLogger } from "@vitrine/runtime/logger";
import { Registry } from "prom-client";
import { Engine } from "../engine/engine.js";
import { DEFAULT_SESSION_OPTIONS, type SessionMetadata } from "../engine/worker-messages.js";
import { Servable } from "../servable.js";
import { createServerMetrics } from "../server-metrics.js";
import { type Signatures, signaturesOf } from "../signature.js";

export async function loadTestServable(
  modelFile: string,
  version: number,
  workerUrl: URL,
  parts: { signatures?: (graph: SessionMetadata) => Signatures; contract?: ModelContract } = {},
): Promise<Servable> {
  const engine = new Engine(
    { workerUrl, workers: 1, slots: 1, session: DEFAULT_SESSION_OPTIONS },
    {
      logger: createLogger({ name: "test", level: "silent", stream: new PassThrough() }),
      metrics: createServerMetrics(new Registry(), undefined),
    },
  );
  const sessions = await engine.load({
    name: "test",
    version,
    folder: modelFile,
    model: { file: modelFile },
    batching: {
      maxBatchSize: undefined,
      maxRequestRows: undefined,
      splitRows: undefined,
      batchTimeoutMicros: 0,
      maxEnqueuedBatches: 8,
      allowedBatchSizes: [],
      padVariableLengthInputs: false,
    },
    warmUp: () => [],
    broken: () => {},
  });
  const { signatures = signaturesOf, contract } = parts;
  return new Servable({ version, signatures: signatures(sessions.graph), contract, sessions });
}
