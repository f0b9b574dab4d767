/** Converted SavedModels, kept between starts. */
import { access, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { DataType } from "@vitrine/protocol/tensor";
import { z } from "zod";
import type { Graph } from "./graph/graph.js";
import { writeOnnx } from "./onnx/write-onnx.js";
import { converterVersion, digestOfSavedModel } from "./provenance.js";
import type { ServedModel, ServedSignature, ServedTensor } from "./serving.js";

/** Raised whenever the same folder would be converted to another model. */
const CACHE_REVISION = 1;

const MODEL_FILE = "model.onnx";
const SIGNATURES_FILE = "signatures.json";

/**
 * Folder of a model in the cache, whether it is there or not.
 *
 * @returns undefined when the model's files cannot be read: who reads the model says so better.
 */
export async function cacheEntry(
  cacheFolder: string,
  folder: string,
  tags: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const digest = await digestOfSavedModel(folder, signal).catch((error: unknown) => {
    if (isFileFault(error)) return undefined;
    throw error;
  });
  if (digest === undefined) return undefined;
  const version = await converterVersion();
  const tagged = [...tags]
    .sort()
    .join("-")
    .replace(/[^A-Za-z0-9-]/g, "_");
  return path.join(cacheFolder, `${digest}-${tagged}-${version}-${CACHE_REVISION}`);
}

/** @returns undefined when there is no such entry, or one that cannot be read: it is made anew then. */
export async function readCached(entry: string): Promise<ServedModel | undefined> {
  try {
    const text = await readFile(path.join(entry, SIGNATURES_FILE), "utf8");
    const signatures = parseSignatures(text);
    const file = path.join(entry, MODEL_FILE);
    await access(file);
    return signatures === undefined ? undefined : { model: { file }, signatures };
  } catch (error) {
    if (isFileFault(error) || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** @returns undefined when the cache cannot be written: a read-only file system is no obstacle to serving. */
export async function writeCached(
  entry: string,
  graph: Graph,
  signatures: ReadonlyMap<string, ServedSignature>,
): Promise<string | undefined> {
  let draft: string | undefined;
  try {
    await makeFolder(path.dirname(entry));
    draft = await mkdtemp(`${entry}.`);
    await writeOnnx(graph, path.join(draft, MODEL_FILE));
    await writeFile(path.join(draft, SIGNATURES_FILE), signaturesText(signatures));
    // By now a server beside this one may have made the same entry; one that is damaged makes room.
    if ((await readCached(entry)) === undefined) {
      await rm(entry, { recursive: true, force: true });
      await rename(draft, entry);
    } else await rm(draft, { recursive: true });
    return path.join(entry, MODEL_FILE);
  } catch (error) {
    if (!isFileFault(error)) throw error;
    if (draft !== undefined) await rm(draft, { recursive: true, force: true });
    // It was quicker by a moment.
    const exists = error.code === "ENOTEMPTY" || error.code === "EEXIST";
    return exists ? path.join(entry, MODEL_FILE) : undefined;
  }
}

/** As `mkdir -p`. Node's own repeats for ever where a folder exists and yet takes no children, as /proc does. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if (!isFileFault(error)) throw error;
    if (error.code === "EEXIST") return;
    const parent = path.dirname(folder);
    if (error.code !== "ENOENT" || parent === folder) throw error;
    await makeFolder(parent);
    await mkdir(folder);
  }
}

function isFileFault(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error && "syscall" in error;
}

const tensorSchema = z.object({
  graphName: z.string(),
  tensorName: z.string(),
  dtype: z.custom<DataType>((value) => typeof value === "number"),
  shape: z.array(z.number()).readonly().optional(),
});

const featureSchema = z.object({
  name: z.string(),
  type: z.custom<DataType>((value) => typeof value === "number"),
  shape: z.array(z.number()),
  numbers: z.array(z.number()).optional(),
  bigints: z.array(z.string()).optional(),
  texts: z.array(z.string()).optional(),
  graphName: z.string(),
});

const signatureSchema = z.object({
  methodName: z.string(),
  inputs: z.array(z.tuple([z.string(), tensorSchema])),
  outputs: z.array(z.tuple([z.string(), tensorSchema])),
  exampleFeatures: z.array(featureSchema).optional(),
  unsupported: z.string().optional(),
});

const signaturesSchema = z.array(z.tuple([z.string(), signatureSchema]));

function signaturesText(signatures: ReadonlyMap<string, ServedSignature>): string {
  const list = [...signatures].map(([key, { inputs, outputs, exampleFeatures, ...rest }]) => [
    key,
    {
      ...rest,
      inputs: [...inputs],
      outputs: [...outputs],
      exampleFeatures: exampleFeatures?.map(({ defaultValue, ...feature }) => ({
        ...feature,
        numbers: defaultValue?.every((value) => typeof value === "number") ? defaultValue : undefined,
        bigints: defaultValue?.every((value) => typeof value === "bigint")
          ? defaultValue.map(String)
          : undefined,
        texts: defaultValue?.every((value) => value instanceof Uint8Array)
          ? defaultValue.map((value) => Buffer.from(value).toString("base64"))
          : undefined,
      })),
    },
  ]);
  return JSON.stringify(list);
}

/** @returns undefined when the text is not what this version writes. */
function parseSignatures(text: string): ReadonlyMap<string, ServedSignature> | undefined {
  const parsed = signaturesSchema.safeParse(JSON.parse(text));
  if (!parsed.success) return undefined;
  return new Map(
    parsed.data.map(([key, { inputs, outputs, exampleFeatures, ...rest }]): [string, ServedSignature] => [
      key,
      {
        ...rest,
        inputs: new Map(inputs.map(([alias, tensor]) => [alias, withShape(tensor)])),
        outputs: new Map(outputs.map(([alias, tensor]) => [alias, withShape(tensor)])),
        exampleFeatures: exampleFeatures?.map(({ numbers, bigints, texts, ...feature }) => ({
          ...feature,
          defaultValue:
            numbers ??
            bigints?.map(BigInt) ??
            texts?.map((value) => new Uint8Array(Buffer.from(value, "base64"))),
        })),
      },
    ]),
  );
}

function withShape(tensor: z.output<typeof tensorSchema>): ServedTensor {
  return { ...tensor, shape: tensor.shape };
}
