import { Writable } from "node:stream";
import { ServeError } from "@vitrine/protocol/status";
import { DataType } from "@vitrine/protocol/tensor";
import { createLogger } from "@vitrine/runtime/logger";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { fitModel } from "./model-fit.js";
import { createModelLink, type ModelLink } from "./model-link.js";
import type { ModelDescription } from "./prediction-client.js";
import { contract } from "./testing/gateway.js";

const NO_FLAGS = {
  preprocess: undefined,
  size: undefined,
  resample: undefined,
  orientation: undefined,
  labels: undefined,
  scoreKind: undefined,
};
const told: { level: string; msg: string }[] = [];
const logger = createLogger({
  name: "test",
  level: "info",
  stream: new Writable({
    write(line, _encoding, done) {
      told.push(JSON.parse(String(line)));
      done();
    },
  }),
});
const away = () => new ServeError("MODEL_UNAVAILABLE", "away");

function description(version: string): ModelDescription {
  return {
    name: "m",
    version,
    signatureName: "serving_default",
    inputs: [{ alias: "image", dtype: DataType.DT_UINT8, shape: [-1, 8, 8, 3] }],
    outputs: [
      { alias: "logits", dtype: DataType.DT_FLOAT, shape: [-1, 3] },
      { alias: "maps", dtype: DataType.DT_FLOAT, shape: [-1, 3, 2, 2] },
    ],
    contract: contract(),
  };
}

/** Questions to the model tier, which the test answers. */
let questions: {
  version: string | undefined;
  answer: (value: ModelDescription) => void;
  fail: (error: Error) => void;
}[];
let link: ModelLink;

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  questions = [];
  told.length = 0;
  link = createModelLink({
    client: {
      describe: (_context, version) =>
        new Promise((answer, fail) => questions.push({ version, answer, fail })),
    },
    fit: (seen) => fitModel(seen, { folderContract: undefined, flags: NO_FLAGS }),
    describeTimeoutMs: 2000,
    retryMs: { first: 100, greatest: 400 },
    logger,
  });
});

afterEach(() => {
  link.close();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const settle = () => vi.advanceTimersByTimeAsync(0);

it("asks at once, and is ready with the first answer that fits", async () => {
  expect(questions).toHaveLength(1);
  expect(() => link.current()).toThrow(expect.objectContaining({ reason: "MODEL_UNAVAILABLE" }));
  questions[0]!.answer(description("1"));
  await link.ready;
  expect(link.current().description.version).toBe("1");
  expect(vi.getTimerCount()).toBe(0);
});

it("asks again after 100, 200, 400, 400 ms while the tier is away", async () => {
  const pauses: number[] = [];
  for (let count = 0; count < 4; count += 1) {
    questions.at(-1)!.fail(away());
    await settle();
    const asked = questions.length;
    let pause = 0;
    while (questions.length === asked) {
      await vi.advanceTimersByTimeAsync(50);
      pause += 50;
    }
    pauses.push(pause);
  }
  expect(pauses).toEqual([100, 200, 400, 400]);
});

it("warns of a tier that is away once it has answered before, or stays away while the pauses grow", async () => {
  const levels = () =>
    told.filter(({ msg }) => / the model tier$|cannot be used$/.test(msg)).map(({ level }) => level);
  questions[0]!.fail(new ServeError("DEADLINE_EXCEEDED", "too late"));
  await vi.advanceTimersByTimeAsync(100);
  questions[1]!.fail(new ServeError("DEADLINE_EXCEEDED", "too late"));
  await vi.advanceTimersByTimeAsync(200);
  expect(levels()).toEqual(["info"]);
  questions[2]!.fail(new ServeError("DEADLINE_EXCEEDED", "too late"));
  await vi.advanceTimersByTimeAsync(400);
  expect(levels()).toEqual(["info", "warn"]);
  questions[3]!.answer(description("1"));
  await link.ready;
  link.lost();
  questions[4]!.fail(away());
  await settle();
  expect(levels()).toEqual(["info", "warn", "warn"]);
});

it("warns at once of a model that does not fit, before it was ever ready, too", async () => {
  questions[0]!.fail(new ServeError("MODEL_CONTRACT_MISMATCH", "no labels"));
  await settle();
  const detail = { reason: "MODEL_CONTRACT_MISMATCH", detail: "no labels" };
  expect(told).toMatchObject([{ level: "warn", msg: "model tier cannot be used", ...detail }]);
  // A stack would have no use: it is a fault of the configuration.
  expect(told[0]).not.toHaveProperty("err");
});

it("shares one question among all who ask at a time", async () => {
  const asked = [link.refresh(), link.refresh(), link.refresh()];
  questions[0]!.answer(description("1"));
  const models = await Promise.all(asked);
  expect(new Set(models).size).toBe(1);
  expect(questions).toHaveLength(1);
});

it("asks at once when a request found the tier away, and refuses work from the first failure until it is back", async () => {
  questions[0]!.answer(description("1"));
  await link.ready;
  link.lost();
  expect(questions).toHaveLength(2);
  expect(link.current().description.version).toBe("1");
  questions[1]!.fail(away());
  await settle();
  expect(() => link.current()).toThrow(expect.objectContaining({ reason: "MODEL_UNAVAILABLE" }));
  link.lost();
  expect(questions).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(100);
  questions[2]!.answer(description("2"));
  await settle();
  expect(link.current().description.version).toBe("2");
  expect(vi.getTimerCount()).toBe(0);
});

it("keeps working while the tier is too busy to answer what it is", async () => {
  questions[0]!.answer(description("1"));
  await link.ready;
  const asked = link.refresh();
  questions[1]!.fail(new ServeError("DEADLINE_EXCEEDED", "too late"));
  await expect(asked).rejects.toMatchObject({ reason: "MODEL_UNAVAILABLE" });
  expect(link.current().description.version).toBe("1");
});

it("stops working with a model that does not fit any more", async () => {
  questions[0]!.answer(description("1"));
  await link.ready;
  const asked = link.refresh();
  questions[1]!.answer({
    ...description("2"),
    outputs: [{ alias: "logits", dtype: DataType.DT_FLOAT, shape: [-1, 4] }],
  });
  await expect(asked).rejects.toMatchObject({ reason: "MODEL_CONTRACT_MISMATCH" });
  expect(() => link.current()).toThrow(expect.objectContaining({ reason: "MODEL_CONTRACT_MISMATCH" }));
});

it("remembers versions, so that replicas of two versions cost one question each", async () => {
  questions[0]!.answer(description("1"));
  await link.ready;
  const context = { signal: new AbortController().signal, remainingMs: () => 1000 };
  const second = link.ofVersion("2", context);
  expect(questions[1]!.version).toBe("2");
  questions[1]!.answer(description("2"));
  await second;
  await link.ofVersion("1", context);
  await link.ofVersion("2", context);
  expect(questions).toHaveLength(2);
  expect(link.current().description.version).toBe("2");
});

it("asks nothing more once it is closed", async () => {
  questions[0]!.fail(away());
  await settle();
  link.close();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(questions).toHaveLength(1);
});
