import { DataType } from "@vitrine/protocol/tensor";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { type Arithmetic, padTensor, tensorOf } from "../pixels/normalize.js";
import { pictureOfTensor, pngUrlOf, rangesOfTensor } from "./input-picture.js";

/** 256 colours in which every sample of 8 bits occurs in every channel. */
const colours = {
  width: 16,
  height: 16,
  pixels: Uint8Array.from(
    { length: 768 },
    (_, index) => (Math.floor(index / 3) * [1, 3, 5][index % 3]!) % 256,
  ),
};

const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const huggingFace = {
  kind: "hugging-face",
  rounding: "numpy",
  factor: 1 / 255,
  isOffset: false,
  normalize: imagenet,
  divideAgain: undefined,
} as const;

describe("the picture of a tensor", () => {
  const arithmetics: [string, Arithmetic][] = [
    ["pixels", { kind: "pixels" }],
    ["Keras tf", { kind: "keras", preset: "tf" }],
    ["Keras torch", { kind: "keras", preset: "torch" }],
    ["Keras caffe", { kind: "keras", preset: "caffe" }],
    ["Hugging Face", huggingFace],
    ["EfficientNet", { ...huggingFace, isOffset: true, divideAgain: imagenet.std }],
    ["torchvision", { ...huggingFace, rounding: "torch" }],
  ];
  it.each(
    arithmetics.flatMap(([name, arithmetic]) =>
      (["NHWC", "NCHW"] as const).flatMap((layout) =>
        [false, true].map((isBgr) => ({ name, arithmetic, layout, isBgr })),
      ),
    ),
  )("is the one it was made of: $name, $layout, blue first $isBgr", ({ arithmetic, layout, isBgr }) => {
    const form = { arithmetic, layout, isBgr, dtype: DataType.DT_FLOAT } as const;
    const tensor = tensorOf(colours, arithmetic, isBgr, layout, DataType.DT_FLOAT);
    expect(pictureOfTensor(tensor, form)).toEqual({ picture: colours, isExact: true });
  });

  it("is the one it was made of where the model takes uint8", () => {
    for (const layout of ["NHWC", "NCHW"] as const) {
      const form = { arithmetic: { kind: "pixels" }, layout, isBgr: true, dtype: DataType.DT_UINT8 } as const;
      const tensor = tensorOf(colours, form.arithmetic, true, layout, DataType.DT_UINT8);
      expect(pictureOfTensor(tensor, form)).toEqual({ picture: colours, isExact: true });
    }
  });

  it("says when it is rounded: samples between two of 8 bits, and padding", () => {
    const form = { arithmetic: huggingFace, layout: "NHWC", isBgr: false, dtype: DataType.DT_FLOAT } as const;
    const between = { width: 1, height: 1, pixels: Float32Array.of(10.4, 20.6, 300) };
    const tensor = tensorOf(between, huggingFace, false, "NHWC", DataType.DT_FLOAT);
    const { picture, isExact } = pictureOfTensor(tensor, form);
    expect([[...picture.pixels], isExact]).toEqual([[10, 21, 255], false]);
    const whole = tensorOf(colours, huggingFace, false, "NHWC", DataType.DT_FLOAT);
    const padded = padTensor(whole, "NHWC", { width: 17, height: 16 });
    expect(pictureOfTensor(padded, form).isExact).toBe(false);
  });

  it("is an image that browsers show", async () => {
    const bytes = Buffer.from((await pngUrlOf(colours)).replace("data:image/png;base64,", ""), "base64");
    expect(new Uint8Array(await sharp(bytes).raw().toBuffer())).toEqual(colours.pixels);
  });

  it.each(["NHWC", "NCHW"] as const)("is made of every second pixel where a %s input is large", (layout) => {
    const width = 1026;
    const pixels = Uint8Array.from({ length: 3 * width * 3 }, (_, index) => {
      const pixel = Math.floor(index / 3);
      return [(pixel % width) >> 3, 100 * Math.floor(pixel / width), 7][index % 3] ?? 0;
    });
    const form = { arithmetic: { kind: "pixels" }, layout, isBgr: false, dtype: DataType.DT_UINT8 } as const;
    const tensor = tensorOf({ width, height: 3, pixels }, form.arithmetic, false, layout, DataType.DT_UINT8);
    const { picture, isExact } = pictureOfTensor(tensor, form);
    expect([picture.width, picture.height, isExact]).toEqual([513, 2, false]);
    expect([...picture.pixels.subarray(3 * 512, 3 * 514)]).toEqual([128, 0, 7, 0, 200, 7]);
    expect(rangesOfTensor(tensor, form).map(({ max }) => max)).toEqual([128, 200, 7]);
  });
});

it("the range of each channel stands in the tensor's order", () => {
  const caffe = { kind: "keras", preset: "caffe" } as const;
  const form = { arithmetic: caffe, layout: "NCHW", isBgr: false, dtype: DataType.DT_FLOAT } as const;
  const picture = { width: 2, height: 1, pixels: Uint8Array.of(0, 10, 100, 255, 20, 200) };
  const ranges = rangesOfTensor(tensorOf(picture, caffe, false, "NCHW", DataType.DT_FLOAT), form);
  expect(ranges.map(({ colour }) => colour)).toEqual(["blue", "green", "red"]);
  expect(ranges[0]?.min).toBeCloseTo(100 - 103.939, 3);
  expect(ranges[2]?.max).toBeCloseTo(255 - 123.68, 3);
  expect(ranges[1]?.mean).toBeCloseTo(15 - 116.779, 3);
});
