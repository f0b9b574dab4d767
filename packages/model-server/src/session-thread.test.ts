import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { SessionThread } from "./session-thread.js";
import { REAL_WORKER } from "./testing/start.js";
import { DEFAULT_SESSION_OPTIONS, type SessionMetadata } from "./worker-messages.js";

const CLOTHING = fileURLToPath(new URL("../../../models/clothing-model/2/model.onnx", import.meta.url));
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

// Ended at once, a thread within ONNX Runtime would end the whole process, and this test with it.
test("a thread that shall end finishes its run first, and its answer is lost", async () => {
  const { thread, isLoaded, ends } = startThread();
  await isLoaded;
  const answers: unknown[] = [];
  const data = new Uint8Array(ROWS * PICTURE.reduce((product, size) => product * size, 1));
  thread.run(
    {
      feeds: () => ({ pixels: { type: "uint8", dims: [ROWS, ...PICTURE], data } }),
      fetches: ["logits"],
    },
    (answer) => answers.push(answer),
  );
  await thread.terminate();
  expect(answers).toEqual([]);
  expect(ends).toHaveLength(1);
});

test("a thread that shall end while it loads does so when it has loaded", async () => {
  const { thread, ends } = startThread();
  await thread.terminate();
  expect(ends).toHaveLength(1);
});
