/** Tiers that a command brings up for its own run, on free ports of this machine. */
import path from "node:path";
import type { Io } from "@vitrine/runtime/lifecycle";
import { orAborted } from "./or-aborted.js";
import { checkBasePath } from "./shipped.js";
import { startTiers, type Tiers, type TiersOptions } from "./tiers.js";

/** How long the own tiers may take to end. No request is under way then. */
const GRACE_MS = 5_000;

export interface OwnTiersOptions
  extends Partial<Pick<TiersOptions, "gatewayFlags" | "modelServerFlags" | "allowImageHosts">> {
  /** Folder that holds the model's versions. */
  readonly basePath: string;
  readonly io: Io;
}

/**
 * Brings both tiers up, runs `work` against them, and ends them however it ends.
 *
 * @param work gets an Io whose signal aborts also when a tier is lost; that loss is thrown then.
 * @throws {UsageError} when the base path holds no model.
 */
export async function withOwnTiers<T>(
  { basePath, io, ...options }: OwnTiersOptions,
  work: (gatewayUrl: string, io: Io, tiers: Tiers) => Promise<T>,
): Promise<T> {
  await checkBasePath(basePath);
  const tiers = startTiers({
    modelBasePath: basePath,
    modelName: path.basename(path.resolve(basePath)),
    host: "127.0.0.1",
    port: 0,
    grpcPort: 0,
    restPort: 0,
    logLevel: "warn",
    allowImageHosts: [],
    ...options,
    // The admin port in a caller's environment is that of the gateway that they serve with; /metrics is read here.
    env: { ...io.env, ADMIN_PORT: undefined },
    say: () => {},
  });
  const lost = new AbortController();
  tiers.failed.catch((error: unknown) => lost.abort(error));
  try {
    const gatewayUrl = await orAborted(tiers.ready, io.signal);
    const signal = AbortSignal.any([io.signal, lost.signal]);
    const result = await work(gatewayUrl, { ...io, signal }, tiers);
    lost.signal.throwIfAborted();
    return result;
  } catch (error) {
    // What the loss of a tier has ended says less than the loss itself.
    lost.signal.throwIfAborted();
    throw error;
  } finally {
    await tiers.stop(GRACE_MS);
  }
}
