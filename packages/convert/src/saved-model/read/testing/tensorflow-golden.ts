/** SavedModels of golden/saved-models-tf, unpacked, and what TensorFlow answered to them. */
import { readdirSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { NUMERIC_TYPES } from "@vitrine/protocol/dtype";
import type { Tensor, TensorData } from "@vitrine/protocol/tensor";
import { z } from "zod";
import { isElementType, TENSORFLOW_TYPES } from "../../../graph/element-type.js";

const GOLDEN = fileURLToPath(new URL("../../../../golden/saved-models-tf/", import.meta.url));

const tensorSchema = z
  .object({
    dtype: z.string(),
    shape: z.array(z.number()),
    data: z.array(z.union([z.number(), z.boolean(), z.string()])),
  })
  .transform(({ dtype, shape, data }): Tensor => {
    if (!isElementType(dtype)) throw new Error(`dtype was ${dtype}`);
    return { dtype: TENSORFLOW_TYPES[dtype], shape, data: elements(dtype, data) };
  });

const casesSchema = z.record(
  z.string(),
  z.array(
    z.object({
      inputs: z.record(z.string(), tensorSchema),
      outputs: z.record(z.string(), tensorSchema),
    }),
  ),
);

/** By signature: runs with inputs and outputs by alias. */
export type GoldenCases = z.infer<typeof casesSchema>;

/** Models of Keras 2. */
export function keras2Names(): readonly string[] {
  return readdirSync(GOLDEN).filter((name) => name.startsWith("keras2-"));
}

/** @returns a folder that the caller removes. */
export async function unpackGolden(name: string): Promise<{ folder: string; cases: GoldenCases }> {
  const folder = await mkdtemp(path.join(tmpdir(), "vitrine-saved-model-"));
  const source = path.join(GOLDEN, name);
  for (const entry of await readdir(source, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".br")) continue;
    const file = path.join(entry.parentPath, entry.name);
    const target = path.join(folder, path.relative(source, file).slice(0, -".br".length));
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, brotliDecompressSync(await readFile(file)));
  }
  return { folder, cases: await readCases(name) };
}

/** Without unpacking: names are known before tests run. */
export async function readCases(name: string): Promise<GoldenCases> {
  const packed = await readFile(path.join(GOLDEN, name, "cases.json.br"));
  return casesSchema.parse(JSON.parse(brotliDecompressSync(packed).toString()));
}

function elements(type: string, data: readonly (number | boolean | string)[]): TensorData {
  // A character per byte: serialised examples are no text.
  if (type === "string") return data.map((text) => new Uint8Array(Buffer.from(String(text), "latin1")));
  const array = isElementType(type) ? NUMERIC_TYPES.get(TENSORFLOW_TYPES[type])?.array : undefined;
  if (array === undefined) throw new Error(`dtype was ${type}`);
  const made = new array(data.length);
  if (made instanceof BigInt64Array || made instanceof BigUint64Array) {
    for (const [index, number] of data.entries()) made[index] = BigInt(Number(number));
  } else {
    made.set(data.map(numberOf));
  }
  return made;
}

/** As Python writes numbers that JSON does not have. */
function numberOf(entry: number | boolean | string): number {
  return entry === "inf" ? Infinity : entry === "-inf" ? -Infinity : Number(entry);
}

/** Largest difference, relative to the range of what is expected; infinite when shapes, types or NaNs differ. */
export function relativeDifference(actual: Tensor | undefined, expected: Tensor): number {
  if (actual === undefined || actual.dtype !== expected.dtype) return Infinity;
  if (actual.shape.join() !== expected.shape.join()) return Infinity;
  if (!ArrayBuffer.isView(expected.data) || !ArrayBuffer.isView(actual.data)) {
    return JSON.stringify(texts(actual.data)) === JSON.stringify(texts(expected.data)) ? 0 : Infinity;
  }
  const [got, wanted] = [Array.from(actual.data, Number), Array.from(expected.data, Number)];
  const finite = wanted.filter(Number.isFinite);
  const range = Math.max(...finite, 0) - Math.min(...finite, 0);
  let largest = 0;
  for (const [index, number] of wanted.entries()) {
    const other = got[index] ?? Number.NaN;
    if (Object.is(other, number) || other === number) continue;
    const difference = Math.abs(other - number);
    largest = Math.max(largest, Number.isNaN(difference) ? Infinity : difference / (range || 1));
  }
  return largest;
}

function texts(data: TensorData): string[] {
  return ArrayBuffer.isView(data) ? [] : data.map((bytes) => new TextDecoder().decode(bytes));
}
