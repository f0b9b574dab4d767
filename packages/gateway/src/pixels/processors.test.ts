import { DataType } from "@vitrine/protocol/tensor";
import { describe, expect, it } from "vitest";
import { planPreprocessing } from "../preprocess-plan.js";
import { decodePicture } from "./decode.js";
import { prepareRgb } from "./prepare.js";
import { resize } from "./resize.js";
import { createSimdResize } from "./resize-simd.js";
import type { RgbPicture } from "./rgb-picture.js";
import { preprocessorOf, readGolden, readPicture, sha256 } from "./testing/goldens.js";

const resizeFast = createSimdResize() ?? resize;
const decoded = new Map<string, Promise<RgbPicture>>();

function rgbOf(name: string): Promise<RgbPicture> {
  const known =
    decoded.get(name) ?? decodePicture(readPicture(name), 50_000_000).then(({ picture }) => picture);
  decoded.set(name, known);
  return known;
}

describe("a contract gives the tensors of the processor that it names", () => {
  it.each(
    readGolden("processors.json").cases.map((golden) => ({
      golden,
      name: JSON.stringify(golden.preprocessor),
    })),
  )("$name", async ({ golden }) => {
    const input = { dtype: DataType[golden.dtype], shape: undefined };
    const plan = planPreprocessing(preprocessorOf(golden.preprocessor), input);
    const tensors: Record<string, unknown> = {};
    for (const picture of Object.keys(golden.tensors)) {
      const { shape, data } = prepareRgb(await rgbOf(picture), plan, resizeFast);
      tensors[picture] = { shape, sha256Start: sha256(data).slice(0, 16) };
    }

    expect(tensors).toEqual(golden.tensors);
  });
});
