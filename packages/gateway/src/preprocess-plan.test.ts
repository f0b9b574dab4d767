import { DataType } from "@vitrine/protocol/tensor";
import { describe, expect, it } from "vitest";
import { preprocessorOf } from "./pixels/testing/goldens.js";
import { type ImageInput, type PreprocessPlan, planPreprocessing } from "./preprocess-plan.js";

const FLOAT_224: ImageInput = { dtype: DataType.DT_FLOAT, shape: [-1, 224, 224, 3] };
const UINT8_256: ImageInput = { dtype: DataType.DT_UINT8, shape: [-1, 256, 256, 3] };
const PIXELS = { size: 256, do_rescale: false, do_normalize: false };
const IMAGENET = { image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] };

function plan(preprocessor: object, input: ImageInput): PreprocessPlan {
  return planPreprocessing(preprocessorOf(preprocessor), input);
}

describe("planPreprocessing", () => {
  it("plans the shipped model: pixels as uint8, upright, squashed", () => {
    expect(plan({ ...PIXELS, vitrine: { orientation: "exif" } }, UINT8_256)).toEqual({
      orientation: "exif",
      decoder: "pillow",
      icc: "ignore",
      reducedDecode: false,
      cropBefore: undefined,
      resize: { width: 256, height: 256 },
      aspect: "stretch",
      kernel: {
        library: "pillow",
        isRowsFirst: false,
        filter: "bilinear",
        box: undefined,
        reducingGap: undefined,
      },
      crop: undefined,
      cropRule: "hugging-face",
      arithmetic: { kind: "pixels" },
      isBgr: false,
      pad: undefined,
      layout: "NHWC",
      dtype: DataType.DT_UINT8,
    });
  });

  it("plans a Hugging Face export with its defaults: 1/255, mean and deviation, channels first", () => {
    const config = {
      size: { shortest_edge: 256 },
      do_center_crop: true,
      crop_size: 224,
      ...IMAGENET,
      vitrine: { layout: "NCHW" },
    };

    expect(plan(config, { dtype: DataType.DT_FLOAT, shape: [-1, 3, 224, 224] })).toMatchObject({
      resize: { shortestEdge: 256 },
      crop: { width: 224, height: 224 },
      arithmetic: {
        kind: "hugging-face",
        factor: 1 / 255,
        normalize: { mean: IMAGENET.image_mean, std: IMAGENET.image_std },
      },
      layout: "NCHW",
    });
  });

  it("lets a Keras preset stand for all arithmetic", () => {
    const config = { size: 224, resample: 0, vitrine: { preset: "tf" } };

    expect(plan(config, FLOAT_224)).toMatchObject({
      kernel: { library: "pillow", filter: "nearest" },
      arithmetic: { kind: "keras", preset: "tf" },
    });
  });

  it("follows the class that the file names in what the file does not say", () => {
    const nchw = { dtype: DataType.DT_FLOAT, shape: [-1, 3, 224, 224] };

    expect(
      plan({ image_processor_type: "ConvNextImageProcessor", size: 224, vitrine: { layout: "NCHW" } }, nchw),
    ).toMatchObject({
      resize: { shortestEdge: 256 },
      crop: { width: 224, height: 224 },
      kernel: { library: "pillow", filter: "bicubic" },
    });
    expect(
      plan(
        { image_processor_type: "ViTImageProcessorFast", crop_size: null, vitrine: { layout: "NCHW" } },
        nchw,
      ),
    ).toMatchObject({
      resize: { width: 224, height: 224 },
      kernel: { library: "torchvision", filter: "bilinear" },
      arithmetic: { rounding: "torch" },
    });
  });

  it("accepts open sizes, an unknown rank, and pictures of any size where the model takes them", () => {
    for (const shape of [undefined, [-1, -1, -1, 3], [1, -1, 256, -1], [-1, 256, 256, 3]]) {
      expect(plan(PIXELS, { dtype: DataType.DT_UINT8, shape })).toMatchObject({
        resize: { width: 256, height: 256 },
      });
    }
    expect(
      plan({ ...PIXELS, do_resize: false }, { dtype: DataType.DT_UINT8, shape: [-1, -1, -1, 3] }).resize,
    ).toBeUndefined();
  });

  it.each<[string, object, ImageInput, string]>([
    [
      "the size",
      { ...PIXELS, size: 224 },
      UINT8_256,
      "size was 224x224 (height x width), expected 256x256, because the model's input is [-1, 256, 256, 3]",
    ],
    [
      "the crop",
      { ...PIXELS, do_center_crop: true, crop_size: { height: 240, width: 256 } },
      UINT8_256,
      "crop_size was 240x256 (height x width), expected 256x256",
    ],
    [
      "uint8 with arithmetic",
      { size: 256, ...IMAGENET },
      UINT8_256,
      "do_rescale and do_normalize was set but the input is uint8, expected float, or pixels without arithmetic",
    ],
    [
      "uint8 with a preset",
      { size: 256, vitrine: { preset: "caffe" } },
      UINT8_256,
      "vitrine.preset caffe was set but the input is uint8",
    ],
    [
      "the dtype",
      PIXELS,
      { dtype: DataType.DT_STRING, shape: [-1] },
      "the model's input was string, expected uint8 or float",
    ],
    [
      "the layout",
      { ...PIXELS, vitrine: { layout: "NCHW" } },
      UINT8_256,
      "shape [-1, 256, 256, 3], expected 3 channels first (layout NCHW)",
    ],
    [
      "the channels",
      PIXELS,
      { dtype: DataType.DT_UINT8, shape: [-1, 256, 256, 1] },
      "shape [-1, 256, 256, 1], expected 3 channels last (layout NHWC)",
    ],
    [
      "the rank",
      PIXELS,
      { dtype: DataType.DT_UINT8, shape: [-1, 196608] },
      "shape [-1, 196608], expected four sizes",
    ],
    [
      "a fixed batch",
      PIXELS,
      { dtype: DataType.DT_UINT8, shape: [8, 256, 256, 3] },
      "expected an open first size, or 1",
    ],
    [
      "a missing size",
      { do_rescale: false, do_normalize: false },
      UINT8_256,
      "size was missing, expected it, because do_resize is true",
    ],
    [
      "a resize with fractions before uint8",
      { ...PIXELS, vitrine: { resize: { library: "tensorflow", method: "bilinear" } } },
      UINT8_256,
      "vitrine.resize gives fractions but the input is uint8",
    ],
    [
      "a method that the library does not have",
      { ...PIXELS, vitrine: { resize: { library: "torchvision", method: "lanczos" } } },
      UINT8_256,
      "the resize method was lanczos, expected one of nearest, bilinear, bicubic for library torchvision",
    ],
    [
      "a processor that makes no picture",
      { ...PIXELS, image_processor_type: "ImageGPTImageProcessor" },
      UINT8_256,
      "image_processor_type was ImageGPTImageProcessor",
    ],
    [
      "padding by a library that does not pad",
      { ...PIXELS, vitrine: { resize: { aspect: "pad" } } },
      UINT8_256,
      "vitrine.resize.aspect was pad, expected library tensorflow beside it",
    ],
    [
      "proportions cut by a library that does not cut",
      { ...PIXELS, vitrine: { resize: { library: "opencv", aspect: "crop" } } },
      UINT8_256,
      "vitrine.resize.aspect was crop, expected library pillow or tensorflow beside it",
    ],
    [
      "a size that would take gigabytes",
      { size: 8192, do_normalize: false },
      { dtype: DataType.DT_FLOAT, shape: [-1, 8192, 8192, 3] },
      "size made pictures of 8192x8192 (height x width), 67108864 pixels, expected at most 16777216",
    ],
    [
      "a shortest edge that no picture could keep",
      { size: { shortest_edge: 8000 }, do_normalize: false, do_center_crop: true, crop_size: 224 },
      FLOAT_224,
      "size made pictures of 8000x8000",
    ],
    [
      "a padding that would take gigabytes",
      { size: 224, do_normalize: false, do_pad: true, pad_size: { height: 8192, width: 4096 } },
      { dtype: DataType.DT_FLOAT, shape: [-1, 8192, 4096, 3] },
      "pad_size made pictures of 8192x4096",
    ],
    [
      "a crop of more than the picture before the resize",
      { image_processor_type: "PerceiverImageProcessor", size: 224, crop_size: 64 },
      FLOAT_224,
      "crop_size was smaller than size",
    ],
    [
      "a reduced decode without Pillow's resize",
      {
        size: 224,
        do_normalize: false,
        vitrine: { reduced_decode: true, resize: { library: "tensorflow" } },
      },
      FLOAT_224,
      "vitrine.reduced_decode was true, expected decoder and resize by pillow beside it",
    ],
    [
      "a box without pixels",
      { ...PIXELS, vitrine: { resize: { box: [10, 10, 10, 20] } } },
      UINT8_256,
      "vitrine.resize.box was [10,10,10,20]",
    ],
    ["a missing crop", { ...PIXELS, do_center_crop: true }, UINT8_256, "crop_size was missing"],
    [
      "a missing mean",
      { size: 224 },
      FLOAT_224,
      "image_mean was missing, expected it, because do_normalize is true",
    ],
    [
      "proportions kept before a fixed input",
      { ...PIXELS, size: { shortest_edge: 256 } },
      UINT8_256,
      "expected open height and width",
    ],
  ])("names %s that does not fit", (_, config, input, words) => {
    expect(() => plan(config, input)).toThrow(
      expect.objectContaining({ reason: "MODEL_CONTRACT_MISMATCH", message: expect.stringContaining(words) }),
    );
  });
});
