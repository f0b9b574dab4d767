import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { listFactsOf } from "./classify/list.js";
import { createShardFile } from "./classify/shard-file.js";
import { run } from "./main.js";
import { SHIPPED_MODEL, VITRINE_PROGRAM } from "./shipped.js";

async function vitrine(argv: readonly string[], env: Record<string, string> = {}) {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const code = await run(argv, { stdout, stderr, env, signal: new AbortController().signal });
  stdout.end();
  stderr.end();
  return { code, stdout: await text(stdout), stderr: await text(stderr) };
}

const COMMANDS = ["up", "classify", "parity", "serve", "gateway", "doctor"];

test.each([["--help"], ["help"], ["-h"]])("vitrine %s lists every command", async (word) => {
  const { code, stdout } = await vitrine([word]);
  expect(code).toBe(0);
  for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
});

test("vitrine without a command is wrong usage and shows the help", async () => {
  const { code, stdout, stderr } = await vitrine([]);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toContain("Usage: vitrine");
});

test("an unknown command is wrong usage and names the known ones", async () => {
  const { code, stderr } = await vitrine(["clasify"]);
  expect(code).toBe(2);
  expect(stderr).toContain("clasify is no command, expected one of up, classify, bench, parity, ");
});

test.each(COMMANDS)(
  "vitrine %s --help shows its flags with their variables, and examples",
  async (command) => {
    const { code, stdout } = await vitrine([command, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/--[a-z-]+ <[a-z:]+> /);
    expect(stdout).toMatch(/\(env [A-Z_]+/);
    expect(stdout).toMatch(/Examples:\n {2}.*vitrine/);
  },
);

const EVERY_COMMAND =
  "up classify bench parity serve gateway inspect convert warmup doctor feedback scaler".split(" ");

test.each(EVERY_COMMAND)("vitrine %s --help says what it does in full lines", async (command) => {
  const { stdout } = await vitrine([command, "--help"]);
  const description = /\n\n(.*?)\n\n/s.exec(stdout)?.[1] ?? "";
  const lines = description.split("\n");
  expect(lines[0]).not.toBe("");
  const width = Math.max(...lines.map((line) => line.length));
  for (const [index, next] of lines.slice(1).entries()) {
    // The line before it had no room for its first word.
    expect(`${lines[index]} ${next.split(" ")[0]}`.length).toBeGreaterThan(width);
  }
});

test.each(COMMANDS)("vitrine %s --version prints the version", async (command) => {
  expect(await vitrine([command, "--version"])).toMatchObject({ code: 0, stdout: "0.1.0\n" });
});

test("an unknown flag is wrong usage", async () => {
  const { code, stderr } = await vitrine(["gateway", "--colour", "red"]);
  expect(code).toBe(2);
  expect(stderr).toContain("unknown option '--colour'");
});

test("all wrong values are told at once", async () => {
  const { code, stderr } = await vitrine(["up", "--port", "x"], { GRPC_PORT: "-1" });
  expect(code).toBe(2);
  expect(stderr).toContain("--port was x, expected a whole number from 0 to 65535");
  expect(stderr).toContain("GRPC_PORT was -1, expected a whole number from 0 to 65535");
});

test("the effective configuration is printed with its origins", async () => {
  const { code, stdout } = await vitrine(["up", "--port", "1", "--print-config"], { REST_PORT: "2" });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^port +1 +--port$/m);
  expect(stdout).toMatch(/^rest-port +2 +REST_PORT$/m);
});

test("serve takes TensorFlow Serving's spelling and warns of flags that it does not have", async () => {
  const spelled = ["serve", "--model_base_path=/models/a_b", "--rest_api_port=0", "--print-config"];
  const { code, stdout } = await vitrine(spelled);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^model-base-path +"\/models\/a_b" +--model-base-path$/m);
  expect(stdout).toMatch(/^rest-api-port +0 /m);

  const flags = ["--no_such_flag=2", "--flush_filesystem_caches", "--enable_profiler=false"];
  const warned = await vitrine(["serve", ...flags]);
  expect(warned.stderr).toContain("unknown flag --no_such_flag=2 is ignored");
  expect(warned.stderr).toContain("--flush_filesystem_caches has no effect here: model files are read once");
  expect(warned.stderr).toContain("--enable_profiler has no effect here: sessions run in ONNX Runtime");
});

test("serve refuses a flag that it must not ignore", async () => {
  const { code, stderr } = await vitrine(["serve", "--use_alts_credentials=true", "--model_base_path=/m"]);
  expect(code).toBe(2);
  expect(stderr).toContain(
    "--use_alts_credentials: ALTS is not supported, expected TLS by --ssl-config-file",
  );
});

test("serve names file, line and column of what is wrong in the list of models", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "main-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = path.join(folder, "models.config");
  await writeFile(file, "model_config_list {\n  config { nam: 'm' }\n}");
  const { code, stderr } = await vitrine(["serve", `--model_config_file=${file}`]);
  expect(code).toBe(2);
  expect(stderr).toContain(`--model-config-file: ${file}:2:12: ModelConfig has no field "nam"`);
});

test("up with a folder that holds no version is wrong usage", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "main-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { code, stderr } = await vitrine(["up", folder]);
  expect(code).toBe(2);
  expect(stderr).toContain(`${folder} holds no version, expected a folder of model versions`);
});

test("up with a folder that is not there is wrong usage", async () => {
  const { code, stderr } = await vitrine(["up", "/no/model"]);
  expect(code).toBe(2);
  expect(stderr).toContain("/no/model is not there, expected a folder of model versions");
});

test("up says which port is in use and which flag chooses another", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  onTestFinished(() => void other.close());
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await vitrine(["up", `--port=${port}`, "--grpc-port=0", "--rest-port=0"]);
  expect(code).toBe(1);
  expect(stderr).toBe(
    `vitrine up: port ${port} on 127.0.0.1 is in use, so the gateway cannot listen there: ` +
      "stop what uses it, or choose another with --port\n",
  );
});

test("up with one port for two is wrong usage", async () => {
  const { code, stderr } = await vitrine(["up", "--port=8500"]);
  expect(code).toBe(2);
  expect(stderr).toContain(
    "--port, --grpc-port and --rest-port were 8500, 8500, 8501, expected different ports",
  );
});

test("classify --resume without an output to go on with is wrong usage", async () => {
  const { code, stderr } = await vitrine(["classify", "--resume", "photos"]);
  expect(code).toBe(2);
  expect(stderr).toContain("--resume was given, expected --output with --format jsonl or csv");
});

test("inspect --all of an ONNX model says what it is, and of nothing what saved_model_cli does", async () => {
  const { code, stderr } = await vitrine(["inspect", SHIPPED_MODEL, "--all"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^vitrine inspect: \S+models\/clothing-model was no SavedModel \(ONNX model\)/);
  expect(stderr).toContain("leave them out, or convert it first");
  const nothing = await vitrine(["inspect", path.join(SHIPPED_MODEL, "evaluation"), "--all"]);
  expect([nothing.code, nothing.stderr]).toEqual([
    1,
    expect.stringContaining("Could not find SavedModel .pb or .pbtxt"),
  ]);
});

test("a reader that has had enough, such as head, ends a command without a word", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "vitrine-pipe-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const list = path.join(folder, "list.txt");
  await writeFile(list, Array.from({ length: 5000 }, (_, index) => `${index}.jpg\n`).join(""));
  const { digest, entries } = await listFactsOf(list);
  const rows = await createShardFile(folder, {
    vitrine_rows: 1,
    list: digest,
    entries,
    shard: { index: 0, of: 1 },
    model: "m",
    contract: "c",
  });
  for (let entry = 0; entry < entries; entry++) {
    await rows.write({
      entry,
      source: `${entry}.jpg`,
      error: { code: "INVALID_ARGUMENT", reason: "IMAGE_INVALID", message: "x".repeat(200) },
    });
  }
  await rows.close();
  const child = spawn(process.execPath, [
    ...[VITRINE_PROGRAM, "classify", "merge", rows.file],
    ...["--list", list],
  ]);
  child.stdout.once("data", () => child.stdout.destroy());
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, "close")]);
  expect([said, code]).toEqual(["", 141]);
});

test("a config file's unknown key is wrong usage", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "main-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = path.join(folder, "vitrine.yaml");
  await writeFile(file, "prot: 1\n");
  const { code, stderr } = await vitrine(["up", "--config", file]);
  expect(code).toBe(2);
  expect(stderr).toContain(`prot in ${file} was not known`);
});
