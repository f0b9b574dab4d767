import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import type { ProgramResult } from "./cluster/access.js";
import { type Finding, finding, mend, safeMend } from "./finding.js";
import { applyMends } from "./fix.js";

const DONE: ProgramResult = { code: 0, stdout: "patched\n", stderr: "" };

const nodeDown = finding("node-not-ready", {
  subject: "node/one",
  problem: "it is not ready",
  seen: "kubectl get node one",
  mends: [
    mend("see what it says", ["kubectl", "describe", "node", "one"]),
    safeMend("start it", ["docker", "start", "one"], ["docker", "stop", "one"]),
    safeMend("and look", ["docker", "logs", "one"], ["true"]),
  ],
});

async function fix(
  findings: readonly Finding[],
  { answers, yes = false, result = DONE }: { answers?: string; yes?: boolean; result?: ProgramResult },
) {
  const input = new PassThrough();
  const talk = new PassThrough();
  const commands: string[] = [];
  input.end(answers ?? "");
  const counts = await applyMends(findings, {
    yes,
    input,
    talk,
    signal: new AbortController().signal,
    run: (argv) => {
      commands.push(argv.join(" "));
      return Promise.resolve(result);
    },
  });
  talk.end();
  return { counts, commands, said: await text(talk) };
}

test("only mends that can be taken back are run, in their order, and how is said", async () => {
  const { counts, commands, said } = await fix([nodeDown], { yes: true });
  expect(commands).toEqual(["docker start one", "docker logs one"]);
  expect(counts).toEqual({ applied: 2, failed: 0 });
  expect(said).toContain("$ docker start one\n  done: patched\n  to take it back: docker stop one\n");
});

test("without --yes each is asked for, and nothing is run without a yes", async () => {
  expect((await fix([nodeDown], { answers: "n\n" })).commands).toEqual([]);
  expect((await fix([nodeDown], { answers: "\n" })).commands).toEqual([]);
  expect((await fix([nodeDown], { answers: "" })).commands).toEqual([]);
});

test("a yes runs that one, and the next is asked for", async () => {
  const { commands, said } = await fix([nodeDown], { answers: "y\n" });
  expect(commands).toEqual(["docker start one"]);
  expect(said.match(/run it\? \[y\/N\]/g)).toHaveLength(2);
  expect((await fix([nodeDown], { answers: "yes\ny\n" })).commands).toHaveLength(2);
});

test("a mend that fails ends those that build on it, and its words are shown", async () => {
  const result = { code: 1, stdout: "", stderr: "No such container: one\n" };
  const { counts, commands, said } = await fix([nodeDown], { yes: true, result });
  expect(commands).toEqual(["docker start one"]);
  expect(counts).toEqual({ applied: 1, failed: 1 });
  expect(said).toContain("failed: No such container: one");
});

test("the same command is run once, however many findings name it", async () => {
  const { commands } = await fix([nodeDown, { ...nodeDown, subject: "node/1" }], { yes: true });
  expect(commands).toHaveLength(2);
});

test("a limit that was raised is not set again to a lower value", async () => {
  const raise = (id: "out-of-memory" | "memory-near-limit", limit: string) =>
    finding(id, {
      subject: "deployment/model",
      problem: "it is so",
      seen: "kubectl top pod",
      mends: [safeMend("raise it", ["set", "--containers=main", `--limits=memory=${limit}`], ["undo"])],
    });
  const { commands } = await fix([raise("memory-near-limit", "96Mi"), raise("out-of-memory", "128Mi")], {
    yes: true,
  });
  expect(commands).toEqual(["set --containers=main --limits=memory=128Mi"]);
});

test("changes with one undo are told it once", async () => {
  const undo = ["kubectl", "rollout", "undo", "deployment/gateway", "--to-revision=3"];
  const two = finding("grace-too-short", {
    subject: "deployment/gateway",
    problem: "it is so",
    seen: "kubectl get deployment gateway",
    mends: [safeMend("more time", ["kubectl", "patch"], undo), safeMend("a host", ["kubectl", "set"], undo)],
  });
  const { commands, said } = await fix([two], { yes: true });
  expect(commands).toHaveLength(2);
  expect(
    said.match(/to take it back: kubectl rollout undo deployment\/gateway --to-revision=3/g),
  ).toHaveLength(1);
  expect(said).toContain("taken back by the same: kubectl rollout undo deployment/gateway --to-revision=3");
});
