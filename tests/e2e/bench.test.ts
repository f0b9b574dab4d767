import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { DRAWING, runVitrine, startUp, startVitrine } from "./vitrine.js";

test("tiers of its own are loaded, and the table says throughput, stages, CPU and memory", async () => {
  const { code, stdout, stderr } = await runVitrine(["bench", "--requests", "30", "--warm-up", "0"]);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/6 pictures of 400x533 that Vitrine ships, drawn, 30\.\d kB each/);
  expect(stdout).toMatch(/^closed loop, 8 callers, \d/m);
  expect(stdout).toMatch(/^per second +\d+\.\d$/m);
  expect(stdout).toMatch(/^failed +0$/m);
  for (const stage of ["answer", "network", "waiting", "decode", "resize", "predict"]) {
    expect(stdout).toMatch(new RegExp(`^ *${stage}( +\\d+\\.\\d){6}`, "m"));
  }
  expect(stdout).toMatch(/^ +inference +\d+\.\d$/m);
  expect(stdout).toMatch(/^model server +\d+\.\d +\d+ +\d+$/m);
});

test("tiers of its own leave the caller's admin port alone", async () => {
  const others = createServer().listen(0, "127.0.0.1");
  await once(others, "listening");
  onTestFinished(() => void others.close());
  const { port } = others.address() as AddressInfo;
  const env = { ADMIN_PORT: String(port) };
  const { code, stdout, stderr } = await runVitrine(["bench", "--requests", "5", "--warm-up", "0"], env);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^gateway +\d+\.\d +\d+ +\d+$/m);
});

test("a gateway that is up gets exactly the requests asked for, in an open loop, and the result is JSON in a file", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "bench-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = path.join(folder, "bench.json");
  const up = await startUp(["--log-level=warn"]);
  const load = ["--rate", "20", "--arrivals", "poisson", "--requests", "15", "--warm-up", "0"];
  const output = ["--format", "json", "--output", file];
  const { code, stdout } = await runVitrine(["bench", DRAWING, "--gateway", up.url, ...load, ...output]);
  expect(code).toBe(0);
  expect(stdout).toBe("");
  const result = JSON.parse(await readFile(file, "utf8"));
  expect(result).toMatchObject({
    target: up.url,
    pictures: { count: 1 },
    load: { kind: "open", per_second: 20, arrivals: "poisson" },
    answered: 15,
    failed: 0,
    failures: {},
    tiers: null,
    interrupted: false,
  });
  const { network, waiting, decode, resize, predict } = result.stages_ms;
  const parts = [network, waiting, decode, resize, predict].reduce((sum, { mean }) => sum + mean, 0);
  const late = result.latency_ms.mean - parts;
  expect(late).toBeGreaterThanOrEqual(-0.01);
  const metrics = await (await fetch(`${up.url}/metrics`)).text();
  expect(metrics).toMatch(/vitrine_gateway_requests_total\{route="\/predict",code="OK",reason="OK"\} 15\n/);
});

test("failed requests are named by reason and end it with 1, unless so many may fail", async () => {
  const up = await startUp(["--log-level=warn"]);
  const words = ["bench", import.meta.filename, "--gateway", up.url, "--requests", "3", "--warm-up", "0"];
  const { code, stdout } = await runVitrine(words);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^failed +3 of 3: IMAGE_(UNDECODABLE|TYPE_UNSUPPORTED) 3$/m);
});

test("Ctrl-C prints what there is, and 0 where nothing failed", async () => {
  const bench = startVitrine(["bench", "--duration", "600", "--warm-up", "0", "--format", "json"]);
  // On a stream that is no terminal the first line of progress comes after ten seconds.
  await bench.says(/answered/);
  bench.child.kill("SIGINT");
  expect(await bench.ended).toBe(0);
  const { interrupted, answered, failed, warnings } = JSON.parse(bench.stdout());
  expect({ interrupted, failed }).toEqual({ interrupted: true, failed: 0 });
  expect(answered).toBeGreaterThan(0);
  expect(warnings).toContain("interrupted: these are the figures until then");
});

test("what does not go together, what is public and what is no gateway is said in a sentence", async () => {
  for (const [words, code, sentence] of [
    [["--rate", "5", "--concurrency", "2"], 2, /--rate was given beside --concurrency/],
    [["--right-size"], 2, /--right-size was given alone, expected --pictures-per-second/],
    [["--pictures-per-second", "5"], 2, /--pictures-per-second was given alone, expected --right-size/],
    [["--format", "yaml"], 2, /--format was yaml, expected --right-size/],
    [["no-such-file.jpg"], 2, /no-such-file\.jpg could not be read/],
    [["--gateway", "http://8.8.8.8"], 1, /8\.8\.8\.8 is a public address.*--allow-public-host/],
    [["--gateway", "http://127.0.0.1:1"], 1, /did not answer, expected a gateway there/],
  ] as const) {
    const result = await runVitrine(["bench", ...words]);
    expect(result.stderr).toMatch(sentence);
    expect(result.code).toBe(code);
    expect(result.stdout).toBe("");
  }
});
