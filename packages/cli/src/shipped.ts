/** Where this installation keeps what it ships, and what a model folder given in its place has to be. */
import { stat } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
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

/** @throws {UsageError} when there is no such folder: the model server itself would wait for it for ever. */
export async function checkBasePath(basePath: string): Promise<void> {
  const found = await stat(basePath).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  const what = found === undefined ? "is not there" : "is a file";
  throw new UsageError([`${basePath} ${what}, expected a folder of model versions, such as ${basePath}/1`]);
}
