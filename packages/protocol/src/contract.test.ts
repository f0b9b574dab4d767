import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { contractFromFiles, contractFromJson, contractToJson, layoutOf, readContract } from "./contract.js";
import { ServeError } from "./status.js";

const CONFIG = { id2label: { "0": "dress", "1": "hat" }, vitrine: { temperature: 1.5, threshold: 0.4 } };
const PREPROCESSOR = { size: { height: 224, width: 224 }, resample: 2, vitrine: { preset: "tf" } };

function refusal(run: () => unknown): ServeError {
  try {
    run();
  } catch (error) {
    if (error instanceof ServeError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

const TWINS = { 0: "crane", 1: "hat", 2: "crane", 3: "hat (1)", 4: "hat" };

describe("labels that two outputs have", () => {
  test("are told apart by the index of the output", () => {
    const { labels } = contractFromFiles({ id2label: TWINS }, PREPROCESSOR);
    expect(labels).toEqual(["crane (0)", "hat (1) (1)", "crane (2)", "hat (1)", "hat (4)"]);
  });
});

describe("the two files", () => {
  test("say labels in order, scores and preprocessing, with Hugging Face's defaults", () => {
    const contract = contractFromFiles(CONFIG, PREPROCESSOR);
    expect(contract).toMatchObject({
      labels: ["dress", "hat"],
      scoreKind: "logits",
      temperature: 1.5,
      threshold: 0.4,
      scoresOutput: undefined,
    });
    expect(contract.preprocessor).toMatchObject({
      do_resize: true,
      resample: 2,
      rescale_factor: 1 / 255,
      vitrine: { preset: "tf", orientation: "ignore" },
    });
  });

  test("may hold keys that are not ours", () => {
    const contract = contractFromFiles({ ...CONFIG, architectures: ["X"] }, { ...PREPROCESSOR, feature: 1 });
    expect(contract.labels).toHaveLength(2);
    expect(contract.files.config).toMatchObject({ architectures: ["X"] });
  });

  test.each([
    ["no labels", {}, PREPROCESSOR, /^config\.json was not valid.*id2label/s],
    [
      "a label that is missing",
      { id2label: { "0": "a", "2": "b" } },
      PREPROCESSOR,
      /none for 1, expected 0 to 1/,
    ],
    ["a key that is no index", { id2label: { a: "b" } }, PREPROCESSOR, /^config\.json was not valid/],
    ["an unknown score kind", { ...CONFIG, vitrine: { score_kind: "odds" } }, PREPROCESSOR, /score_kind/],
    ["temperature 0", { ...CONFIG, vitrine: { temperature: 0 } }, PREPROCESSOR, /temperature/],
    ["an unknown preset", CONFIG, { vitrine: { preset: "keras" } }, /^preprocessor_config\.json.*preset/s],
    ["a filter beyond Pillow's", CONFIG, { resample: 6 }, /resample/],
    ["a picture without height", CONFIG, { size: { width: 3 } }, /size/],
    ["two means", CONFIG, { image_mean: [1, 2] }, /image_mean/],
  ])("with %s are refused by key and file", (_, config, preprocessor, message) => {
    const error = refusal(() => contractFromFiles(config, preprocessor));
    expect(error.reason).toBe("MODEL_INVALID");
    expect(error.message).toMatch(message);
  });
});

describe("the digest", () => {
  test("does not depend on the order of keys, at any depth", () => {
    const turned = { vitrine: { threshold: 0.4, temperature: 1.5 }, id2label: { "1": "hat", "0": "dress" } };
    expect(contractFromFiles(turned, PREPROCESSOR).digest).toBe(
      contractFromFiles(CONFIG, PREPROCESSOR).digest,
    );
  });

  test("is that of the canonical JSON, as sha256sum prints it", () => {
    // printf '{"config":{"id2label":{"0":"a"}},"preprocessor":{"do_resize":false}}' | sha256sum
    expect(contractFromFiles({ id2label: { "0": "a" } }, { do_resize: false }).digest).toBe(
      "sha256:7e06794c89cf5f80b2e4f7561d4a73fd447a38d9749aadad76e42505cceb21c0",
    );
  });

  test("changes with any value", () => {
    const digests = [
      contractFromFiles(CONFIG, PREPROCESSOR),
      contractFromFiles(CONFIG, { ...PREPROCESSOR, resample: 3 }),
      contractFromFiles({ ...CONFIG, note: 1 }, PREPROCESSOR),
    ].map(({ digest }) => digest);
    expect(new Set(digests).size).toBe(3);
  });
});

describe("on its way", () => {
  test("a contract arrives as it left", () => {
    const contract = contractFromFiles(CONFIG, PREPROCESSOR);
    expect(contractFromJson(contractToJson(contract))).toEqual(contract);
  });

  test("a digest that does not fit is refused", () => {
    const text = contractToJson(contractFromFiles(CONFIG, PREPROCESSOR)).replace("hat", "cap");
    expect(refusal(() => contractFromJson(text)).message).toMatch(/^vitrine\.contract had digest sha256:/);
  });

  test.each([
    ["no JSON", "{"],
    ["another schema", JSON.stringify({ schema: 2, config: CONFIG, preprocessor: PREPROCESSOR, digest: "" })],
    ["no digest", JSON.stringify({ schema: 1, config: CONFIG, preprocessor: PREPROCESSOR })],
    ["half of it", JSON.stringify({ schema: 1, config: CONFIG, digest: "" })],
  ])("%s is refused", (_, text) => {
    expect(refusal(() => contractFromJson(text)).reason).toBe("MODEL_INVALID");
  });
});

describe("in a version folder", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "vitrine-contract-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function write(name: string, content: unknown): Promise<void> {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
  }

  test("both files are the contract", async () => {
    await write("config.json", CONFIG);
    await write("preprocessor_config.json", PREPROCESSOR);
    expect(await readContract(folder)).toEqual(contractFromFiles(CONFIG, PREPROCESSOR));
  });

  test("assets.extra is the other place, and the folder itself comes first", async () => {
    await write("assets.extra/config.json", CONFIG);
    await write("assets.extra/preprocessor_config.json", PREPROCESSOR);
    expect((await readContract(folder))?.labels).toEqual(["dress", "hat"]);
    await write("config.json", { id2label: { "0": "shoe" } });
    await write("preprocessor_config.json", PREPROCESSOR);
    expect((await readContract(folder))?.labels).toEqual(["shoe"]);
  });

  test("no files are no contract", async () => {
    expect(await readContract(folder)).toBeUndefined();
  });

  test.each([
    ["config.json", "preprocessor_config.json"],
    ["preprocessor_config.json", "config.json"],
  ])("%s alone is refused by the name of the other", async (present, missing) => {
    await write(present, present === "config.json" ? CONFIG : PREPROCESSOR);
    await expect(readContract(folder)).rejects.toMatchObject({
      reason: "MODEL_INVALID",
      message: `${missing} was missing, expected it beside the other contract file`,
    });
  });

  test("a file that is not JSON is refused by its name", async () => {
    await write("config.json", "{");
    await write("preprocessor_config.json", PREPROCESSOR);
    await expect(readContract(folder)).rejects.toMatchObject({
      reason: "MODEL_INVALID",
      message: expect.stringMatching(/^config\.json was not JSON/),
    });
  });
});

test.each<[string, object, readonly number[] | undefined, string]>([
  ["what the contract says", { vitrine: { layout: "NHWC" } }, [-1, 3, 8, 8], "NHWC"],
  [
    "channels last where the input has its three there",
    { image_processor_type: "ViTImageProcessor" },
    [-1, 8, 8, 3],
    "NHWC",
  ],
  ["channels first where the input has its three there", {}, [-1, 3, 224, 224], "NCHW"],
  [
    "Hugging Face's where every size is open",
    { image_processor_type: "ViTImageProcessor" },
    [-1, -1, -1, -1],
    "NCHW",
  ],
  ["Hugging Face's of old, too", { feature_extractor_type: "ViTFeatureExtractor" }, undefined, "NCHW"],
  ["channels last where nobody says anything", {}, [-1, -1, -1, -1], "NHWC"],
])("the order of the input is %s", (_, preprocessor, shape, expected) => {
  const contract = contractFromFiles({ id2label: { 0: "a" } }, preprocessor);
  expect(layoutOf(contract.preprocessor, shape)).toBe(expected);
});
