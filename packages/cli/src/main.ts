/** The words of `vitrine`. Each command lies in a file of its own and is loaded when it is asked for. */
import {
  EXIT_DONE,
  EXIT_FAILED,
  EXIT_READER_LEFT,
  EXIT_USAGE,
  errorText,
  hasReaderLeft,
  type Io,
  processIo,
} from "@vitrine/runtime/lifecycle";
import { UsageError } from "@vitrine/runtime/settings";
import type { RunnableCommand } from "./command.js";
import { CommandFailure } from "./command-failure.js";
import { listenFailureText } from "./ports.js";
import { packageVersion } from "./version.js";

interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<RunnableCommand>;
}

const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  up: {
    summary: "bring up both tiers on this machine, with the website",
    load: async () => (await import("./commands/up.js")).up,
  },
  classify: {
    summary: "classify pictures: files, folders, links, lists of them",
    load: async () => (await import("./commands/classify.js")).classify,
  },
  bench: {
    summary: "load a gateway and say where the time goes",
    load: async () => (await import("./commands/bench.js")).bench,
  },
  parity: {
    summary: "say where a tensor of training and ours part ways",
    load: async () => (await import("./commands/parity.js")).parity,
  },
  convert: {
    summary: "turn .h5, .keras, .onnx or a SavedModel into a SavedModel or ONNX",
    load: async () => (await import("./commands/convert.js")).convert,
  },
  inspect: {
    summary: "say what a model takes and gives; the text of saved_model_cli show",
    load: async () => (await import("./commands/inspect.js")).inspect,
  },
  serve: {
    summary: "the model tier: TensorFlow Serving's protocol over a model folder",
    load: async () => (await import("./commands/serve.js")).serve,
  },
  warmup: {
    summary: "record photos that a model version runs before it is available",
    load: async () => (await import("./commands/warmup.js")).warmup,
  },
  feedback: {
    summary: "hand the corrections that a gateway kept over to training",
    load: async () => (await import("./commands/feedback.js")).feedback,
  },
  gateway: {
    summary: "the gateway: HTTP, pictures, and the website",
    load: async () => (await import("./commands/gateway.js")).gateway,
  },
  scaler: {
    summary: "tells Kubernetes' autoscalers and KEDA how much work waits",
    load: async () => (await import("./commands/scaler.js")).scaler,
  },
  doctor: {
    summary: "say what is wrong with this machine, cluster, model or tier, and the mend",
    load: async () => (await import("./commands/doctor.js")).doctor,
  },
};

/**
 * Runs one `vitrine` command.
 *
 * @param argv what stands after `vitrine`.
 * @returns exit code: 0 done (also after a drain that was asked for), 1 failed, 2 wrong usage, 141 the reader of its
 *   output has left.
 */
export async function run(argv: readonly string[], io: Io = processIo()): Promise<number> {
  const [word, ...rest] = argv;
  if (word === "--version" || word === "-V") {
    io.stdout.write(`${await packageVersion()}\n`);
    return EXIT_DONE;
  }
  if (word === "--help" || word === "-h" || (word === "help" && rest.length === 0)) {
    io.stdout.write(helpText());
    return EXIT_DONE;
  }
  if (word === undefined) {
    io.stderr.write(helpText());
    return EXIT_USAGE;
  }
  const [name, args] = word === "help" ? [rest[0] ?? "", ["--help"]] : [word, rest];
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (entry === undefined) {
    const known = Object.keys(COMMANDS).join(", ");
    io.stderr.write(`vitrine: ${name} is no command, expected one of ${known}; see vitrine --help\n`);
    return EXIT_USAGE;
  }
  try {
    return await (await entry.load()).run(args, io);
  } catch (error) {
    if (error instanceof UsageError) {
      for (const problem of error.problems) io.stderr.write(`vitrine ${name}: ${problem}\n`);
      io.stderr.write(`See vitrine ${name} --help\n`);
      return EXIT_USAGE;
    }
    if (isLeftOut(error, name)) {
      io.stderr.write(
        `vitrine ${name}: this installation does not hold it; the image of a tier holds that tier's commands alone\n`,
      );
      return EXIT_USAGE;
    }
    // A write may throw before its stream has told the signal.
    const isInterrupted = isInterruption(error, io.signal);
    if ((isInterrupted && hasReaderLeft(io)) || isBrokenOutput(error, io)) return EXIT_READER_LEFT;
    if (isInterrupted) {
      io.stderr.write(`vitrine ${name}: interrupted\n`);
      return EXIT_FAILED;
    }
    const text =
      error instanceof CommandFailure ? error.message : (listenFailureText(error) ?? errorText(error));
    io.stderr.write(`vitrine ${name}: ${text}\n`);
    return EXIT_FAILED;
  }
}

/** Whether it is the command's own file that is not there. */
function isLeftOut(error: unknown, name: string): boolean {
  if (!(error instanceof Error) || !("url" in error)) return false;
  return (
    "code" in error &&
    error.code === "ERR_MODULE_NOT_FOUND" &&
    `${error.url}`.endsWith(`/commands/${name}.js`)
  );
}

/** What a wait throws that was ended because the process shall end. */
function isInterruption(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  return error === signal.reason || (error instanceof Error && error.name === "AbortError");
}

function isBrokenOutput(error: unknown, { stdout }: Io): boolean {
  return (
    error !== null && error === stdout.errored && "code" in stdout.errored && stdout.errored.code === "EPIPE"
  );
}

function helpText(): string {
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}\n`);
  return `Usage: vitrine COMMAND [options]

From a photo to its category, in two tiers.

Commands:
${rows.join("")}
Options:
  --help      this text; vitrine COMMAND --help for the options of one
  --version   print the version

Try it: vitrine up
`;
}
