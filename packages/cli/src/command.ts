/** One shape for every command: settings in, exit code out. */
import { EXIT_DONE, EXIT_USAGE, type Io } from "@vitrine/runtime/lifecycle";
import {
  addSettings,
  type Config,
  loadSettings,
  type Origins,
  printConfig,
  type Settings,
  spellBooleans,
} from "@vitrine/runtime/settings";
import { Command, CommanderError } from "commander";
import { packageVersion } from "./version.js";

export interface Invocation<S extends Settings> {
  readonly config: Config<S>;
  readonly origins: Origins<S>;
  /** Positional arguments. */
  readonly args: readonly string[];
  /** Flags that no setting has; empty unless `unknownFlags` is `tell`. */
  readonly unknownFlags: readonly string[];
}

export interface CommandDefinition<S extends Settings> {
  readonly name: string;
  /** Its line ends are those of the source: the help breaks lines where the terminal ends. */
  readonly description: string;
  /** Positional arguments, each as commander writes it, such as `[paths...]`; only the last may be several. */
  readonly args?: readonly (readonly [form: string, meaning: string])[];
  /** Command lines with a word on each, shown under --help. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  readonly settings: S;
  /** `tell` passes unknown flags on to `run`; by default they are wrong usage. */
  readonly unknownFlags?: "tell";
  /** Rewrites other spellings of the flags before they are parsed. */
  readonly spell?: (argv: readonly string[]) => readonly string[];
  readonly run: (invocation: Invocation<S>, io: Io) => Promise<number>;
}

/** A command whose settings' types are its own business. */
export interface RunnableCommand {
  run(argv: readonly string[], io: Io): Promise<number>;
}

/** Makes a command that parses its arguments, answers --help, --version and --print-config, and runs. */
export function defineCommand<S extends Settings>(definition: CommandDefinition<S>): RunnableCommand {
  return { run: (argv, io) => runDefinition(definition, argv, io) };
}

async function runDefinition<S extends Settings>(
  definition: CommandDefinition<S>,
  argv: readonly string[],
  io: Io,
): Promise<number> {
  const { settings } = definition;
  const command = buildCommand(definition, await packageVersion(), io);
  const spelled = definition.spell?.(argv) ?? argv;
  try {
    command.parse(spellBooleans(settings, spelled), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT_DONE : EXIT_USAGE;
  }
  const flags = command.opts<Record<string, unknown>>();
  const resolved = await loadSettings(settings, flags, io.env);
  if (flags.printConfig === true) {
    io.stdout.write(printConfig(settings, resolved));
    return EXIT_DONE;
  }
  const isFlag = (argument: string): boolean => argument.startsWith("--");
  const tells = definition.unknownFlags === "tell";
  const args = tells ? command.args.filter((argument) => !isFlag(argument)) : command.args;
  const unknownFlags = tells ? command.args.filter(isFlag) : [];
  return await definition.run({ ...resolved, args, unknownFlags }, io);
}

function buildCommand<S extends Settings>(
  definition: CommandDefinition<S>,
  version: string,
  io: Io,
): Command {
  const command = new Command(`vitrine ${definition.name}`)
    .description(definition.description.replaceAll("\n", " "))
    .version(version, "--version", "print the version")
    .helpOption("-h, --help", "print this text")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text.replace(/^error: /, `vitrine ${definition.name}: `)),
    })
    .showHelpAfterError(`See vitrine ${definition.name} --help`)
    // Without an action commander does not check the number of arguments.
    .action(() => {});
  for (const [form, meaning] of definition.args ?? []) command.argument(form, meaning);
  if (definition.unknownFlags === "tell") command.allowUnknownOption().allowExcessArguments();
  addSettings(command, definition.settings);
  const width = Math.max(...definition.examples.map(([line]) => line.length));
  const examples = definition.examples.map(([line, meaning]) => `  ${line.padEnd(width)}  ${meaning}`);
  return command.addHelpText("after", `\nExamples:\n${examples.join("\n")}`);
}
