import { readFile } from "node:fs/promises";
import { decodePicture } from "@vitrine/gateway/pixels/decode";
import { createBaselineDecoder } from "@vitrine/gateway/pixels/jpeg-baseline";
import { turnUpright } from "@vitrine/gateway/pixels/orientation";
import { prepareRgb } from "@vitrine/gateway/pixels/prepare";
import { resize } from "@vitrine/gateway/pixels/resize";
import { planPreprocessing } from "@vitrine/gateway/preprocess-plan";
import { contractFromFiles } from "@vitrine/protocol/contract";
import { DataType } from "@vitrine/protocol/tensor";
import { describe, expect, it } from "vitest";
import { type JsonObject, patched } from "./config-patch.js";
import { openPhoto } from "./photo-tensors.js";
import { type RecordedTensor, recordedTensor } from "./recorded-tensor.js";
import { findDifference } from "./search.js";

const PICTURES = new URL("../../../gateway/golden/pictures/", import.meta.url);
const photoBytes = await readFile(new URL("exif-6.jpg", PICTURES));
const photo = await openPhoto(photoBytes, 1e6);

/** What the contract says; a fault is what training did instead. */
const CONTRACT: JsonObject = {
  size: 64,
  resample: 2,
  do_rescale: false,
  do_normalize: false,
  vitrine: { preset: "tf", orientation: "exif" },
};

const FAULTS = {
  decode: { vitrine: { decoder: "tensorflow" } },
  orientation: { vitrine: { orientation: "ignore" } },
  "size and crop": { size: { shortest_edge: 73 }, do_center_crop: true, crop_size: 64 },
  "resize filter": { resample: 0 },
  "colour order": { do_flip_channel_order: true },
  scale: { vitrine: { preset: "torch" } },
  layout: { vitrine: { layout: "NCHW" } },
} as const satisfies Record<string, JsonObject>;

type Fault = keyof typeof FAULTS;
const names = Object.keys(FAULTS) as Fault[];
const pairs = names.flatMap((first, index) =>
  names.slice(index + 1).map((second) => [first, second] as const),
);

async function recordedWith(config: JsonObject): Promise<RecordedTensor> {
  const plan = planPreprocessing(contractFromFiles({ id2label: { 0: "any" } }, config).preprocessor, {
    dtype: DataType.DT_FLOAT,
    shape: undefined,
  });
  const { picture, orientation } = await decodePicture(photoBytes, 1e6, {
    decodeBaseline: createBaselineDecoder(),
    decoder: plan.decoder,
    icc: plan.icc,
  });
  const upright = plan.orientation === "exif" ? turnUpright(picture, orientation) : picture;
  const { shape, data } = prepareRgb(upright, plan, resize);
  return recordedTensor({ dtype: "f4", shape, values: Float64Array.from(data) }, plan.layout, "tensor.npy");
}

async function find(recorded: RecordedTensor, contract = CONTRACT) {
  return await findDifference(photo, contract, recorded);
}

describe("findDifference", () => {
  it("says that tensors are equal when they are", async () => {
    const finding = await find(await recordedWith(CONTRACT));

    expect(finding).toMatchObject({ isEqual: true, changes: [], distance: { most: 0 }, set: {} });
  });

  it.each(names)("names %s when it alone is otherwise, and what to set", async (fault) => {
    const recorded = await recordedWith(patched(CONTRACT, FAULTS[fault]));
    const finding = await find(recorded);

    expect(finding.changes.map(({ step }) => step)).toEqual([fault]);
    expect(finding).toMatchObject({ isEqual: false, isExplained: true });
    expect((await find(recorded, patched(CONTRACT, finding.set))).isEqual).toBe(true);
  });

  it.each(pairs)("names %s and %s when both are otherwise", async (first, second) => {
    const recorded = await recordedWith(patched(patched(CONTRACT, FAULTS[first]), FAULTS[second]));
    const finding = await find(recorded);

    expect(new Set(finding.changes.map(({ step }) => step))).toEqual(new Set([first, second]));
    expect((await find(recorded, patched(CONTRACT, finding.set))).isEqual).toBe(true);
  });

  it.each<[string, JsonObject, string]>([
    [
      "TensorFlow's resize",
      { vitrine: { resize: { library: "tensorflow", method: "bilinear" } } },
      "tf.image.resize bilinear",
    ],
    [
      "a tensor's resize",
      { vitrine: { resize: { library: "torchvision", method: "bilinear" } } },
      "torchvision bilinear of a uint8 tensor",
    ],
    ["cv2's linear", { vitrine: { resize: { library: "opencv", method: "linear" } } }, "cv2.resize linear"],
    ["cv2's area", { vitrine: { resize: { library: "opencv", method: "area" } } }, "cv2.resize area"],
    ["lanczos", { resample: 1 }, "Pillow lanczos"],
  ])("tells %s from Pillow's bilinear", async (_, fault, name) => {
    const finding = await find(await recordedWith(patched(CONTRACT, fault)));

    expect(finding.changes).toMatchObject([
      { step: "resize filter", ours: "Pillow bilinear", recorded: name },
    ]);
  });

  it("tells the Keras presets and Hugging Face's scales apart", async () => {
    for (const [fault, name] of [
      [{ vitrine: { preset: "caffe" } }, "Keras preset caffe"],
      [{ vitrine: { preset: null } }, "0 to 255"],
      [{ vitrine: { preset: null }, do_rescale: true }, "times 0.00392157"],
    ] as const) {
      const { changes } = await find(await recordedWith(patched(CONTRACT, fault)));

      expect(changes.find(({ step }) => step === "scale")?.recorded).toBe(name);
    }
  });

  it("works out a mean and deviation that nobody has published", async () => {
    const own = {
      do_rescale: true,
      do_normalize: true,
      image_mean: [0.31, 0.42, 0.53],
      image_std: [0.2, 0.21, 0.22],
    };
    const finding = await find(await recordedWith(patched(CONTRACT, { ...own, vitrine: { preset: null } })));

    expect(finding.changes.map(({ step }) => step)).toEqual(["scale"]);
    const { image_mean, image_std } = finding.set as { image_mean: number[]; image_std: number[] };
    expect(image_mean.map((value) => Number(value.toFixed(4)))).toEqual(own.image_mean);
    expect(image_std.map((value) => Number(value.toFixed(4)))).toEqual(own.image_std);
  });

  it("does not explain the tensor of another photo", async () => {
    const other = await recordedWith(CONTRACT);
    const noise = { ...other, samples: other.samples.map((_, at) => Math.sin(at * at)) };

    expect(await find(noise)).toMatchObject({ isEqual: false, isExplained: false });
  });
});
