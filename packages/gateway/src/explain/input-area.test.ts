import { contractFromFiles } from "@vitrine/protocol/contract";
import { DataType } from "@vitrine/protocol/tensor";
import { describe, expect, it } from "vitest";
import { prepareRgb } from "../pixels/prepare.js";
import { resize } from "../pixels/resize.js";
import { type PreprocessPlan, planPreprocessing } from "../preprocess-plan.js";
import { inputArea, takesAll } from "./input-area.js";

function planOf(preprocessor: object): PreprocessPlan {
  const { preprocessor: config } = contractFromFiles({ id2label: { 0: "a" } }, preprocessor);
  return planPreprocessing(config, { dtype: DataType.DT_FLOAT, shape: [-1, -1, -1, 3] });
}

const plain = { do_rescale: false, do_normalize: false, resample: 2 };
const squash = { ...plain, size: { width: 40, height: 40 } };

/** Each pixel says where it is: red the column, green the row. */
function atlas(width: number, height: number) {
  const pixels = Uint8Array.from({ length: 3 * width * height }, (_, index) => {
    const pixel = Math.floor(index / 3);
    return [pixel % width, Math.floor(pixel / width), 255][index % 3] ?? 0;
  });
  return { width, height, pixels };
}

describe("where the model's input lies on the picture", () => {
  it.each<[string, object, { width: number; height: number }]>([
    ["a squash", squash, { width: 120, height: 80 }],
    [
      "a crop of the middle",
      { ...plain, size: { shortest_edge: 50 }, do_center_crop: true, crop_size: 40 },
      { width: 200, height: 100 },
    ],
    [
      "an upright one",
      { ...plain, size: { shortest_edge: 50 }, do_center_crop: true, crop_size: 40 },
      { width: 100, height: 200 },
    ],
    [
      "a crop alone",
      { ...plain, do_resize: false, do_center_crop: true, crop_size: 31 },
      { width: 100, height: 60 },
    ],
    [
      "Keras' crop to the target's proportions",
      { ...squash, vitrine: { resize: { library: "pillow", aspect: "crop" } } },
      { width: 200, height: 100 },
    ],
    [
      "TensorFlow's",
      { ...squash, vitrine: { resize: { library: "tensorflow", aspect: "crop" } } },
      { width: 100, height: 201 },
    ],
    [
      "a box",
      { ...squash, vitrine: { resize: { library: "pillow", box: [20, 10, 100, 50] } } },
      { width: 120, height: 80 },
    ],
  ])("%s", (_what, preprocessor, size) => {
    const plan = planOf(preprocessor);
    const area = inputArea(plan, size);
    const { data, shape } = prepareRgb(atlas(size.width, size.height), plan, resize);
    const [, height = 0, width = 0] = shape;
    // The pixels themselves say where they came from; the outermost ones have no neighbours to average with.
    for (const [x, y] of [
      [4, 4],
      [width - 5, 4],
      [width >> 1, height - 5],
    ] as const) {
      const at = 3 * (y * width + x);
      const column = (area.x + ((x + 0.5) / width) * area.width) * size.width - 0.5;
      const row = (area.y + ((y + 0.5) / height) * area.height) * size.height - 0.5;
      expect(Math.abs((data[at] ?? 0) - column)).toBeLessThan(1.5);
      expect(Math.abs((data[at + 1] ?? 0) - row)).toBeLessThan(1.5);
    }
  });

  it("a picture of other proportions in a padded square", () => {
    const plan = planOf({ ...squash, vitrine: { resize: { library: "tensorflow", aspect: "pad" } } });
    expect(inputArea(plan, { width: 80, height: 40 })).toEqual({ x: 0, y: -0.5, width: 1, height: 2 });
  });

  it("a picture smaller than the crop, black around it", () => {
    const plan = planOf({ ...plain, do_resize: false, do_center_crop: true, crop_size: 40 });
    expect(inputArea(plan, { width: 20, height: 40 })).toEqual({ x: -0.5, y: 0, width: 2, height: 1 });
  });

  it("padding to the right and below", () => {
    const plan = planOf({ ...squash, do_pad: true, pad_size: { width: 80, height: 40 } });
    expect(inputArea(plan, { width: 10, height: 10 })).toEqual({ x: 0, y: 0, width: 2, height: 1 });
  });

  it("knows a plan that takes every picture whole", () => {
    expect(takesAll(planOf(squash))).toBe(true);
    expect(takesAll(planOf({ ...squash, do_center_crop: true, crop_size: 30 }))).toBe(false);
  });
});
