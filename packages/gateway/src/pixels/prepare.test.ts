import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { DataType } from "@vitrine/protocol/tensor";
import { describe, expect, it } from "vitest";
import { planPreprocessing } from "../preprocess-plan.js";
import { createBaselineDecoder } from "./jpeg-baseline.js";
import { type Preprocessed, preparePicture } from "./prepare.js";
import { resize } from "./resize.js";
import { createSimdResize } from "./resize-simd.js";
import { preprocessorOf, readGolden, readPicture, readPlans, sha256 } from "./testing/goldens.js";

const plans = readPlans();
const { pictures } = readGolden("pictures.json");
const options = {
  maxPixels: 50_000_000,
  resize: createSimdResize() ?? resize,
  decodeBaseline: createBaselineDecoder(),
  checkpoint: () => undefined,
};

async function prepare(bytes: Uint8Array, plan: string): Promise<Preprocessed> {
  return preparePicture(bytes, plans.get(plan)!, options);
}

describe("preparePicture", () => {
  it.each(Object.entries(pictures))(
    "gives the tensors of Pillow, Keras and Transformers for %s",
    async (name, golden) => {
      const bytes = readPicture(name);
      const tensors: Record<string, string> = {};
      for (const plan of Object.keys(golden.tensors))
        tensors[plan] = sha256((await prepare(bytes, plan)).tensor.data);

      expect(tensors).toEqual(golden.tensors);
    },
    60_000,
  );

  it.each(readGolden("tensors.json"))("gives each value of $picture under $plan", async (golden) => {
    const { tensor } = await prepare(readPicture(golden.picture), golden.plan);
    const bytes = Uint8Array.from(Buffer.from(golden.base64, "base64"));
    const expected = golden.dtype === "DT_UINT8" ? bytes : new Float32Array(bytes.buffer);

    expect(tensor.shape).toEqual(golden.shape);
    // Where they part, and by how much; -1 means nowhere.
    const at = expected.findIndex((value, index) => !Object.is(value, tensor.data[index]));
    expect({ at, value: tensor.data[at] }).toEqual({ at: -1, value: undefined });
  });

  it.each(
    readGolden("reduced.json").map((golden) => ({
      golden,
      name: `${golden.picture} ${JSON.stringify(golden.preprocessor)}`,
    })),
  )("gives the pixels of Pillow's draft where the contract allows: $name", async ({ golden }) => {
    const input = { dtype: DataType.DT_UINT8, shape: undefined };
    const plan = planPreprocessing(preprocessorOf(golden.preprocessor), input);
    const bytes = readPicture(golden.picture);
    const { tensor, width, height } = await preparePicture(bytes, plan, options);
    const whole = pictures[golden.picture]!;

    expect(sha256(tensor.data)).toBe(golden.sha256);
    expect([width, height].sort()).toEqual([whole.width, whole.height].sort());
  });

  it("says how large the picture was, upright when the plan turns it", async () => {
    expect(await prepare(readPicture("exif-6.jpg"), "uint8-squash-256-bilinear")).toMatchObject({
      width: 97,
      height: 63,
    });
    expect(await prepare(readPicture("exif-6.jpg"), "uint8-upright-64-bilinear")).toMatchObject({
      width: 63,
      height: 97,
    });
  });

  it("ends at the next step when the checkpoint throws", async () => {
    const gone = new Error("nobody waits");
    const checkpoint = () => {
      throw gone;
    };
    const plan = plans.get("uint8-squash-256-bilinear")!;

    await expect(preparePicture(readPicture("jpeg-420.jpg"), plan, { ...options, checkpoint })).rejects.toBe(
      gone,
    );
  });
});

const photos =
  process.env.VITRINE_PHOTOS === undefined ? undefined : path.join(process.env.VITRINE_PHOTOS, "validation");
const hasPhotos = photos !== undefined && existsSync(photos);

describe(
  hasPhotos ? "with the photos of VITRINE_PHOTOS" : "without VITRINE_PHOTOS: one picture the size of a photo",
  () => {
    it("every photo becomes Pillow's uint8 256x256 bilinear tensor, 0 differing", async () => {
      const plan = "uint8-squash-256-bilinear";
      const goldens = hasPhotos
        ? Object.entries(readGolden("photos.json")).map(([name, hash]) => ({
            hash,
            bytes: readFileSync(path.join(photos, name)),
          }))
        : [{ hash: pictures["jpeg-400x533.jpg"]!.tensors[plan], bytes: readPicture("jpeg-400x533.jpg") }];
      let differing = 0;
      for (const { hash, bytes } of goldens) {
        if (sha256((await prepare(bytes, plan)).tensor.data) !== hash) differing += 1;
      }

      expect(differing).toBe(0);
    }, 120_000);
  },
);
