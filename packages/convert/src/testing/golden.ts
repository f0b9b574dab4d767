/** Models of golden/ that Keras wrote, each with inputs and Keras' own answers. See golden/README.md. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import type { Tensor } from "@vitrine/protocol/tensor";
import { z } from "zod";
import { readNpy } from "../npy.js";

const FOLDER = fileURLToPath(new URL("../../golden/keras/", import.meta.url));
const SUFFIX = ".tar.br";

const Signature = z.object({
  inputs: z.record(z.string(), z.array(z.number().nullable()).nullable()),
  outputs: z.record(z.string(), z.array(z.number().nullable()).nullable()),
});
const GoldenJson = z.object({
  keras: z.string(),
  tensorflow: z.string(),
  inputs: z.array(z.string()),
  outputs: z.array(z.string()),
  /** What TensorFlow's SavedModel of it states; absent where it could not be written. */
  signature: Signature.optional(),
});

export interface GoldenModel {
  /** `xception.keras2` */
  readonly name: string;
  /** Holds what the archive does: model.h5, model.keras, saved-model/ ... */
  readonly folder: string;
  /** Which of the formats are there. */
  readonly formats: readonly string[];
  readonly signature: z.infer<typeof Signature> | undefined;
  /** In the order of the model's inputs, with their names. */
  readonly inputs: readonly { readonly name: string; readonly tensor: Tensor }[];
  /** In the order of the model's outputs. `key` is its number, or its key where the model's outputs are a mapping. */
  readonly outputs: readonly { readonly key: string; readonly tensor: Tensor }[];
  remove(): void;
}

/** Names of all golden models. */
export function goldenNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .sort();
}

/** Unpacks a golden model into a temporary folder. */
export function openGolden(name: string): GoldenModel {
  const folder = mkdtempSync(join(tmpdir(), "vitrine-golden-"));
  const archive = brotliDecompressSync(readFileSync(join(FOLDER, name + SUFFIX)));
  for (const { path, content } of tarEntries(archive)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  const golden = GoldenJson.parse(JSON.parse(readFileSync(join(folder, "golden.json"), "utf8")));
  const tensor = (kind: string, index: number): Tensor =>
    readNpy(readFileSync(join(folder, `${kind}-${index}.npy`)), `${kind}-${index}.npy`);
  return {
    name,
    folder,
    formats: readdirSync(folder).filter((file) => /^(model\.|saved-model$)/.test(file)),
    signature: golden.signature,
    inputs: golden.inputs.map((input, index) => ({ name: input, tensor: tensor("input", index) })),
    outputs: golden.outputs.map((key, index) => ({ key, tensor: tensor("output", index) })),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Plain files of a tar in the ustar format: a header of 512 bytes each, contents padded to 512. */
export function* tarEntries(archive: Buffer): Generator<{ path: string; content: Buffer }> {
  const text = (start: number, length: number): string =>
    archive
      .subarray(start, start + length)
      .toString("latin1")
      .replace(/\0.*$/s, "");
  for (let at = 0; at + 512 <= archive.length && archive[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12), 8);
    const prefix = text(at + 345, 155);
    const path = prefix === "" ? text(at, 100) : `${prefix}/${text(at, 100)}`;
    yield { path, content: archive.subarray(at + 512, at + 512 + size) };
    at += 512 + Math.ceil(size / 512) * 512;
  }
}
