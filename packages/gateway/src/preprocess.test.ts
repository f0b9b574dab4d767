import { randomUUID } from "node:crypto";
import { BroadcastChannel, Worker } from "node:worker_threads";
import { ServeError } from "@vitrine/protocol/status";
import { afterEach, describe, expect, it } from "vitest";
import { readGolden, readPicture, readPlans, sha256 } from "./pixels/testing/goldens.js";
import { createPreprocessor, type Preprocessor, type PreprocessorOptions } from "./preprocess.js";
import type { PreprocessPlan } from "./preprocess-plan.js";

const REAL_WORKER = new URL("../dist/preprocess-worker.js", import.meta.url);
const PARKING_WORKER = new URL("./testing/parking-preprocess-worker.js", import.meta.url);
const STILLBORN_WORKER = new URL("./testing/stillborn-worker.js", import.meta.url);
/** A signal of its own for each caller that never leaves. */
const forever = () => new AbortController().signal;
const photo = readPicture("jpeg-420.jpg");
const plans = readPlans();
const { pictures } = readGolden("pictures.json");

const open: Preprocessor[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((preprocessor) => preprocessor.close()));
});

function create(options: Partial<PreprocessorOptions> = {}): Preprocessor {
  const preprocessor = createPreprocessor({
    workers: 2,
    maxPixels: 50_000_000,
    workerUrl: REAL_WORKER,
    ...options,
  });
  open.push(preprocessor);
  return preprocessor;
}

/** A plan for the parking worker, the way to let its jobs go on, and word of each that has begun. */
function parkingLot() {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const channel = new BroadcastChannel(randomUUID());
  const begun: number[] = [];
  let notify = () => {};
  channel.onmessage = (message) => {
    begun.push((message as { data: number }).data);
    notify();
  };
  const plan = { ...plans.get("uint8-squash-256-bilinear")!, gate, channel: channel.name } as PreprocessPlan;
  return {
    plan,
    begun,
    async untilBegun(count: number) {
      while (begun.length < count) await new Promise<void>((resolve) => (notify = resolve));
    },
    letGo() {
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
    },
    close: () => channel.close(),
  };
}

const ending = (how: "exit" | "throw") =>
  ({ ...plans.get("uint8-squash-256-bilinear")!, ending: how }) as unknown as PreprocessPlan;

describe("a preprocessor with its real workers", () => {
  it("gives the tensor, size and format, and leaves the caller its bytes", async () => {
    const before = sha256(photo);
    const prepared = await create().preprocess(photo, plans.get("keras-tf-299-nearest")!, forever());

    expect(prepared).toMatchObject({
      width: 97,
      height: 63,
      format: "jpeg",
      tensor: { shape: [1, 299, 299, 3] },
    });
    expect(sha256(prepared.tensor.data)).toBe(pictures["jpeg-420.jpg"]!.tensors["keras-tf-299-nearest"]);
    expect(sha256(photo)).toBe(before);
  });

  it("gives each of many callers the tensor of its own picture", async () => {
    const preprocessor = create();
    const plan = "uint8-upright-64-bilinear";
    const names = Object.keys(pictures)
      .filter((name) => pictures[name]!.tensors[plan] !== undefined)
      .slice(0, 40);

    const hashes = await Promise.all(
      names.map(async (name) =>
        sha256((await preprocessor.preprocess(readPicture(name), plans.get(plan)!, forever())).tensor.data),
      ),
    );

    expect(hashes).toEqual(names.map((name) => pictures[name]!.tensors[plan]));
  });

  it("hands out a picture that no step had to copy", async () => {
    const plan: PreprocessPlan = { ...plans.get("uint8-squash-256-bilinear")!, resize: undefined };
    const { tensor } = await create().preprocess(photo, plan, forever());

    expect(tensor.shape).toEqual([1, 63, 97, 3]);
    expect(sha256(tensor.data)).toBe(pictures["jpeg-420.jpg"]!.rgb);
  });

  it("fails with the picture's error and goes on", async () => {
    const preprocessor = create({ workers: 1 });
    const plan = plans.get("uint8-squash-256-bilinear")!;
    const cut = readPicture("broken-jpeg-cut-in-half.jpg");

    await expect(preprocessor.preprocess(cut, plan, forever())).rejects.toMatchObject({
      name: "ServeError",
      reason: "IMAGE_UNDECODABLE",
    });
    await expect(preprocessor.preprocess(photo, plan, forever())).resolves.toHaveProperty("width", 97);
  });
});

describe("a preprocessor", () => {
  it("refuses what it cannot take at once, while its workers are busy", async () => {
    const lot = parkingLot();
    const preprocessor = create({ workers: 1, workerUrl: PARKING_WORKER });
    const parked = preprocessor.preprocess(photo, lot.plan, forever());
    await lot.untilBegun(1);

    await expect(
      preprocessor.preprocess(readPicture("bomb-900-megapixels.png"), lot.plan, forever()),
    ).rejects.toMatchObject({
      reason: "IMAGE_TOO_MANY_PIXELS",
    });
    await expect(
      preprocessor.preprocess(readPicture("refused.pdf"), lot.plan, forever()),
    ).rejects.toMatchObject({
      reason: "IMAGE_TYPE_UNSUPPORTED",
    });
    lot.letGo();
    await parked;
    lot.close();
  });

  it("drops a picture whose caller left while it waited, and never begins it", async () => {
    const lot = parkingLot();
    const preprocessor = create({ workers: 1, workerUrl: PARKING_WORKER });
    const leaving = new AbortController();
    const first = preprocessor.preprocess(photo, lot.plan, forever());
    const second = preprocessor.preprocess(readPicture("jpeg-7x5.jpg"), lot.plan, leaving.signal);
    const third = preprocessor.preprocess(readPicture("jpeg-gray.jpg"), lot.plan, forever());
    await lot.untilBegun(1);

    leaving.abort(new ServeError("DEADLINE_EXCEEDED", "time was up"));
    await expect(second).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
    lot.letGo();
    await Promise.all([first, third]);
    await lot.untilBegun(2);

    expect(lot.begun).toEqual([photo.length, readPicture("jpeg-gray.jpg").length]);
    lot.close();
  });

  it("frees a caller who leaves during the work, tells the worker, and serves the next", async () => {
    const lot = parkingLot();
    const preprocessor = create({ workers: 1, workerUrl: PARKING_WORKER });
    const leaving = new AbortController();
    const left = preprocessor.preprocess(photo, lot.plan, leaving.signal);
    await lot.untilBegun(1);

    leaving.abort(new ServeError("CANCELLED", "caller left"));
    await expect(left).rejects.toMatchObject({ reason: "CANCELLED" });
    lot.letGo();
    const next = await preprocessor.preprocess(photo, lot.plan, forever());

    expect([...next.tensor.data]).toEqual([photo.length, 0]);
    lot.close();
  });

  it("does not begin for a caller who has left already", async () => {
    const reason = new ServeError("CANCELLED", "caller left");

    await expect(
      create().preprocess(photo, plans.get("uint8-squash-256-bilinear")!, AbortSignal.abort(reason)),
    ).rejects.toBe(reason);
  });

  it.each([
    ["a large one", "jpeg-400x533.jpg", 400 * 533],
    ["one that is made larger, to 256x256,", "jpeg-420.jpg", 256 * 256],
  ])("works on one picture per worker, and on %s only when there is room", async (_, name, pixels) => {
    const lot = parkingLot();
    const preprocessor = create({ workers: 3, workerUrl: PARKING_WORKER, maxPixelsInFlight: 2 * pixels });
    const prepared = [1, 2, 3].map(() => preprocessor.preprocess(readPicture(name), lot.plan, forever()));
    await lot.untilBegun(2);
    // As long as a thread takes to start and end, a third job would have begun as well.
    const bystander = new Worker("", { eval: true });
    await new Promise((resolve) => bystander.once("exit", resolve));

    expect(lot.begun).toHaveLength(2);
    lot.letGo();
    await Promise.all(prepared);
    await lot.untilBegun(3);
    lot.close();
  });

  it("tells of each picture for which the contract's decoder could not be had", async () => {
    const approximated: string[] = [];
    const preprocessor = create({ approximated: ({ format }) => approximated.push(format) });
    const plan: PreprocessPlan = { ...plans.get("uint8-squash-256-bilinear")!, decoder: "tensorflow" };
    await preprocessor.preprocess(photo, plan, forever());
    await preprocessor.preprocess(readPicture("jpeg-arithmetic.jpg"), plan, forever());

    expect(approximated).toEqual(["jpeg"]);
  });

  it("prepares a picture larger than all the room when nothing else is in the works", async () => {
    const preprocessor = create({ maxPixelsInFlight: 10 });

    await expect(
      preprocessor.preprocess(photo, plans.get("uint8-squash-256-bilinear")!, forever()),
    ).resolves.toHaveProperty("width", 97);
  });

  it.each(["exit", "throw"] as const)(
    "fails the picture over which a worker dies by %s, and replaces the worker",
    async (how) => {
      const lost: Error[] = [];
      const lot = parkingLot();
      lot.letGo();
      const preprocessor = create({
        workers: 1,
        workerUrl: PARKING_WORKER,
        workerLost: (error) => lost.push(error),
      });

      const dying = preprocessor.preprocess(photo, ending(how), forever());
      const waiting = preprocessor.preprocess(photo, lot.plan, forever());

      await expect(dying).rejects.toMatchObject({
        reason: "WORKER_LOST",
        code: "UNAVAILABLE",
        retryAfterSeconds: 1,
      });
      expect([...(await waiting).tensor.data]).toEqual([photo.length, 0]);
      expect(lost).toHaveLength(1);
      lot.close();
    },
  );

  it("fails each picture once when no worker can start, without starting threads in a loop", async () => {
    const lost: Error[] = [];
    const preprocessor = create({
      workers: 1,
      workerUrl: STILLBORN_WORKER,
      workerLost: (error) => lost.push(error),
    });
    const plan = plans.get("uint8-squash-256-bilinear")!;

    for (const _ of [1, 2]) {
      await expect(preprocessor.preprocess(photo, plan, forever())).rejects.toMatchObject({
        reason: "WORKER_LOST",
      });
    }

    expect(lost.map(({ message }) => message)).toEqual([
      "this worker cannot start",
      "this worker cannot start",
    ]);
  });

  it("fails what is under way and what waits when it is closed, and takes nothing more", async () => {
    const lot = parkingLot();
    const preprocessor = create({ workers: 1, workerUrl: PARKING_WORKER });
    const prepared = [1, 2].map(() => preprocessor.preprocess(photo, lot.plan, forever()));
    await lot.untilBegun(1);

    const refused = Promise.all(
      prepared.map((one) => expect(one).rejects.toMatchObject({ reason: "DRAINING" })),
    );
    await preprocessor.close();
    await refused;

    await expect(preprocessor.preprocess(photo, lot.plan, forever())).rejects.toMatchObject({
      reason: "DRAINING",
    });
    lot.close();
  });
});
