/** A whole gateway beside a puppet model tier, both on real sockets. */

import { Writable } from "node:stream";
import { contractFromFiles, type ModelContract } from "@vitrine/protocol/contract";
import { DataType } from "@vitrine/protocol/tensor";
import { createLogger } from "@vitrine/runtime/logger";
import { resolveSettings } from "@vitrine/runtime/settings";
import sharp from "sharp";
import { gatewaySettings } from "../config.js";
import { type Gateway, startGateway } from "../main.js";
import { floats, ModelTier, type PuppetModel } from "./model-tier.js";

export const LABELS = ["dress", "hat", "pants"];

/** 8 x 8 pixels, three labels, logits. */
export function contract(changes: { config?: object; preprocessor?: object } = {}): ModelContract {
  return contractFromFiles(
    {
      id2label: Object.fromEntries(LABELS.entries()),
      vitrine: {
        score_kind: "logits",
        scores_output: "logits",
        activation_map_output: "maps",
        threshold: 0.6,
      },
      ...changes.config,
    },
    {
      size: { height: 8, width: 8 },
      resample: 2,
      do_rescale: false,
      do_normalize: false,
      ...changes.preprocessor,
    },
  );
}

/** Answers logits [0, 1, 3] and a 2 x 2 map per label. */
export function model(changes: Partial<PuppetModel> = {}): PuppetModel {
  return {
    version: 1,
    contract: contract(),
    input: { dtype: DataType.DT_UINT8, shape: [-1, 8, 8, 3] },
    outputs: {
      logits: { dtype: DataType.DT_FLOAT, shape: [-1, 3] },
      maps: { dtype: DataType.DT_FLOAT, shape: [-1, 3, 2, 2] },
    },
    predict: () => ({
      logits: floats([1, 3], [0, 1, 3]),
      maps: floats([1, 3, 2, 2], [0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 2, 4]),
    }),
    form: "content",
    ...changes,
  };
}

export interface TestGateway {
  readonly gateway: Gateway;
  readonly tier: ModelTier;
  /** Lines of the log, parsed. */
  readonly log: Record<string, unknown>[];
  url(path: string): string;
  close(): Promise<void>;
}

/**
 * @param flags of `vitrine gateway`, by key.
 * @param options.await false: does not wait until the model is known.
 */
export async function startTestGateway(
  puppet: PuppetModel,
  flags: Readonly<Record<string, string | string[]>> = {},
  options: { await?: boolean; start?: boolean } = {},
): Promise<TestGateway> {
  const tier = new ModelTier("clothing-model", puppet);
  await tier.start();
  if (options.start === false) tier.stop();
  const log: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      log.push(JSON.parse(String(chunk)));
      done();
    },
  });
  const { config } = resolveSettings(gatewaySettings, {
    flags: {
      host: "127.0.0.1",
      port: "0",
      tfServingHost: `127.0.0.1:${tier.port}`,
      preprocessWorkers: "1",
      logLevel: "debug",
      ...flags,
    },
    env: {},
  });
  const gateway = await startGateway(config, {
    logger: createLogger({ name: "gateway", level: config.logLevel, stream }),
    version: "0.0.0",
    preprocessWorkerUrl: new URL("../../dist/preprocess-worker.js", import.meta.url),
  });
  if (options.await !== false && options.start !== false) await gateway.ready;
  return {
    gateway,
    tier,
    log,
    url: (path) => `${gateway.url}${path}`,
    async close() {
      await gateway.drain(1000);
      tier.stop();
    },
  };
}

/** A JPEG of one colour. */
export async function jpeg(width = 16, height = 16, background = "#33507a"): Promise<Buffer> {
  return await sharp({ create: { width, height, channels: 3, background } })
    .jpeg()
    .toBuffer();
}
