/** The .keras file: a zip of config.json, metadata.json and model.weights.h5. */
import { createWriteStream } from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import yauzl from "yauzl";
import { damaged } from "./fault.js";

const MAX_TEXT_BYTES = 256 * 2 ** 20;
const MAX_ENTRIES = 10_000;
/** Weights hardly compress; what does by more is not weights. */
const MAX_EXPANSION = 100;

export interface KerasArchive {
  readonly config: string;
  readonly metadata: string | undefined;
}

/**
 * Reads the texts of a .keras file and writes its weights to `weightsFile`.
 *
 * @throws {ServeError} MODEL_INVALID when the zip is damaged, an entry is missing or larger than it may be.
 */
export async function openKerasArchive(file: string, weightsFile: string): Promise<KerasArchive> {
  const zip = await opened(file);
  try {
    const entries = await entriesOf(zip);
    const weights = entries.get("model.weights.h5");
    const config = entries.get("config.json");
    if (config === undefined) throw damaged("the .keras file had no config.json");
    if (weights === undefined)
      throw damaged(`the .keras file had no model.weights.h5${shardsAdvice(entries)}`);
    const metadata = entries.get("metadata.json");
    checkExpansion(weights);
    await pipeline(await contentOf(zip, weights), createWriteStream(weightsFile, { flags: "wx" }));
    return {
      config: await textOf(zip, config),
      metadata: metadata === undefined ? undefined : await textOf(zip, metadata),
    };
  } catch (cause) {
    if (cause instanceof Error && cause.name === "ServeError") throw cause;
    throw damaged(`the .keras file was damaged (${words(cause)})`);
  } finally {
    zip.close();
  }
}

function shardsAdvice(entries: ReadonlyMap<string, yauzl.Entry>): string {
  return entries.has("model.weights.json")
    ? "; its weights are in shards: save it without max_shard_size"
    : "";
}

function words(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function opened(file: string): Promise<yauzl.ZipFile> {
  return new Promise((resolve, reject) => {
    yauzl.open(file, { lazyEntries: true, autoClose: false, validateEntrySizes: true }, (error, zip) => {
      if (error) reject(damaged(`the .keras file was no zip (${error.message})`));
      else resolve(zip);
    });
  });
}

function entriesOf(zip: yauzl.ZipFile): Promise<Map<string, yauzl.Entry>> {
  return new Promise((resolve, reject) => {
    const entries = new Map<string, yauzl.Entry>();
    zip.on("entry", (entry: yauzl.Entry) => {
      entries.set(entry.fileName, entry);
      if (entries.size > MAX_ENTRIES) reject(damaged(`the .keras file had more than ${MAX_ENTRIES} entries`));
      else zip.readEntry();
    });
    zip.on("end", () => resolve(entries));
    zip.on("error", reject);
    zip.readEntry();
  });
}

function checkExpansion({ fileName, uncompressedSize, compressedSize }: yauzl.Entry): void {
  if (uncompressedSize > MAX_EXPANSION * compressedSize + 2 ** 20)
    throw damaged(
      `${fileName} unpacked to ${uncompressedSize} bytes, too much for ${compressedSize} packed ones`,
    );
}

function contentOf(zip: yauzl.ZipFile, entry: yauzl.Entry): Promise<Readable> {
  return new Promise((resolve, reject) => {
    zip.openReadStream(entry, (error, stream) => (error ? reject(error) : resolve(stream)));
  });
}

async function textOf(zip: yauzl.ZipFile, entry: yauzl.Entry): Promise<string> {
  checkExpansion(entry);
  if (entry.uncompressedSize > MAX_TEXT_BYTES)
    throw damaged(
      `${entry.fileName} had ${entry.uncompressedSize} bytes, expected at most ${MAX_TEXT_BYTES}`,
    );
  const parts: Buffer[] = [];
  for await (const part of await contentOf(zip, entry)) if (Buffer.isBuffer(part)) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}
