import type { ModelContract } from "@vitrine/protocol/contract";
import { ServeError } from "@vitrine/protocol/status";
import { DataType, type Tensor } from "@vitrine/protocol/tensor";
import sharp from "sharp";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { infoResponseSchema, predictResponseSchema, problemSchema } from "../api.js";
import { contract, jpeg, model, startTestGateway, type TestGateway } from "../testing/gateway.js";
import { floats, type PuppetModel } from "../testing/model-tier.js";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function start(puppet: PuppetModel, flags: Record<string, string> = {}): Promise<TestGateway> {
  const setup = await startTestGateway(puppet, flags);
  closers.push(() => setup.close());
  return setup;
}

/** 8 x 8, dark but for one white pixel, which is what the puppet below calls trousers. */
const SPOT = { column: 6, row: 2 };

async function spotted(isSpotted = true): Promise<Buffer> {
  const pixels = new Uint8Array(3 * 64);
  if (isSpotted) pixels.fill(255, 3 * (8 * SPOT.row + SPOT.column), 3 * (8 * SPOT.row + SPOT.column) + 3);
  return await sharp(pixels, { raw: { width: 8, height: 8, channels: 3 } })
    .png()
    .toBuffer();
}

type Form = Pick<PuppetModel, "input"> & { readonly contract: ModelContract; readonly isNchw: boolean };

const uint8: Form = {
  input: { dtype: DataType.DT_UINT8, shape: [-1, 8, 8, 3] },
  contract: contract(),
  isNchw: false,
};
const normalized = {
  do_rescale: true,
  do_normalize: true,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
};
const floatForm: Form = {
  input: { dtype: DataType.DT_FLOAT, shape: [-1, 8, 8, 3] },
  contract: contract({ preprocessor: normalized }),
  isNchw: false,
};
const nchw: Form = {
  input: { dtype: DataType.DT_FLOAT, shape: [-1, 3, 8, 8] },
  contract: contract({ preprocessor: normalized }),
  isNchw: true,
};

/** Red of the spot in each row, as a share of what white is. */
function spotsOf({ shape, data }: Tensor, isNchw: boolean): number[] {
  const values = data as Uint8Array | Float32Array;
  const at = 8 * SPOT.row + SPOT.column;
  const white = values instanceof Uint8Array ? 255 : 1;
  return Array.from(
    { length: shape[0] ?? 0 },
    (_, row) => (values[192 * row + (isNchw ? at : 3 * at)] ?? 0) / white,
  );
}

const logitsOf = (spots: readonly number[]) =>
  floats(
    [spots.length, 3],
    spots.flatMap((spot) => [0, 1, 6 * spot]),
  );

/** Without a map of its own. */
function spotModel(form: Form = uint8, changes: Partial<PuppetModel> = {}): PuppetModel {
  return model({
    input: form.input,
    contract: form.contract,
    outputs: { logits: { dtype: DataType.DT_FLOAT, shape: [-1, 3] } },
    predict: (input) => ({ logits: logitsOf(spotsOf(input, form.isNchw)) }),
    ...changes,
  });
}

async function ask(setup: TestGateway, query: string, ...pictures: Buffer[]) {
  const body = new FormData();
  for (const picture of pictures) body.append("file", new Blob([new Uint8Array(picture)]), "photo");
  const response = await fetch(setup.url(`/predict?${query}`), { method: "POST", body });
  return { response, json: await response.json() };
}

async function answerTo(setup: TestGateway, query: string, ...pictures: Buffer[]) {
  const { json } = await ask(setup, query, ...pictures);
  return predictResponseSchema.parse(json);
}

/** Cell of the spot in a map of 7 x 7. */
const SPOT_CELL = 7 * Math.floor(((SPOT.row + 0.5) / 8) * 7) + Math.floor(((SPOT.column + 0.5) / 8) * 7);

const rowsOf = (setup: TestGateway) => setup.tier.calls.map(({ input }) => input.shape[0] ?? 0);
const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

/** A door that calls wait at until it is opened. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe("a model without a map of its own is explained by occlusion", () => {
  it.each([
    ["uint8", uint8],
    ["float", floatForm],
    ["float with its channels first", nchw],
  ])("where its input is %s", async (_what, form) => {
    const setup = await start(spotModel(form));
    const { heatmap, top_class, timings } = await answerTo(setup, "explain=1", await spotted());
    expect(top_class).toBe("pants");
    expect(heatmap).toMatchObject({ width: 7, height: 7, method: "occlusion", photo: 0, flat: false });
    expect(heatmap?.values[SPOT_CELL]).toBe(1);
    expect(heatmap?.values[7 * 6]).toBe(0);
    expect(heatmap?.drop).toBeGreaterThan(0.5);
    expect(timings.explain).toBeGreaterThan(0);
    // The picture itself, the picture once more among the others, and 49 patches.
    expect(sum(rowsOf(setup))).toBe(51);
    expect(rowsOf(setup).length).toBeLessThan(10);
    expect(setup.tier.calls.every(({ outputFilter }) => outputFilter.join() === "logits")).toBe(true);
  });

  it("says so in /info, with the finest grid that is allowed", async () => {
    const setup = await start(spotModel(), { explainOcclusion: "20" });
    const info = infoResponseSchema.parse(await (await fetch(setup.url("/info"))).json());
    expect(info).toMatchObject({ explain: true, explain_by: "occlusion", limits: { max_explain_grid: 4 } });
    expect((await answerTo(setup, "explain=1", await spotted())).heatmap?.width).toBe(4);
    expect((await answerTo(setup, "explain=1&explain_grid=3", await spotted())).heatmap?.width).toBe(3);
  });

  const oneByOne = () => Array.from({ length: 49 }, () => 1);

  it("one by one where the signature takes one picture at a time", async () => {
    const form = { ...uint8, input: { ...uint8.input, shape: [1, 8, 8, 3] } };
    const setup = await start(spotModel(form));
    const { heatmap } = await answerTo(setup, "explain=1", await spotted());
    expect(heatmap?.values[SPOT_CELL]).toBe(1);
    expect(rowsOf(setup)).toEqual([1, ...oneByOne()]);
  });

  it.each<[string, (input: Tensor) => Tensor]>([
    [
      "refuses several rows",
      (input) => {
        if (input.shape[0] !== 1) throw new ServeError("REQUEST_INVALID", "must be [1,8,8,3]");
        return logitsOf(spotsOf(input, false));
      },
    ],
    [
      "breaks at several rows",
      (input) => {
        if (input.shape[0] !== 1) throw new Error("reshape");
        return logitsOf(spotsOf(input, false));
      },
    ],
    ["answers the first row alone", (input) => logitsOf(spotsOf(input, false).slice(0, 1))],
    [
      "mixes the rows of a batch",
      (input) => {
        const spots = spotsOf(input, false);
        return logitsOf(spots.map((spot) => spot / spots.length));
      },
    ],
  ])("one by one where the model %s", async (_what, predict) => {
    const setup = await start(spotModel(uint8, { predict: (input) => ({ logits: predict(input) }) }));
    const { heatmap } = await answerTo(setup, "explain=1", await spotted());
    expect(heatmap?.values[SPOT_CELL]).toBe(1);
    expect(rowsOf(setup)).toEqual([1, 8, ...oneByOne()]);
  });

  it("is not asked at any price: not where one picture is as large as many", async () => {
    const preprocessor = { do_resize: false };
    const form = {
      ...uint8,
      input: { ...uint8.input, shape: [-1, -1, -1, 3] },
      contract: contract({ preprocessor }),
    };
    const setup = await start(
      spotModel(form, { predict: ({ shape }) => ({ logits: logitsOf(Array(shape[0]).fill(1)) }) }),
    );
    const { response, json } = await ask(setup, "explain=1", await jpeg(2400, 2300));
    expect(response.status).toBe(501);
    expect(problemSchema.parse(json).detail).toMatch(/input was 16560000 bytes for this picture/);
    const { steps } = await answerTo(setup, "steps=1", await jpeg(2400, 2300));
    expect(steps?.input).toMatchObject({ width: 2400, height: 2300, picture_is_exact: false });
  });

  it("is flat where no part of the picture changes the answer", async () => {
    const setup = await start(
      spotModel(uint8, { predict: ({ shape }) => ({ logits: logitsOf(Array(shape[0]).fill(1)) }) }),
    );
    const { heatmap } = await answerTo(setup, "explain=1", await spotted());
    expect(heatmap).toMatchObject({ flat: true, drop: 0 });
    expect(new Set(heatmap?.values)).toEqual(new Set([0]));
  });

  it("of an item shows the photo that speaks for it most", async () => {
    const setup = await start(spotModel());
    const { heatmap, photos } = await answerTo(setup, "explain=1", await spotted(false), await spotted());
    expect(photos?.map(({ top_class }) => top_class)).toEqual(["hat", "pants"]);
    expect(heatmap).toMatchObject({ photo: 1, flat: false });
    expect(heatmap?.values[SPOT_CELL]).toBe(1);
  });

  it("is not worked out for an answer that has no place for it", async () => {
    const setup = await start(spotModel());
    const { json } = await ask(setup, "format=scores&explain=1&steps=1", await spotted());
    expect(Object.keys(json)).toEqual(["dress", "hat", "pants"]);
    expect(setup.tier.calls).toHaveLength(1);
  });

  it("is no answer kept from before, also where the prediction is", async () => {
    const setup = await start(spotModel(), { cacheBytes: "1000000" });
    const picture = await spotted();
    await ask(setup, "", picture);
    expect((await ask(setup, "", picture)).response.headers.get("x-cache")).toBe("hit");
    const { response, json } = await ask(setup, "explain=1", picture);
    expect(response.headers.get("x-cache")).toBeNull();
    expect(predictResponseSchema.parse(json).heatmap?.values[SPOT_CELL]).toBe(1);
  });
});

describe("a model with a map of its own", () => {
  it("may be explained by occlusion, too", async () => {
    const setup = await start(model());
    const { heatmap } = await answerTo(setup, "explain=occlusion&explain_grid=2", await jpeg());
    expect(heatmap).toMatchObject({ method: "occlusion", width: 2, flat: true });
  });

  it("cannot be asked for a map where it has none", async () => {
    const setup = await start(spotModel());
    const { response, json } = await ask(setup, "explain=activation", await spotted());
    expect([response.status, problemSchema.parse(json).reason]).toEqual([501, "METHOD_UNIMPLEMENTED"]);
  });

  it("says how its map is to be turned and where it lies, where the contract crops and ignores EXIF", async () => {
    const preprocessor = { size: { shortest_edge: 16 }, do_center_crop: true, crop_size: 8 };
    const setup = await start(model({ contract: contract({ preprocessor }) }));
    const turned = await sharp(await jpeg(32, 16))
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const { heatmap } = await answerTo(setup, "explain=1", turned);
    expect(heatmap).toMatchObject({
      orientation: 6,
      area: { x: 12 / 32, y: 0.25, width: 0.25, height: 0.5 },
      values: [0, 0, 0.5, 1],
    });
    expect(setup.tier.calls).toHaveLength(1);
  });
});

describe("an explanation that does not come to its end", () => {
  /** Answers the picture itself and the first batch, then does as told. */
  function thenDoes(act: (signal: AbortSignal) => Promise<never>): PuppetModel {
    let calls = 0;
    return spotModel(uint8, {
      predict: async (input, { signal }) => {
        calls += 1;
        if (calls > 2) return await act(signal);
        return { logits: logitsOf(spotsOf(input, false)) };
      },
    });
  }

  const untilAborted = (signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(new ServeError("CANCELLED", "gone")));
    });

  it("fails with the model tier's own words, and asks no more", async () => {
    const setup = await start(
      thenDoes(() =>
        Promise.reject(new ServeError("QUEUE_FULL", "queue was full", { retryAfterSeconds: 1 })),
      ),
    );
    const { response, json } = await ask(setup, "explain=1", await spotted());
    expect([response.status, problemSchema.parse(json).reason]).toEqual([503, "QUEUE_FULL"]);
    const calls = setup.tier.calls.length;
    expect(calls).toBeLessThan(2 + 2 * 4);
  });

  it("ends with the request's deadline", async () => {
    const setup = await start(thenDoes(untilAborted), { timeoutMs: "700" });
    const { response, json } = await ask(setup, "explain=1", await spotted());
    expect([response.status, problemSchema.parse(json).reason]).toEqual([504, "DEADLINE_EXCEEDED"]);
  });

  it("ends when the caller leaves", async () => {
    const begun = gate();
    const ended = gate();
    const setup = await start(
      thenDoes((signal) => {
        begun.open();
        signal.addEventListener("abort", () => ended.open());
        return untilAborted(signal);
      }),
    );
    const caller = new AbortController();
    const body = new Uint8Array(await spotted());
    const headers = { "content-type": "image/png" };
    const answer = fetch(setup.url("/predict?explain=1"), {
      method: "POST",
      body,
      headers,
      signal: caller.signal,
    });
    const gone = expect(answer).rejects.toThrow();
    await begun.opened;
    caller.abort();
    await gone;
    await ended.opened;
  });

  it("fails when another version answers meanwhile: two models' probabilities are no map", async () => {
    let calls = 0;
    const puppet = spotModel(uint8, {
      predict: (input) => {
        calls += 1;
        if (calls === 3) puppet.version = 2;
        return { logits: logitsOf(spotsOf(input, false)) };
      },
    });
    const setup = await start(puppet);
    const { response, json } = await ask(setup, "explain=1", await spotted());
    expect([response.status, problemSchema.parse(json).reason]).toEqual([503, "MODEL_UNAVAILABLE"]);
    expect(response.headers.get("retry-after")).toBe("1");
    // The model tier is there: nobody else is refused for it.
    expect((await ask(setup, "", await spotted())).response.status).toBe(200);
  });

  it("counts as many requests as it costs, and gives them back", async () => {
    const begun = gate();
    const door = gate();
    onTestFinished(() => door.open());
    let isParked = true;
    const setup = await start(
      spotModel(uint8, {
        predict: async (input) => {
          if (isParked && (input.shape[0] ?? 0) > 1) {
            begun.open();
            await door.opened;
          }
          return { logits: logitsOf(spotsOf(input, false)) };
        },
      }),
      { maxConcurrentRequests: "60" },
    );
    const first = ask(setup, "explain=1", await spotted());
    await begun.opened;
    const second = await ask(setup, "explain=1", await spotted());
    expect([second.response.status, problemSchema.parse(second.json).reason]).toEqual([429, "OVERLOADED"]);
    expect((await ask(setup, "", await spotted())).response.status).toBe(200);
    isParked = false;
    door.open();
    expect((await first).response.status).toBe(200);
    expect((await ask(setup, "explain=1", await spotted())).response.status).toBe(200);
  });
});

describe("the steps of a photo", () => {
  it("lead from its file to its probabilities", async () => {
    const setup = await start(spotModel(floatForm));
    const photo = await sharp(await jpeg(32, 16))
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const { steps, heatmap, timings } = await answerTo(setup, "steps=1", photo);
    expect(heatmap).toBeUndefined();
    expect(timings.explain).toBeGreaterThan(0);
    expect(steps).toMatchObject({
      photo: 0,
      original: { format: "jpeg", bytes: photo.length, width: 32, height: 16, orientation: 6 },
      upright: { width: 16, height: 32, used: false },
      input: { name: "image", dtype: "float32", layout: "NHWC", width: 8, height: 8, picture_is_exact: true },
      temperature: 1,
    });
    expect(steps?.input.area).toEqual({ x: 0, y: 0, width: 1, height: 1 });
    expect(steps?.input.channels.map(({ colour }) => colour)).toEqual(["red", "green", "blue"]);
    expect(sum(Object.values(steps?.probabilities ?? {}))).toBeCloseTo(1, 9);
    const png = Buffer.from(steps?.input.picture.split(",")[1] ?? "", "base64");
    const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([8, 8]);
    const tensor = setup.tier.calls[0]?.input.data as Float32Array;
    expect([...data]).toEqual(Array.from(tensor, (value) => Math.round((value + 1) * 127.5)));
  });

  it("of an item are those of the photo that speaks for it most, beside its heat map", async () => {
    const setup = await start(spotModel());
    const answer = await answerTo(setup, "steps=1&explain=1", await spotted(false), await spotted());
    expect([answer.steps?.photo, answer.heatmap?.photo]).toEqual([1, 1]);
    expect(answer.steps?.scores).toEqual({ dress: 0, hat: 1, pants: 6 });
    // Prepared once for both.
    expect(sum(rowsOf(setup))).toBe(2 + 50);
  });

  it("are answered to those alone who ask", async () => {
    const setup = await start(spotModel());
    expect(await answerTo(setup, "", await spotted())).not.toHaveProperty("steps");
  });
});

it.each([
  "explain=2",
  "explain=saliency",
  "explain_grid=1",
  "explain_grid=33",
  "explain_grid=2.5",
  "explain_grid=",
  "steps=yes",
])("%s is no wish, and the answer says which are", async (query) => {
  const setup = await start(spotModel());
  const { response, json } = await ask(setup, query, await spotted());
  expect(response.status).toBe(400);
  expect(problemSchema.parse(json)).toMatchObject({
    reason: "BODY_INVALID",
    detail: expect.stringContaining("explain=0, 1, activation or occlusion"),
  });
  expect(setup.tier.calls).toHaveLength(0);
});
