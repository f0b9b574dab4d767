/**
 * Settings of one process. From one key, in camelCase, come the flag (kebab-case), the environment name (the
 * flag in upper snake case unless another is given), the key in a config file (the flag's name) and a row of
 * docs/configuration.md.
 */
import { readFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { defaultOf, describeSchema, elementOf, kindOf, valueOfText } from "./setting-schema.js";

export interface SettingOptions {
  /** What it does and when to change it: one or two sentences for --help and docs/configuration.md. */
  readonly description: string;
  /** Environment name, when it is not the flag in upper snake case. */
  readonly env?: string;
  /** --print-config hides the value. */
  readonly secret?: boolean;
  /** Word that stands for the value in --help, such as `folder`. */
  readonly placeholder?: string;
}

export interface Setting<S extends z.ZodType = z.ZodType> extends SettingOptions {
  readonly schema: S;
}

export type Settings = Readonly<Record<string, Setting>>;

/** The values of a settings object: one member per key, defaults filled in. */
export type Config<S extends Settings> = { readonly [K in keyof S]: z.output<S[K]["schema"]> };

/** Where a value came from: `--port`, `PORT`, `port in vitrine.yaml` or `default`. */
export type Origins<S extends Settings> = { readonly [K in keyof S]: string };

export interface Resolved<S extends Settings> {
  readonly config: Config<S>;
  readonly origins: Origins<S>;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** The parsed content of a `--config` file and the name it was given by. */
export interface ConfigFile {
  readonly name: string;
  readonly values: Readonly<Record<string, unknown>>;
}

export interface SettingSources {
  /** `command.opts()`: strings, arrays of strings for lists; other members are ignored. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Environment;
  readonly file?: ConfigFile | undefined;
}

/** The command was used wrongly; the process exits with 2. `problems` holds one sentence each. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options: { cause?: unknown } = {}) {
    super(problems.join("\n"), options.cause === undefined ? undefined : { cause: options.cause });
    this.problems = problems;
  }
}

/**
 * Describes one setting.
 *
 * @param schema of the typed value. Texts of flags and the environment become numbers, booleans and lists
 *   where the schema takes those; a file's values are taken as they are. Give it a default or make it
 *   optional, unless the process cannot start without it.
 */
export function setting<S extends z.ZodType>(schema: S, options: SettingOptions): Setting<S> {
  return { schema, ...options };
}

/** Name of the flag without its dashes, which is also the key in a config file: `grpcPort` is `grpc-port`. */
export function flagOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Name of the environment variable of a key. */
export function envOf(key: string, { env }: Setting): string {
  return env ?? flagOf(key).replaceAll("-", "_").toUpperCase();
}

/** Adds one option per setting, and `--config` and `--print-config`. Parse with {@link spellBooleans} first. */
export function addSettings(command: Command, settings: Settings): void {
  for (const [key, entry] of Object.entries(settings)) {
    const kind = kindOf(entry.schema);
    const value = kind === "boolean" ? "[true|false]" : `<${entry.placeholder ?? kind}>`;
    const option = new Option(`--${flagOf(key)} ${value}`, helpText(key, entry));
    if (kind === "list") {
      option.argParser((text: string, earlier: string[] | undefined) => [...(earlier ?? []), text]);
    }
    command.addOption(option);
  }
  command.option(
    "--config <file>",
    "JSON or YAML file with these settings; keys are the flags without dashes",
  );
  command.option("--print-config", "print each setting's value and where it came from, then exit");
}

/**
 * Writes each boolean flag as `--flag=true` or `--flag=false`, so that a bare one does not swallow the
 * argument after it: `--resume photos/` is `--resume=true photos/`.
 */
export function spellBooleans(settings: Settings, argv: readonly string[]): string[] {
  const booleans = new Set(
    Object.entries(settings)
      .filter(([, { schema }]) => kindOf(schema) === "boolean")
      .map(([key]) => `--${flagOf(key)}`),
  );
  const spelled: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? "";
    if (argument === "--") return [...spelled, ...argv.slice(index)];
    if (!booleans.has(argument)) {
      spelled.push(argument);
      continue;
    }
    const next = argv[index + 1];
    const given = next === "true" || next === "false";
    spelled.push(`${argument}=${given ? next : "true"}`);
    if (given) index++;
  }
  return spelled;
}

/**
 * Finds the value of each setting: flag, else environment, else file, else default. An empty environment
 * variable counts as not set.
 *
 * @returns a frozen config in which every key is present.
 * @throws {UsageError} with every problem at once: values that do not fit, missing ones, unknown file keys.
 */
export function resolveSettings<S extends Settings>(settings: S, sources: SettingSources): Resolved<S> {
  const problems = unknownKeys(settings, sources.file);
  const config: Record<string, unknown> = {};
  const origins: Record<string, string> = {};
  for (const [key, entry] of Object.entries(settings)) {
    const found = findValue(key, entry, sources);
    const parsed = entry.schema.safeParse(found?.value);
    if (parsed.success) {
      config[key] = parsed.data;
      origins[key] = found?.origin ?? "default";
    } else {
      problems.push(problemText(key, entry, found, parsed.error));
    }
  }
  if (problems.length > 0) throw new UsageError(problems);
  // The loop above gave every key of `settings` its schema's output.
  return {
    config: Object.freeze(config) as Config<S>,
    origins: Object.freeze(origins) as Origins<S>,
  };
}

/**
 * Reads a `--config` file: JSON when its name ends in .json, else YAML.
 *
 * @throws {UsageError} when it cannot be read, is not valid, or is no mapping.
 */
export async function readConfigFile(name: string): Promise<ConfigFile> {
  let content: unknown;
  try {
    const text = await readFile(name, "utf8");
    content = name.endsWith(".json") ? JSON.parse(text) : parseYaml(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError([`--config was ${name}, expected a readable JSON or YAML file: ${why}`], { cause });
  }
  const values = z.record(z.string(), z.unknown()).safeParse(content ?? {});
  if (!values.success) {
    throw new UsageError([`--config was ${name}, expected a file that maps setting names to values`]);
  }
  return { name, values: values.data };
}

/**
 * Resolves the settings of a parsed command, reading its `--config` file when one was given.
 *
 * @param flags `command.opts()` of a command that went through {@link addSettings}.
 * @throws {UsageError} as {@link resolveSettings} and {@link readConfigFile} do.
 */
export async function loadSettings<S extends Settings>(
  settings: S,
  flags: Readonly<Record<string, unknown>>,
  env: Environment,
): Promise<Resolved<S>> {
  const file = typeof flags.config === "string" ? await readConfigFile(flags.config) : undefined;
  return resolveSettings(settings, { flags, env, file });
}

/** Text of `--print-config`: one line per setting with its value as JSON and its origin. */
export function printConfig<S extends Settings>(settings: S, { config, origins }: Resolved<S>): string {
  const rows = Object.entries(settings).map(([key, entry]) => ({
    name: flagOf(key),
    value: entry.secret === true ? "(hidden)" : (JSON.stringify(config[key]) ?? "(none)"),
    origin: origins[key] ?? "default",
  }));
  const nameWidth = Math.max(...rows.map(({ name }) => name.length));
  const valueWidth = Math.min(40, Math.max(...rows.map(({ value }) => value.length)));
  return rows
    .map(({ name, value, origin }) => `${name.padEnd(nameWidth)}  ${value.padEnd(valueWidth)}  ${origin}\n`)
    .join("");
}

interface FoundValue {
  readonly value: unknown;
  readonly origin: string;
  readonly given: string;
}

function findValue(
  key: string,
  entry: Setting,
  { flags, env, file }: SettingSources,
): FoundValue | undefined {
  const flag = flags[key];
  if (typeof flag === "string" || Array.isArray(flag)) {
    return { value: fromText(entry, flag), origin: `--${flagOf(key)}`, given: String(flag) };
  }
  const variable = env[envOf(key, entry)];
  if (variable !== undefined && variable !== "") {
    return { value: fromText(entry, variable), origin: envOf(key, entry), given: variable };
  }
  const value = file?.values[flagOf(key)];
  if (file !== undefined && value !== undefined) {
    return { value, origin: `${flagOf(key)} in ${file.name}`, given: JSON.stringify(value) };
  }
  return undefined;
}

/** The value that a text, or the texts of a repeated flag, stand for. Lists split at commas. */
function fromText({ schema }: Setting, text: string | readonly unknown[]): unknown {
  if (kindOf(schema) !== "list") return valueOfText(schema, String(text).trim());
  const texts = typeof text === "string" ? [text] : text.map(String);
  const items = texts.flatMap((list) => list.split(",")).map((item) => item.trim());
  return items.filter((item) => item !== "").map((item) => valueOfText(elementOf(schema), item));
}

function unknownKeys(settings: Settings, file: ConfigFile | undefined): string[] {
  if (file === undefined) return [];
  const known = new Set(Object.keys(settings).map(flagOf));
  return Object.keys(file.values)
    .filter((name) => !known.has(name))
    .map((name) => `${name} in ${file.name} was not known, expected one of ${[...known].join(", ")}`);
}

function problemText(key: string, entry: Setting, found: FoundValue | undefined, error: z.ZodError): string {
  const expected = describeSchema(entry.schema, error);
  if (found === undefined) {
    return `--${flagOf(key)} was missing, expected ${expected} (or the environment variable ${envOf(key, entry)})`;
  }
  const given = entry.secret === true ? "(hidden)" : found.given === "" ? "empty" : found.given;
  return `${found.origin} was ${given}, expected ${expected}`;
}

/** Default as `--help` and docs/configuration.md show it, or undefined when there is none. */
export function defaultText({ schema }: Setting): string | undefined {
  const preset = defaultOf(schema);
  if (Array.isArray(preset)) return preset.length === 0 ? undefined : preset.join(",");
  return preset === undefined ? undefined : String(preset);
}

function helpText(key: string, entry: Setting): string {
  const preset = defaultText(entry);
  const facts = [`env ${envOf(key, entry)}`, ...(preset === undefined ? [] : [`default ${preset}`])];
  return `${entry.description} (${facts.join(", ")})`;
}
