/** Where a model came from and what made it. */
import { createHash, type Hash } from "node:crypto";
import { open, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";

/** Read at a time: enough for the disk, little for memory. */
const CHUNK_BYTES = 4 * 1024 * 1024;

/** Version of this package, which all of Vitrine's share. */
export async function converterVersion(): Promise<string> {
  const text = await readFile(new URL("../package.json", import.meta.url), "utf8");
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

/** SHA-256 of a file, 64 hex digits: what `sha256sum` says. */
export async function digestOfFile(file: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await hashFile(hash, file, signal);
  return hash.digest("hex");
}

/**
 * SHA-256 over what a SavedModel computes with: saved_model.pb and the files under variables/, each after its name.
 *
 * @returns 64 hex digits.
 */
export async function digestOfSavedModel(folder: string, signal?: AbortSignal): Promise<string> {
  const variables = await readdir(path.join(folder, "variables")).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  });
  const names = ["saved_model.pb", ...variables.sort().map((name) => path.join("variables", name))];
  const hash = createHash("sha256");
  for (const name of names) {
    hash.update(`${name}\0`);
    const bytes = await hashFile(hash, path.join(folder, name), signal);
    hash.update(`\0${bytes}\0`);
  }
  return hash.digest("hex");
}

async function hashFile(hash: Hash, file: string, signal: AbortSignal | undefined): Promise<number> {
  const handle = await open(file, "r");
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let offset = 0; ; ) {
      signal?.throwIfAborted();
      const { bytesRead } = await handle.read(chunk, 0, chunk.byteLength, offset);
      if (bytesRead === 0) return offset;
      hash.update(chunk.subarray(0, bytesRead));
      offset += bytesRead;
    }
  } finally {
    await handle.close();
  }
}
