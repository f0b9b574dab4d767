import { spawn } from "node:child_process";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type Io, runTier, type Tier } from "./lifecycle.js";

function testIo(): { io: Io; stop: () => void; output: () => Promise<{ stdout: string; stderr: string }> } {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const controller = new AbortController();
  return {
    io: { stdout, stderr, env: {}, signal: controller.signal },
    stop: () => controller.abort(),
    output: async () => {
      stdout.end();
      stderr.end();
      return { stdout: await text(stdout), stderr: await text(stderr) };
    },
  };
}

function fakeTier(overrides: Partial<Tier> = {}): Tier & { graces: number[] } {
  const graces: number[] = [];
  return {
    addresses: ["http://127.0.0.1:1"],
    ready: Promise.resolve(),
    drain: async (graceMs) => {
      graces.push(graceMs);
    },
    graces,
    ...overrides,
  };
}

test("a tier says where it listens, says ready on stdout, and drains once when asked to end", async () => {
  const { io, stop, output } = testIo();
  const tier = fakeTier();
  const done = runTier("gateway", async () => tier, io, { graceMs: 7 });
  await once(io.stdout, "readable");
  stop();
  expect(await done).toBe(0);
  expect(tier.graces).toEqual([7]);
  expect(await output()).toEqual({
    stdout: "ready http://127.0.0.1:1\n",
    stderr: "gateway listens on http://127.0.0.1:1\ngateway drains\n",
  });
});

test("a tier that is asked to end before it is ready never says ready", async () => {
  const { io, stop, output } = testIo();
  const done = runTier("gateway", async () => fakeTier({ ready: new Promise(() => {}) }), io, { graceMs: 0 });
  stop();
  expect(await done).toBe(0);
  expect((await output()).stdout).toBe("");
});

test("a tier that cannot go on is drained and ends with 1", async () => {
  const { io, output } = testIo();
  const tier = fakeTier({ failed: Promise.reject(new Error("workers crash")) });
  expect(await runTier("model server", async () => tier, io, { graceMs: 3 })).toBe(1);
  expect(tier.graces).toEqual([3]);
  expect((await output()).stderr).toContain("model server failed: Error: workers crash");
});

test("a start that is asked to end meanwhile is no failure", async () => {
  const { io, stop } = testIo();
  const start = async (signal: AbortSignal): Promise<Tier> => {
    stop();
    signal.throwIfAborted();
    return fakeTier();
  };
  expect(await runTier("gateway", start, io, { graceMs: 0 })).toBe(0);
});

const distLifecycle = new URL("../dist/lifecycle.js", import.meta.url).href;

function spawnWithIo(script: string) {
  const program = `import { processIo } from ${JSON.stringify(distLifecycle)};
    const io = processIo();
    const alive = setInterval(() => {}, 1000);
    ${script}
    io.stdout.write("up\\n");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  if (child.stdout === null) throw new Error("a child with a pipe has no pipe");
  return Object.assign(child, { stdout: child.stdout });
}

test("the first signal asks for a drain, the second ends the process at once", async () => {
  const child = spawnWithIo(`io.signal.addEventListener("abort", () => io.stdout.write("draining\\n"));`);
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  const [line] = await once(child.stdout, "data");
  expect(String(line)).toBe("draining\n");
  child.kill("SIGINT");
  expect(await once(child, "exit")).toEqual([1, null]);
});

test("a process with an IPC channel drains when its parent is gone", async () => {
  const child = spawnWithIo(`io.signal.addEventListener("abort", () => clearInterval(alive));`);
  await once(child.stdout, "data");
  child.disconnect();
  expect(await once(child, "exit")).toEqual([0, null]);
});

test("a process that drains ends at once when its parent is gone", async () => {
  const child = spawnWithIo(`io.signal.addEventListener("abort", () => io.stdout.write("draining\\n"));`);
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  await once(child.stdout, "data");
  child.disconnect();
  expect(await once(child, "exit")).toEqual([1, null]);
});

test("an IPC channel does not keep a process alive that has nothing left to do", async () => {
  const child = spawnWithIo("clearInterval(alive);");
  expect(await once(child, "exit")).toEqual([0, null]);
});
