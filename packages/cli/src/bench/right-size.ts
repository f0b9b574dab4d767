/** `vitrine bench --right-size`: tiers as a pod has them, measured, and the sizes that follow. */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { listVersions } from "@vitrine/model-server/models/version-folders";
import type { Io } from "@vitrine/runtime/lifecycle";
import { withOwnTiers } from "../own-tiers.js";
import { type MeasureTimes, measureTiers } from "./measure.js";
import type { PictureSet } from "./pictures.js";
import type { SizeFacts } from "./size-report.js";
import { POD_BOUNDS, sizeTiers, type Wish } from "./sizing.js";
import { usageReader } from "./tier-usage.js";

export interface RightSizeOptions {
  readonly basePath: string;
  readonly pictures: PictureSet;
  readonly wish: Wish;
  readonly times: MeasureTimes;
  readonly io: Io;
}

export async function rightSize({
  basePath,
  pictures,
  wish,
  times,
  io,
}: RightSizeOptions): Promise<SizeFacts> {
  const { workers, maxHeldBytes, maxImagePixels } = POD_BOUNDS;
  const tiers = {
    basePath,
    io,
    modelServerFlags: [`--workers=${workers}`],
    gatewayFlags: [
      `--preprocess-workers=${workers}`,
      `--max-held-bytes=${maxHeldBytes}`,
      `--max-image-pixels=${maxImagePixels}`,
    ],
  };
  return await withOwnTiers(tiers, async (gatewayUrl, ioOfRun, own) => {
    const measurement = await measureTiers({
      gatewayUrl,
      pictures,
      readUsage: usageReader(gatewayUrl, own),
      modelBytes: await servedBytes(basePath),
      io: ioOfRun,
      times,
    });
    return { wish, measurement, sizing: sizeTiers(measurement.measured, wish), pictures: pictures.name };
  });
}

/** Size of the newest version's files. */
async function servedBytes(basePath: string): Promise<number> {
  const versions = [...(await listVersions(basePath, undefined))];
  const [, folder] = versions.reduce((newest, each) => (each[0] > newest[0] ? each : newest), [-1, basePath]);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    files.map(async (entry) => (await stat(path.join(entry.parentPath, entry.name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
