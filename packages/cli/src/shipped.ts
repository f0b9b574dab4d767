/** Where this installation keeps what it ships, and what a model folder given in its place has to be. */
import { stat } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { listVersions } from "@vitrine/model-server/models/version-folders";
import { UsageError } from "@vitrine/runtime/settings";

/** Base path of the clothing model. */
export const SHIPPED_MODEL = fileURLToPath(new URL("../../../models/clothing-model", import.meta.url));

/** Folder of the built website, or undefined when it has not been built. */
export async function findWebsite(): Promise<string | undefined> {
  const manifest = fileURLToPath(import.meta.resolve("@vitrine/website/package.json"));
  const folder = path.join(path.dirname(manifest), "dist");
  const page = await stat(path.join(folder, "index.html")).catch(() => undefined);
  return page === undefined ? undefined : folder;
}

/** The program behind `vitrine`, to be run by Node. */
export const VITRINE_PROGRAM = fileURLToPath(new URL("../bin/vitrine.js", import.meta.url));

/** @throws {UsageError} when it holds no model: the model server itself would wait for one for ever. */
export async function checkBasePath(basePath: string): Promise<void> {
  const found = await stat(basePath).catch(() => undefined);
  const what =
    found === undefined
      ? "is not there"
      : !found.isDirectory()
        ? "is a file"
        : (await listVersions(basePath, undefined)).size === 0
          ? "holds no version"
          : undefined;
  if (what === undefined) return;
  throw new UsageError([`${basePath} ${what}, expected a folder of model versions, such as ${basePath}/1`]);
}
