/** What golden/ holds; golden/README.md says how it was made. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { contractFromFiles } from "@vitrine/protocol/contract";
import { DataType } from "@vitrine/protocol/tensor";
import { z } from "zod";
import { type PreprocessPlan, planPreprocessing } from "../../preprocess-plan.js";

import { OPENCV_METHODS } from "../resize-opencv.js";
import { TENSORFLOW_METHODS } from "../resize-tensorflow.js";

const GOLDEN = new URL("../../../golden/", import.meta.url);

const sha256Hex = z.string().length(64);
const dtype = z.enum(["DT_UINT8", "DT_FLOAT"]);

const FILTERS = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"] as const;

const pixelsGolden = z.object({
  width: z.int(),
  height: z.int(),
  base64: z.base64().transform((text) => Uint8Array.from(Buffer.from(text, "base64"))),
});

const resizeGolden = z
  .tuple([
    z.int(),
    z.int(),
    z.int(),
    z.int(),
    z.enum([...FILTERS, "torch-nearest", "torch-bilinear", "torch-bicubic"]),
    z.tuple([z.number(), z.number(), z.number(), z.number()]).nullable(),
    z.number().nullable(),
    z.string().length(12),
  ])
  .transform(([fromWidth, fromHeight, width, height, filter, box, gap, sha256Start]) => ({
    from: { width: fromWidth, height: fromHeight },
    to: { width, height },
    filter,
    box: box ?? undefined,
    gap: gap ?? undefined,
    sha256Start,
  }));

export type ResizeGolden = z.output<typeof resizeGolden>;

const schemas = {
  "pictures.json": z.object({
    pictures: z.record(
      z.string(),
      z.object({
        format: z.enum(["jpeg", "png", "webp", "gif", "bmp", "tiff"]),
        width: z.int(),
        height: z.int(),
        rgb: sha256Hex,
        tensors: z.record(z.string(), sha256Hex),
      }),
    ),
  }),
  "plans.json": z.record(z.string(), z.object({ preprocessor: z.unknown(), dtype, shape: z.array(z.int()) })),
  "tensors.json": z.array(
    z.object({ picture: z.string(), plan: z.string(), dtype, shape: z.array(z.int()), base64: z.base64() }),
  ),
  "resizes.json": z.array(resizeGolden),
  "pillow12.json": z.array(resizeGolden),
  "opencv.json": z.array(
    z.tuple([z.int(), z.int(), z.int(), z.int(), z.enum(OPENCV_METHODS), z.string().length(12)]),
  ),
  "reduced.json": z.array(
    z.object({ picture: z.string(), preprocessor: z.unknown(), scale: z.int(), sha256: sha256Hex }),
  ),
  "near.json": z.object({
    avif: z.record(z.string(), pixelsGolden.extend({ orientation: z.int() })),
    icc: z.record(z.string(), pixelsGolden),
  }),
  "photos.json": z.record(z.string(), sha256Hex),
  "tensorflow.json": z.object({
    jpegs: z.record(z.string(), z.string().length(12)),
    resizes: z.array(
      z.tuple([
        z.int(),
        z.int(),
        z.int(),
        z.int(),
        z.enum(TENSORFLOW_METHODS),
        z.boolean(),
        z.string().length(12),
      ]),
    ),
    datasets: z.array(
      z.object({
        picture: z.string(),
        size: z.object({ width: z.int(), height: z.int() }),
        resize: z.record(z.string(), z.string()),
        sha256Start: z.string().length(12),
      }),
    ),
  }),
  "processors.json": z.object({
    cases: z.array(
      z.object({
        preprocessor: z.record(z.string(), z.unknown()),
        dtype,
        tensors: z.record(
          z.string(),
          z.object({ shape: z.array(z.int()), sha256Start: z.string().length(16) }),
        ),
      }),
    ),
  }),
} as const;

export function readGolden<Name extends keyof typeof schemas>(name: Name): z.output<(typeof schemas)[Name]>;
export function readGolden(name: keyof typeof schemas): unknown {
  return schemas[name].parse(JSON.parse(readFileSync(new URL(name, GOLDEN), "utf8")));
}

export function readPicture(name: string): Uint8Array {
  return readFileSync(new URL(`pictures/${name}`, GOLDEN));
}

/** The plans of plans.json by name. */
export function readPlans(): Map<string, PreprocessPlan> {
  return new Map(
    Object.entries(readGolden("plans.json")).map(([name, { preprocessor, dtype, shape }]) => [
      name,
      planPreprocessing(preprocessorOf(preprocessor), { dtype: DataType[dtype], shape }),
    ]),
  );
}

/** A preprocessor_config.json as the contract reads it. */
export function preprocessorOf(json: unknown): ReturnType<typeof contractFromFiles>["preprocessor"] {
  return contractFromFiles({ id2label: { 0: "only" } }, json).preprocessor;
}

export function sha256(values: ArrayBufferView): string {
  return createHash("sha256")
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest("hex");
}

/** The picture of `formula_picture` in make_resize_goldens.py. */
export function formulaPicture(
  width: number,
  height: number,
): {
  width: number;
  height: number;
  pixels: Uint8Array;
} {
  const pixels = new Uint8Array(3 * width * height);
  let at = 0;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      for (let c = 0; c < 3; c += 1, at += 1) {
        pixels[at] = 7 * x * x + 13 * y + 3 * x * y + 101 * c + 5 * (x ^ y);
      }
    }
  }
  return { width, height, pixels };
}
