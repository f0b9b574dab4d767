import { Writable } from "node:stream";
import type { Io } from "@vitrine/runtime/lifecycle";
import { afterEach, expect, test } from "vitest";
import { measureTiers } from "./measure.js";
import { type StubGateway, startStubGateway } from "./testing/stub-gateway.js";
import type { ReadUsage } from "./tier-usage.js";

const PICTURES = {
  name: "1 picture",
  requests: [{ body: Buffer.from("picture"), contentType: "image/jpeg" }],
  meanBytes: 7,
};
const TIMES = { warmUpMs: 20, fullMs: 150, stepMs: 100 };

let gateway: StubGateway | undefined;
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
});

function silentIo(signal: AbortSignal): Io {
  const nowhere = () => new Writable({ write: (_chunk, _encoding, done) => done() });
  return { stdout: nowhere(), stderr: nowhere(), env: {}, signal };
}

/** Tiers that take 2 and 5 ms of CPU for each picture that the stub has answered, and grow with them. */
function usageOf(answered: () => number): ReadUsage {
  return async () => {
    const pictures = answered();
    const tier = (cpuMs: number, idleBytes: number) => ({
      cpuSeconds: 1 + (pictures * cpuMs) / 1000,
      residentBytes: idleBytes + pictures,
      peakBytes: 2 * idleBytes + pictures,
    });
    const none = { seconds: 0, count: 0 };
    return { gateway: tier(2, 100), modelServer: tier(5, 200), pictures, queue: none, inference: none };
  };
}

async function measure(
  signal = new AbortController().signal,
  onAnswer: (answered: number) => void = () => {},
  answerMs = 0,
) {
  let answered = 0;
  gateway = await startStubGateway((response) => {
    onAnswer(++answered);
    const answer = () => response.writeHead(200, { "server-timing": "total;dur=1" }).end();
    if (answerMs === 0) answer();
    else setTimeout(answer, answerMs);
  });
  const measurement = await measureTiers({
    gatewayUrl: gateway.url,
    pictures: PICTURES,
    readUsage: usageOf(() => answered),
    modelBytes: 5,
    io: silentIo(signal),
    times: TIMES,
  });
  return { measurement, answered };
}

test("memory is read at rest and at its most, CPU per picture over each load, p95 at parts of the full one", async () => {
  const { measurement, answered } = await measure();
  const { gateway: first, modelServer, mostPerSecond, steps, modelBytes } = measurement.measured;
  expect(first.cpuSecondsPerPicture).toBeCloseTo(0.002, 9);
  expect(modelServer.cpuSecondsPerPicture).toBeCloseTo(0.005, 9);
  expect([first.idleBytes, modelServer.idleBytes, modelBytes]).toEqual([100, 200, 5]);
  expect(first.peakBytes).toBe(200 + answered);
  expect(steps.map(({ share }) => share)).toEqual([0.3, 0.5, 0.65, 0.8, 0.9]);
  for (const { share, perSecond, p95Ms, failed } of steps) {
    expect(perSecond).toBeCloseTo(share * mostPerSecond, 6);
    expect(p95Ms).toBeGreaterThan(0);
    expect(failed).toBe(0);
  }
});

test("what a step warns of is said with the step: a p95 that stands on a few answers", async () => {
  const { measurement } = await measure(undefined, undefined, 50);
  const few = measurement.warnings.filter((warning) => warning.includes("answers are too few for a p99"));
  expect(few).toContainEqual(
    expect.stringMatching(
      /^at \d+ % of the full load: \d+ answers are .* the slowest (one|\d+) decides? the p95/,
    ),
  );
});

test("an abort ends the measurement with the signal's reason", async () => {
  const ending = new AbortController();
  const reason = new Error("received SIGINT");
  await expect(
    measure(ending.signal, (answered) => {
      if (answered === 50) ending.abort(reason);
    }),
  ).rejects.toBe(reason);
});
