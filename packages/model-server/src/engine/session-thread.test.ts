import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { REAL_WORKER } from "../testing/start.js";
import { type RunAnswer, type SessionJob, SessionThread } from "./session-thread.js";
import { DEFAULT_SESSION_OPTIONS, type SessionMetadata } from "./worker-messages.js";

const CLOTHING = fileURLToPath(new URL("../../../../models/clothing-model/2/model.onnx", import.meta.url));
const ROWS = 48;
const PICTURE = [256, 256, 3] as const;

function startThread() {
  let loaded: (metadata: SessionMetadata) => void = () => {};
  const isLoaded = new Promise<SessionMetadata>((resolve) => {
    loaded = resolve;
  });
  const ends: Error[] = [];
  const thread = new SessionThread(
    REAL_WORKER,
    { model: { file: CLOTHING }, ...DEFAULT_SESSION_OPTIONS },
    { loaded, ended: (cause) => ends.push(cause) },
  );
  return { thread, isLoaded, ends };
}

function pictures(rows: number): SessionJob {
  const data = new Uint8Array(rows * PICTURE.reduce((product, size) => product * size, 1));
  return {
    feeds: () => ({ pixels: { type: "uint8", dims: [rows, ...PICTURE], data } }),
    fetches: ["logits"],
  };
}

test("two runs that come at once run one after the other", async () => {
  const { thread, isLoaded } = startThread();
  await isLoaded;
  const run = (job: SessionJob) => new Promise<RunAnswer>((resolve) => thread.run(job, resolve));
  const [first, second] = await Promise.all([run(pictures(4)), run(pictures(1))]);
  await thread.terminate();
  if (first.kind !== "outputs" || second.kind !== "outputs") throw new Error("a run was refused");
  expect(first.outputs.logits?.dims[0]).toBe(4);
  expect(second.outputs.logits?.dims[0]).toBe(1);
  expect(second.startedAt).toBeGreaterThan(first.startedAt + first.runMs / 2);
});

test("a run behind another is called back while that one runs, and not when it has begun itself", async () => {
  const { thread, isLoaded } = startThread();
  await isLoaded;
  const answers: string[] = [];
  const last = new Promise<void>((resolve) => {
    thread.run(pictures(ROWS), () => answers.push("first"));
    const second = thread.run(pictures(1), () => answers.push("second"));
    expect(second.callBack()).toBe(true);
    expect(second.callBack()).toBe(false);
    const third = thread.run(pictures(1), () => {
      answers.push("third");
      expect(third.callBack()).toBe(false);
      resolve();
    });
  });
  await last;
  await thread.terminate();
  expect(answers).toEqual(["first", "third"]);
});

// Ended at once, a thread within ONNX Runtime would end the whole process, and this test with it.
test("a thread that shall end finishes its run first, and its answer is lost", async () => {
  const { thread, isLoaded, ends } = startThread();
  await isLoaded;
  const answers: unknown[] = [];
  thread.run(pictures(ROWS), (answer) => answers.push(answer));
  thread.run(pictures(ROWS), (answer) => answers.push(answer));
  await thread.terminate();
  expect(answers).toEqual([]);
  expect(ends).toHaveLength(1);
});

test("a thread that shall end finishes the run that it has gone on to by itself, too", async () => {
  const { thread, isLoaded, ends } = startThread();
  await isLoaded;
  const answers: unknown[] = [];
  await new Promise((resolve) => {
    thread.run(pictures(1), resolve);
    thread.run(pictures(ROWS), (answer) => answers.push(answer));
  });
  await thread.terminate();
  expect(answers).toEqual([]);
  expect(ends).toHaveLength(1);
});

test("a thread that shall end while it loads does so when it has loaded", async () => {
  const { thread, ends } = startThread();
  await thread.terminate();
  expect(ends).toHaveLength(1);
});
