import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { run } from "../main.js";
import { SHIPPED_MODEL } from "../shipped.js";

/** Runs it where neither kubectl nor docker is. */
async function doctor(argv: readonly string[], env: Record<string, string> = {}) {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const io = { stdout, stderr, env: { PATH: "/nowhere", ...env }, signal: new AbortController().signal };
  const code = await run(["doctor", ...argv], io);
  stdout.end();
  stderr.end();
  return { code, stdout: await text(stdout), stderr: await text(stderr) };
}

test("a model in order ends with 0 and says what was looked at", async () => {
  expect(await doctor(["--model", SHIPPED_MODEL])).toMatchObject({
    code: 0,
    stdout: `nothing wrong: looked at model ${SHIPPED_MODEL}\n`,
  });
});

test("a fault ends with 1, with its mend, and as JSON with its id", async () => {
  const { code, stdout } = await doctor(["--model", "/nowhere"]);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^FAULT {4}\/nowhere: it is not there {2}\[model-not-found\]\n/);
  const json = await doctor(["--model", "/nowhere", "--json"]);
  expect(JSON.parse(json.stdout)).toMatchObject({ faults: 1, findings: [{ id: "model-not-found" }] });
});

test("the cluster is a fault where it was asked for and there is no kubectl, and else left out", async () => {
  const asked = await doctor(["--cluster"]);
  expect(asked.code).toBe(1);
  expect(asked.stdout).toContain("[kubectl-missing]");
  const ports = ["--port=0", "--grpc-port=0", "--rest-port=0"];
  const { stdout } = await doctor(ports);
  expect(stdout).toMatch(/looked at this machine\n$/);
});

test("variables of other programs name no target", async () => {
  const env = {
    MODEL: "/nowhere",
    GATEWAY: "http://127.0.0.1:1",
    CLUSTER: "true",
    TF_SERVING_HOST: "nowhere:8500",
  };
  const { stdout } = await doctor(["--machine", "--port=0", "--grpc-port=0", "--rest-port=0"], env);
  expect(stdout).toMatch(/looked at this machine\n$/);
});

test("--fix says that there was nothing to mend safely", async () => {
  const { code, stderr } = await doctor(["--model", "/nowhere", "--fix", "--yes"]);
  expect([code, stderr]).toEqual([1, "\nnothing was changed\n"]);
});

test.each([
  [["--yes"], "--yes was given without --fix, expected both"],
  [["--gateway", "ftp://x"], "--gateway was ftp://x, expected an http or https address such as"],
  [["--tf-serving-host", "a:b"], "--tf-serving-host was a:b, expected HOST, HOST:PORT or [IPV6]:PORT"],
])("wrong usage %j is told", async (argv, message) => {
  const { code, stderr } = await doctor(argv);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});
