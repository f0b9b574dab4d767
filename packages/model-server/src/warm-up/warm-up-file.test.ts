import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fixture, type StartedServer, startServer } from "../testing/start.js";
import { readTfRecords, tfRecord } from "./tf-records.js";
import { readWarmUpFile, writeWarmUpFile } from "./warm-up-file.js";

/** Written by TensorFlow; see golden/generate_warm_up.py. */
const golden = (name: string) => fileURLToPath(new URL(`../../golden/warm-up/${name}`, import.meta.url));

let base: string;
let versionFolder: string;

beforeEach(async () => {
  base = await mkdtemp(path.join(tmpdir(), "vitrine-warm-up-"));
  versionFolder = path.join(base, "1");
  await cp(fixture("pixel-sum/1"), versionFolder, { recursive: true });
});
afterEach(() => rm(base, { recursive: true }));

async function record(content: string | Uint8Array): Promise<void> {
  const file = path.join(versionFolder, "assets.extra", "tf_serving_warmup_requests");
  await mkdir(path.dirname(file), { recursive: true });
  if (typeof content === "string") await cp(content, file);
  else await writeFile(file, content);
}

describe("a TFRecord file", () => {
  test("of TensorFlow's is read, and written again byte for byte", async () => {
    const bytes = await readFile(golden("predict.tfrecord"));
    const records = [...readTfRecords(bytes)];
    expect(records).toHaveLength(2);
    expect(Buffer.concat(records.map(tfRecord)).equals(bytes)).toBe(true);
  });

  test("that is cut short or changed is refused wherever that is", async () => {
    const bytes = await readFile(golden("predict.tfrecord"));
    const [first = new Uint8Array(0)] = readTfRecords(bytes);
    const ends = new Set([0, first.byteLength + 16, bytes.byteLength]);
    for (let length = 0; length < bytes.byteLength; length++) {
      if (ends.has(length)) continue;
      expect(() => [...readTfRecords(bytes.subarray(0, length))]).toThrow("was cut short");
    }
    for (let at = 0; at < bytes.byteLength; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      expect(() => [...readTfRecords(changed)]).toThrow(/^record [12] /);
    }
  });
});

describe("the warm-up file of a version", () => {
  test("may be missing", async () => {
    expect(await readWarmUpFile(versionFolder)).toEqual([]);
  });

  test("is written whole, in place of the one before, and read again", async () => {
    const request = {
      modelSpec: { name: "m", versionChoice: undefined, signatureName: "serving_default" },
      inputs: new Map(),
      outputFilter: ["total"],
    };
    await writeWarmUpFile(versionFolder, [request]);
    const file = await writeWarmUpFile(versionFolder, [request, request]);
    expect(file).toBe(path.join(versionFolder, "assets.extra", "tf_serving_warmup_requests"));
    const logs = await readWarmUpFile(versionFolder);
    expect(logs).toHaveLength(2);
    expect(logs[0]?.logType).toMatchObject({
      $case: "predictLog",
      value: { request: { outputFilter: ["total"] } },
    });
  });

  test.each<[string, Uint8Array, string]>([
    [
      "more than 1000 records",
      Buffer.concat(Array.from({ length: 1001 }, () => tfRecord(new Uint8Array(0)))),
      "it had more records than 1000",
    ],
    [
      "a record that is no message",
      tfRecord(Buffer.from("nonsense")),
      "tf_serving_warmup_requests could not be read",
    ],
    ["nonsense", Buffer.from("nonsense, all of it"), "record 1 had a length with a wrong checksum"],
  ])("with %s is refused", async (_, content, message) => {
    await record(content);
    await expect(readWarmUpFile(versionFolder)).rejects.toThrow(message);
  });
});

describe("a version with recorded requests", () => {
  const started: StartedServer[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map((server) => server.stop()));
  });
  const start = async (flags: Record<string, string> = {}) => {
    const server = await startServer(base, { modelName: "m", ...flags });
    started.push(server);
    return server;
  };

  test("runs them, whatever model and version they name, before it is available", async () => {
    await record(golden("predict.tfrecord"));
    const monitoringConfigFile = path.join(base, "monitoring.config");
    await writeFile(monitoringConfigFile, "prometheus_config { enable: true }");
    const { logLines, rest } = await start({ numRequestIterationsForWarmup: "3", monitoringConfigFile });
    const page = await (await fetch(`${rest}/monitoring/prometheus/metrics`)).text();
    expect(page).toMatch(/:tensorflow:serving:model_warmup_latency_count\{.*status="OK".*\} 1\n/);
    expect(logLines()).toContainEqual(
      expect.objectContaining({ msg: "model is loaded and warm", warmUpRequests: 2 }),
    );
  });

  test.each([
    ["session-run.tfrecord", "a warm-up record was a sessionRunLog, expected a request that is served here"],
    ["classify.tfrecord", "Signature input alias: pixels(feed name: pixels:0) not found in request"],
  ])("does not load with %s, and says why", async (name, message) => {
    await record(golden(name));
    await expect(start()).rejects.toThrow(message);
  });

  test("does not load when one of them fails on the model", async () => {
    await rm(versionFolder, { recursive: true });
    await cp(fixture("add/1"), versionFolder, { recursive: true });
    await record(golden("predict.tfrecord"));
    await expect(start()).rejects.toThrow(
      "warm-up request failed: input size does not match signature: 1!=2",
    );
  });

  test("is loaded without running them where warm-up is off", async () => {
    await record(golden("session-run.tfrecord"));
    const { logLines } = await start({ enableModelWarmup: "false" });
    expect(logLines()).toContainEqual(expect.objectContaining({ msg: "model is loaded and warm" }));
  });
});
