/** `vitrine serve`: the model tier under TensorFlow Serving's flags. */
import { serveSettings } from "@vitrine/model-server/config";
import { runTier } from "@vitrine/runtime/lifecycle";
import { createLogger } from "@vitrine/runtime/logger";
import { createMetrics } from "@vitrine/runtime/metrics";
import { flagOf, UsageError } from "@vitrine/runtime/settings";
import { defineCommand, type RunnableCommand } from "../command.js";
import { IGNORED_FLAGS, REFUSED_FLAGS } from "../foreign-flags.js";
import { needsOwnProcess, runInOwnProcess } from "../own-process.js";
import { packageVersion } from "../version.js";

/** These are answered at once. */
const QUESTIONS: ReadonlySet<string> = new Set(["--help", "-h", "--version", "--print-config"]);

export const serve: RunnableCommand = {
  run: (argv, io) =>
    needsOwnProcess(io) && !argv.some((argument) => QUESTIONS.has(argument))
      ? runInOwnProcess(["serve", ...argv], io)
      : serveHere.run(argv, io),
};

const serveHere = defineCommand({
  name: "serve",
  description: `Serves models over TensorFlow Serving's gRPC and REST. Flags are those of tensorflow_model_server, in both
spellings: --model_base_path=DIR and --model-base-path DIR. One that is not known is warned of and ignored.`,
  examples: [
    ["vitrine serve --model-base-path models/clothing-model", "gRPC on 8500, REST on 8501"],
    ["vitrine serve --port=auto --rest_api_port=0 --model_base_path=…", "a free gRPC port, no REST"],
    [
      "MODEL_BASE_PATH=/models MODEL_NAME=birds vitrine serve",
      "/models/birds, as in TensorFlow Serving's image",
    ],
  ],
  settings: serveSettings,
  unknownFlags: "tell",
  spell: (argv) => argv.map(spellWithDashes),
  async run({ config, unknownFlags }, io) {
    for (const flag of unknownFlags) io.stderr.write(`vitrine serve: ${saidOfForeign(flag)}\n`);
    const { startModelServer } = await import("@vitrine/model-server/main");
    const logger = createLogger({ name: "model-server", level: config.logLevel, stream: io.stderr });
    const version = await packageVersion();
    const metrics = createMetrics("model-server", version);
    return await runTier(
      "model server",
      (signal) => startModelServer(config, { logger, metrics, version, signal }),
      io,
      { graceMs: config.drainGraceMs },
    );
  },
});

/** @throws {UsageError} for a flag that must not be ignored. */
function saidOfForeign(argument: string): string {
  const [flag = "", value] = argument.split("=", 2);
  const name = flag.replace(/^--/, "").replaceAll("_", "-");
  const refusal = REFUSED_FLAGS.get(name);
  if (refusal !== undefined && value !== "false") throw new UsageError([`${flag}: ${refusal}`]);
  const reason = IGNORED_FLAGS.get(name);
  if (reason === undefined && refusal === undefined) return `unknown flag ${argument} is ignored`;
  return `${flag} has no effect here${reason === undefined ? "" : `: ${reason}`}`;
}

const FLAGS = new Set(Object.keys(serveSettings).map((key) => `--${flagOf(key)}`));

/** `--model_base_path=a_b` is `--model-base-path=a_b`; a flag that is not ours stays as it was written. */
function spellWithDashes(argument: string): string {
  const [flag = ""] = argument.split("=", 1);
  const spelled = flag.replaceAll("_", "-");
  return FLAGS.has(spelled) ? spelled + argument.slice(flag.length) : argument;
}
