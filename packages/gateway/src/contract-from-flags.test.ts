import { contractFromFiles } from "@vitrine/protocol/contract";
import { DataType } from "@vitrine/protocol/tensor";
import { describe, expect, it } from "vitest";
import { type ContractFlags, contractWithFlags, inWordsOfFlags } from "./contract-from-flags.js";
import { type ImageInput, planPreprocessing } from "./preprocess-plan.js";

const OPEN = { size: undefined, isNchw: false };

const NONE: ContractFlags = {
  preprocess: undefined,
  size: undefined,
  resample: undefined,
  orientation: undefined,
  labels: undefined,
  scoreKind: undefined,
};

const brought = contractFromFiles(
  { id2label: { 0: "a", 1: "b" }, vitrine: { score_kind: "probabilities", threshold: 0.5 } },
  {
    size: { height: 224, width: 224 },
    resample: 3,
    image_mean: [0, 0, 0],
    image_std: [1, 1, 1],
    vitrine: { orientation: "exif" },
  },
);

describe("a model that brings no contract", () => {
  const xception = { ...NONE, preprocess: "xception", size: { width: 299, height: 299 }, labels: ["a", "b"] };

  it("gets the one of the flags: Keras' arithmetic, NEAREST, logits, stored orientation", () => {
    const contract = contractWithFlags(undefined, xception, OPEN);
    expect(contract).toMatchObject({
      labels: ["a", "b"],
      scoreKind: "logits",
      temperature: 1,
      threshold: undefined,
      preprocessor: {
        size: { height: 299, width: 299 },
        resample: 0,
        do_resize: true,
        do_rescale: false,
        do_normalize: false,
        vitrine: { preset: "tf", orientation: "ignore", layout: "NHWC" },
      },
    });
    expect(contract.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it.each([
    ["xception", "tf"],
    ["inception_v3", "tf"],
    ["densenet", "torch"],
    ["resnet50", "caffe"],
    ["vgg16", "caffe"],
    ["efficientnet", undefined],
    ["none", undefined],
  ])("%s computes %s", (preprocess, preset) => {
    const contract = contractWithFlags(undefined, { ...xception, preprocess }, OPEN);
    expect(contract.preprocessor.vitrine.preset).toBe(preset);
  });

  it("takes the size that the signature fixes, unless a flag says another", () => {
    const open = { ...xception, size: undefined };
    const fixed = { width: 20, height: 10 };
    expect(contractWithFlags(undefined, open, { size: fixed, isNchw: false }).preprocessor.size).toEqual(
      fixed,
    );
    expect(contractWithFlags(undefined, xception, { size: fixed, isNchw: false }).preprocessor.size).toEqual(
      xception.size,
    );
  });

  it("and gets too few flags says which are missing", () => {
    expect(() => contractWithFlags(undefined, { ...NONE, preprocess: "vgg16" }, OPEN)).toThrow(
      /no --size, --labels, expected either these or --contract DIR/,
    );
  });
});

describe("a model that brings a contract", () => {
  it("is worked by it as it is, without flags", () => {
    expect(contractWithFlags(brought, NONE, { size: { width: 1, height: 1 }, isNchw: false })).toBe(brought);
  });

  it.each<[string, Partial<ContractFlags>, object]>([
    ["--labels", { labels: ["x", "y"] }, { labels: ["x", "y"], scoreKind: "probabilities", threshold: 0.5 }],
    ["--score-kind", { scoreKind: "logits" }, { scoreKind: "logits", labels: ["a", "b"], threshold: 0.5 }],
    [
      "--resample",
      { resample: "nearest" },
      { preprocessor: { resample: 0, size: { height: 224, width: 224 }, vitrine: { orientation: "exif" } } },
    ],
    [
      "--orientation",
      { orientation: "ignore" },
      { preprocessor: { resample: 3, vitrine: { orientation: "ignore" } } },
    ],
    [
      "--size",
      { size: { width: 8, height: 9 } },
      { preprocessor: { resample: 3, size: { width: 8, height: 9 } } },
    ],
  ])("has it changed by %s in that alone", (_flag, flags, expected) => {
    const contract = contractWithFlags(brought, { ...NONE, ...flags }, OPEN);
    expect(contract).toMatchObject(expected);
    expect(contract.digest).not.toBe(brought.digest);
  });

  it("--preprocess replaces all of its arithmetic and keeps its size", () => {
    const { preprocessor } = contractWithFlags(brought, { ...NONE, preprocess: "vgg16" }, OPEN);
    expect(preprocessor).toMatchObject({
      size: { height: 224, width: 224 },
      resample: 0,
      do_rescale: false,
      do_normalize: false,
      vitrine: { preset: "caffe", orientation: "ignore" },
    });
    expect(preprocessor.image_mean).toBeUndefined();
  });
});

it("an input with its channels first is filled in that order", () => {
  const flags = { ...NONE, preprocess: "vgg16", size: { width: 8, height: 8 }, labels: ["a"] };
  const layoutOf = (isNchw: boolean) =>
    contractWithFlags(undefined, flags, { size: undefined, isNchw }).preprocessor.vitrine.layout;
  expect([layoutOf(true), layoutOf(false)]).toEqual(["NCHW", "NHWC"]);
});

describe("a model that the flags do not fit", () => {
  const uint8 = { dtype: DataType.DT_UINT8, shape: [-1, 224, 224, 3] };
  const plan = (flags: Partial<ContractFlags>, input: ImageInput = uint8) => {
    const given = { ...NONE, ...flags };
    const { preprocessor } = contractWithFlags(brought, given, OPEN);
    return () => inWordsOfFlags(given, () => planPreprocessing(preprocessor, input));
  };

  it("is told in the words of the flag that was given", () => {
    expect(plan({ preprocess: "xception" })).toThrow(
      /^--preprocess xception was given but the input is uint8, expected float, or pixels without arithmetic$/,
    );
    const float = { ...uint8, dtype: DataType.DT_FLOAT };
    expect(plan({ size: { width: 320, height: 240 } }, float)).toThrow(
      /^--size was 240x320 \(height x width\), expected 224x224, because/,
    );
    expect(plan({ preprocess: "none" }, { ...uint8, shape: [-1, 9, 9, 3] })).toThrow(
      /^--preprocess none does not fit the model: size was 224x224/,
    );
  });

  it("is told by its file where no flag has a part in it", () => {
    expect(plan({ orientation: "ignore" })).toThrow(
      /^preprocessor_config.json does not fit the model: do_rescale/,
    );
  });
});
