import { once } from "node:events";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { expect, onTestFinished, test } from "vitest";
import { checkMachine } from "./check-machine.js";
import { type MachineFacts, readMachineFacts } from "./facts.js";

const MEBIBYTE = 1024 * 1024;

const SOUND: MachineFacts = {
  nodeVersion: "20.19.0",
  platform: "linux",
  architecture: "x64",
  hasGlibc: true,
  cpuFlags: new Set(["avx2"]),
  freeMemory: 8192 * MEBIBYTE,
  memoryLimit: 16_384 * MEBIBYTE,
  fileLimit: 1_048_576,
  freeDisk: 50_000 * MEBIBYTE,
  temporaryFolder: "/tmp",
  now: Date.parse("2026-11-21"),
  builtAt: Date.parse("2026-11-01"),
  busyPorts: [],
  onnxRuntimeProblem: undefined,
  sharpProblem: undefined,
  isWsl: false,
  workingFolder: "/home/me/vitrine",
};

const found = (changes: Partial<MachineFacts>) => checkMachine({ ...SOUND, ...changes }, 20 * MEBIBYTE);

test("a sound machine has no finding", () => {
  expect(found({})).toEqual([]);
  expect(found({ nodeVersion: "24.1.0", cpuFlags: undefined, fileLimit: undefined })).toEqual([]);
});

test.each<[string, Partial<MachineFacts>]>([
  ["node-version", { nodeVersion: "20.18.3" }],
  ["node-version", { nodeVersion: "18.20.0" }],
  ["libc-musl", { hasGlibc: false }],
  ["onnxruntime-does-not-load", { onnxRuntimeProblem: "Error: libonnxruntime.so.1: cannot open" }],
  ["sharp-does-not-load", { sharpProblem: "Error: Could not load the sharp module" }],
  ["memory-short", { memoryLimit: 512 * MEBIBYTE }],
  ["memory-short", { freeMemory: 100 * MEBIBYTE }],
  ["disk-full", { freeDisk: 10 * MEBIBYTE }],
  ["clock-wrong", { now: 0 }],
  ["port-busy", { busyPorts: ["port 9696 on 127.0.0.1 is in use, so the gateway cannot listen there"] }],
  ["cpu-without-avx2", { cpuFlags: new Set(["sse4_2", "avx"]) }],
  ["file-limit-low", { fileLimit: 1024 }],
  ["wsl-windows-folder", { isWsl: true, workingFolder: "/mnt/c/Users/me/vitrine" }],
])("%s is found by %j", (id, changes) => {
  expect(found(changes).map((finding) => finding.id)).toEqual([id]);
});

test("the limit of a container goes before the machine's free memory", () => {
  const [finding] = found({ memoryLimit: 256 * MEBIBYTE, freeMemory: 100 * MEBIBYTE });
  expect(finding?.problem).toMatch(/need about 586 MiB, and the limit is 256 MiB$/);
});

test("a processor of another kind is not asked for AVX2", () => {
  expect(found({ architecture: "arm64", cpuFlags: new Set(["asimd"]) })).toEqual([]);
});

test("this machine's facts are read, native modules load in a process of their own, and a busy port is told", async () => {
  const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const facts = await readMachineFacts({
    ports: [{ port, host: "127.0.0.1", listener: "the gateway", flag: "--port", speaks: "gateway" }],
    temporaryFolder: tmpdir(),
    environment: process.env,
    signal: new AbortController().signal,
  });
  expect(facts.onnxRuntimeProblem).toBeUndefined();
  expect(facts.sharpProblem).toBeUndefined();
  expect(facts.busyPorts).toHaveLength(1);
  expect(facts.freeMemory).toBeGreaterThan(MEBIBYTE);
  expect(facts.memoryLimit).toBeGreaterThan(MEBIBYTE);
  expect(checkMachine(facts, 0).find(({ id }) => id === "port-busy")).toMatchObject({
    subject: `port ${port}`,
    seen: "tried to listen there: EADDRINUSE",
  });
}, 30_000);
