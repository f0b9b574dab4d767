import { once } from "node:events";
import { PassThrough } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { type SupervisedTier, superviseTier, TierLost } from "./supervisor.js";

/** A tier in a few words: says where it listens and that it is ready, and drains when asked to. */
const HONEST_TIER = `
  process.on("SIGTERM", () => { process.stderr.write("drained\\n"); process.exit(0); });
  process.stderr.write("tier listens on http://127.0.0.1:1\\n");
  process.stdout.write("ready http://127.0.0.1:1\\n");
  process.stderr.write("told " + process.argv.slice(1).join(" ") + "\\n");
  const alive = setInterval(() => {}, 1000);
`;

function supervise(
  program: string,
  backoff = {},
): { tier: SupervisedTier; lines: PassThrough; all: string[] } {
  const lines = new PassThrough({ objectMode: true });
  const all: string[] = [];
  const tell = (line: string): void => {
    all.push(line);
    lines.write(line);
  };
  const tier = superviseTier({
    name: "tier",
    env: { PATH: process.env.PATH },
    commandLine: (addresses) => [process.execPath, "-e", program, ...addresses],
    onLine: tell,
    say: tell,
    backoff: { firstDelayMs: 1, longestDelayMs: 4, ...backoff },
  });
  onTestFinished(() => tier.stop(0));
  return { tier, lines, all };
}

async function nextLine(lines: PassThrough, pattern: RegExp): Promise<string> {
  while (true) {
    const line: unknown = lines.read();
    if (line === null) await once(lines, "readable");
    else if (pattern.test(String(line))) return String(line);
  }
}

test("a tier tells where it listens and when it is ready", async () => {
  const { tier } = supervise(HONEST_TIER);
  expect(await tier.listening).toEqual(["http://127.0.0.1:1"]);
  expect(await tier.ready).toEqual(["http://127.0.0.1:1"]);
});

test("a killed tier comes back where it was, and both are said", async () => {
  const { tier, lines, all } = supervise(HONEST_TIER);
  await tier.ready;
  const pid = Number((await nextLine(lines, /is process/)).split(" ").at(-1));
  process.kill(pid, "SIGKILL");
  expect(await nextLine(lines, /killed/)).toBe("tier was killed by SIGKILL; it starts again in 0.001 s");
  expect(await nextLine(lines, /^told http/)).toBe("told http://127.0.0.1:1");
  if (!all.includes("tier is back")) await nextLine(lines, /is back/);
});

test("a stop drains the tier", async () => {
  const { tier, all } = supervise(HONEST_TIER);
  await tier.ready;
  await tier.stop(10_000);
  expect(all).toContain("drained");
});

test("a tier that does not drain in time is killed", async () => {
  const { tier, lines } = supervise(`
    process.on("SIGTERM", () => {});
    process.stderr.write("deaf\\n");
    setInterval(() => {}, 1000);`);
  await nextLine(lines, /deaf/);
  await tier.stop(50);
});

test("a tier that ends by itself before it was ready is given up at once, with its last words", async () => {
  const { tier, all } = supervise(`process.stderr.write("no such model\\n"); process.exitCode = 1;`);
  await expect(tier.ready).rejects.toThrow(TierLost);
  await expect(tier.failed).rejects.toThrow(/ended with exit code 1 before it was ready.*\n +no such model/);
  expect(all.filter((line) => line.includes("starts again"))).toEqual([]);
});

test("a tier that dies again and again is given up, with ever longer waits between", async () => {
  const { tier, all } = supervise(
    `process.stdout.write("ready x\\n", () => { process.stderr.write("boom\\n"); process.exitCode = 1; });`,
    { mostDeaths: 4 },
  );
  await expect(tier.failed).rejects.toThrow(/exit code 1, 4 times in a row.*\n +boom/);
  expect(all.filter((line) => line.includes("starts again"))).toEqual([
    "tier ended with exit code 1; it starts again in 0.001 s",
    "tier ended with exit code 1; it starts again in 0.002 s",
    "tier ended with exit code 1; it starts again in 0.004 s",
  ]);
});

test("deaths after a long life do not add up", async () => {
  const { tier, lines } = supervise(`process.stdout.write("ready x\\n", () => { process.exitCode = 1; });`, {
    mostDeaths: 2,
    stableMs: 0,
  });
  for (let death = 0; death < 4; death++) await nextLine(lines, /starts again/);
  await tier.stop(0);
});

test("a program that is not there fails with the system's word", async () => {
  const tier = superviseTier({
    name: "tier",
    env: {},
    commandLine: () => ["/no/such/program"],
    onLine: () => {},
    say: () => {},
  });
  await expect(tier.failed).rejects.toThrow(/ENOENT/);
});
