import { DataType } from "@vitrine/protocol/tensor";
import { describe, expect, it } from "vitest";
import { planPreprocessing } from "../preprocess-plan.js";
import { decodePicture } from "./decode.js";
import { prepareRgb } from "./prepare.js";
import { resize } from "./resize.js";
import { resizeTensorflow, TENSORFLOW_METHODS } from "./resize-tensorflow.js";
import { formulaPicture, preprocessorOf, readGolden, readPicture, sha256 } from "./testing/goldens.js";

const { resizes, datasets } = readGolden("tensorflow.json");

describe("resizeTensorflow", () => {
  it.each(TENSORFLOW_METHODS)(
    "gives each float of tf.image.resize by %s, with and without antialias",
    (method) => {
      const rows = resizes.filter((row) => row[4] === method);
      const differing = rows.filter(([fromWidth, fromHeight, width, height, , antialias, sha256Start]) => {
        const { pixels } = resizeTensorflow(
          formulaPicture(fromWidth, fromHeight),
          width,
          height,
          method,
          antialias,
        );
        return sha256(pixels).slice(0, 12) !== sha256Start;
      });

      expect(rows.length).toBe(60);
      expect(differing).toEqual([]);
    },
  );
});

describe("a contract that names what training read pictures with", () => {
  it.each(
    datasets.map((golden) => ({
      golden,
      name: JSON.stringify([golden.picture, golden.size, golden.resize]),
    })),
  )("gives the same floats: $name", async ({ golden }) => {
    const config = {
      size: golden.size,
      do_rescale: false,
      do_normalize: false,
      vitrine: { resize: golden.resize },
    };
    const input = { dtype: DataType.DT_FLOAT, shape: [-1, golden.size.height, golden.size.width, 3] };
    const { picture } = await decodePicture(readPicture(golden.picture), 1_000_000);
    const { data } = prepareRgb(picture, planPreprocessing(preprocessorOf(config), input), resize);

    expect(sha256(data).slice(0, 12)).toBe(golden.sha256Start);
  });
});
