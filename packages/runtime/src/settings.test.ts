import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Command } from "commander";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import {
  addSettings,
  loadSettings,
  printConfig,
  resolveSettings,
  setting,
  spellBooleans,
  UsageError,
} from "./settings.js";

const settings = {
  grpcPort: setting(z.int().min(0).max(65_535).default(8500), {
    description: "gRPC port",
    placeholder: "port",
  }),
  restPort: setting(z.union([z.literal("auto"), z.int().min(0).max(65_535)]).default(8501), {
    description: "REST port",
    env: "REST_API_PORT",
  }),
  allowImageHost: setting(z.array(z.string()).default([]), {
    description: "Hosts",
    env: "ALLOW_IMAGE_HOSTS",
  }),
  resume: setting(z.boolean().default(false), { description: "Resume" }),
  token: setting(z.string().optional(), { description: "Token", secret: true }),
};

function resolve(sources: { flags?: object; env?: Record<string, string>; file?: Record<string, unknown> }) {
  return resolveSettings(settings, {
    flags: { ...sources.flags },
    env: sources.env ?? {},
    file: sources.file === undefined ? undefined : { name: "vitrine.yaml", values: sources.file },
  });
}

function problemsOf(action: () => unknown): readonly string[] {
  try {
    action();
  } catch (error) {
    if (error instanceof UsageError) return error.problems;
    throw error;
  }
  return [];
}

test("a flag beats the environment, which beats the file, which beats the default", () => {
  const file = { "grpc-port": 3 };
  const env = { GRPC_PORT: "2" };
  const all = resolve({ flags: { grpcPort: "1" }, env, file });
  expect([all.config.grpcPort, all.origins.grpcPort]).toEqual([1, "--grpc-port"]);
  const noFlag = resolve({ env, file });
  expect([noFlag.config.grpcPort, noFlag.origins.grpcPort]).toEqual([2, "GRPC_PORT"]);
  const fileOnly = resolve({ file });
  expect([fileOnly.config.grpcPort, fileOnly.origins.grpcPort]).toEqual([3, "grpc-port in vitrine.yaml"]);
  const none = resolve({});
  expect([none.config.grpcPort, none.origins.grpcPort]).toEqual([8500, "default"]);
});

test("the config is frozen and holds every key", () => {
  const { config } = resolve({});
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.keys(config)).toEqual(Object.keys(settings));
});

test("an empty environment variable counts as not set", () => {
  expect(resolve({ env: { GRPC_PORT: "" } }).origins.grpcPort).toBe("default");
});

test("a list comes from repeated flags, a comma list, or an array in the file", () => {
  expect(resolve({ flags: { allowImageHost: ["a", "b,c"] } }).config.allowImageHost).toEqual(["a", "b", "c"]);
  expect(resolve({ env: { ALLOW_IMAGE_HOSTS: "a, b" } }).config.allowImageHost).toEqual(["a", "b"]);
  expect(resolve({ file: { "allow-image-host": ["a"] } }).config.allowImageHost).toEqual(["a"]);
});

test("a setting that takes a word or a number takes both", () => {
  expect(resolve({ flags: { restPort: "auto" } }).config.restPort).toBe("auto");
  expect(resolve({ env: { REST_API_PORT: "0" } }).config.restPort).toBe(0);
});

test("all problems are told at once, each with its place, its value and what was expected", () => {
  const problems = problemsOf(() =>
    resolve({
      flags: { grpcPort: "ninety", resume: "perhaps" },
      env: { REST_API_PORT: "70000" },
      file: { "allow-image-host": "one", colour: "red" },
    }),
  );
  expect(problems).toEqual([
    "colour in vitrine.yaml was not known, expected one of grpc-port, rest-port, allow-image-host, resume, token",
    "--grpc-port was ninety, expected a whole number from 0 to 65535",
    "REST_API_PORT was 70000, expected auto, or a whole number from 0 to 65535",
    'allow-image-host in vitrine.yaml was "one", expected a list, each a text',
    "--resume was perhaps, expected true or false",
  ]);
});

test("a required setting that is nowhere names its flag and its variable", () => {
  const required = { modelBasePath: setting(z.string(), { description: "Folder" }) };
  expect(problemsOf(() => resolveSettings(required, { flags: {}, env: {} }))).toEqual([
    "--model-base-path was missing, expected a text (or the environment variable MODEL_BASE_PATH)",
  ]);
});

test("a check of the schema tells its own words", () => {
  const even = {
    workers: setting(
      z.int().refine((n) => n % 2 === 0, "an even number"),
      { description: "Workers" },
    ),
  };
  expect(problemsOf(() => resolveSettings(even, { flags: { workers: "3" }, env: {} }))).toEqual([
    "--workers was 3, expected an even number",
  ]);
});

test("a bare boolean flag does not swallow the argument after it", () => {
  const command = new Command().argument("[paths...]");
  addSettings(command, settings);
  command.parse(spellBooleans(settings, ["--resume", "photos", "--grpc-port", "1", "--", "--resume"]), {
    from: "user",
  });
  expect(command.args).toEqual(["photos", "--resume"]);
  expect(resolve({ flags: command.opts() }).config).toMatchObject({ resume: true, grpcPort: 1 });
  expect(spellBooleans(settings, ["--resume", "false"])).toEqual(["--resume=false"]);
});

test("a repeated flag of a list keeps all its values", () => {
  const command = new Command();
  addSettings(command, settings);
  command.parse(["--allow-image-host", "a", "--allow-image-host", "b"], { from: "user" });
  expect(resolve({ flags: command.opts() }).config.allowImageHost).toEqual(["a", "b"]);
});

test("a config file is JSON or YAML", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "settings-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const yaml = path.join(folder, "a.yaml");
  const json = path.join(folder, "a.json");
  await writeFile(yaml, "grpc-port: 1\nallow-image-host: [a]\n");
  await writeFile(json, '{"grpc-port": 2}');
  expect((await loadSettings(settings, { config: yaml }, {})).config.grpcPort).toBe(1);
  expect((await loadSettings(settings, { config: json }, {})).config.grpcPort).toBe(2);
});

test("a config file that is missing or no mapping is wrong usage", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "settings-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const list = path.join(folder, "a.yaml");
  await writeFile(list, "- 1\n");
  await expect(loadSettings(settings, { config: list }, {})).rejects.toThrow(UsageError);
  await expect(loadSettings(settings, { config: path.join(folder, "none.json") }, {})).rejects.toThrow(
    /ENOENT/,
  );
});

test("the printed config shows values and origins and hides secrets", () => {
  const text = printConfig(settings, resolve({ flags: { grpcPort: "1" }, env: { TOKEN: "hush" } }));
  expect(text).toMatch(/^grpc-port +1 +--grpc-port$/m);
  expect(text).toMatch(/^rest-port +8501 +default$/m);
  expect(text).toMatch(/^token +\(hidden\) +TOKEN$/m);
  expect(text).not.toContain("hush");
});
