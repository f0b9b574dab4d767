import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { inspectModel } from "./inspect.js";
import { inspectionJson, inspectionText } from "./inspection-text.js";
import { openGolden } from "./testing/golden.js";

const scratch = mkdtempSync(path.join(tmpdir(), "vitrine-inspect-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const SHIPPED = fileURLToPath(new URL("../../../models/clothing-model", import.meta.url));

describe("the summary", () => {
  test("of the course's SavedModel names what goes in and out, and guesses the family", async () => {
    const golden = openGolden("course.keras2");
    try {
      const inspection = await inspectModel(path.join(golden.folder, "saved-model"));
      expect(JSON.parse(inspectionJson(inspection))).toMatchObject({
        format: "saved-model",
        signatures: ["serving_default"],
        inputs: [{ name: "input_8", dtype: "float32", shape: [-1, 75, 75, 3], layout: "NHWC" }],
        outputs: [{ name: "dense_7", dtype: "float32", shape: [-1, 10] }],
        scores: "dense_7",
        classes: 10,
        score_kind: "logits",
        contract: null,
        suggested_contract: { preprocess: "xception", size: { width: 75, height: 75 }, is_guess: true },
        unsupported: null,
      });
      expect(inspectionText(inspection)).toMatch(/suggestion +--preprocess xception --size 75 .*a guess/);
    } finally {
      golden.remove();
    }
  });

  test("of a folder of versions is that of the greatest, with its contract", async () => {
    const inspection = await inspectModel(SHIPPED);
    expect(inspection.source.path).toBe(path.join(SHIPPED, "2", "model.onnx"));
    expect(inspection.contract?.labels).toContain("t-shirt");
    expect(inspectionText(inspection)).toMatch(/input +pixels +uint8 \[-1, 256, 256, 3\] +pictures, NHWC/);
  });

  test("of a SavedModel that cannot run still has its signature, and says why", async () => {
    const golden = openGolden("preprocessing.keras3");
    try {
      const inspection = await inspectModel(path.join(golden.folder, "saved-model"));
      expect(inspection.unsupported).toMatch(/Random|random/);
      expect(inspection.facts.inputs).not.toEqual([]);
    } finally {
      golden.remove();
    }
  });

  test("softmax at the end means probabilities", async () => {
    const golden = openGolden("vgg16.keras3");
    try {
      const inspection = await inspectModel(path.join(golden.folder, "saved-model"));
      expect(inspection.facts.scoreKind).toBe("probabilities");
      expect(inspection.facts.family).toBe("vgg16");
    } finally {
      golden.remove();
    }
  });

  test.each([
    ["weights.ckpt", /a checkpoint without its model/],
    ["model.tflite", /a TensorFlow Lite model; convert the model that it was made from/],
  ])("of %s is a sentence that helps", async (name, words) => {
    const file = path.join(scratch, name);
    await writeFile(file, "bytes");
    await expect(inspectModel(file)).rejects.toThrow(words);
  });
});
