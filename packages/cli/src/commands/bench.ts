/** `vitrine bench`: a load, and where its time goes. */
import { EXIT_DONE, EXIT_FAILED, type Io } from "@vitrine/runtime/lifecycle";
import { type Config, setting, UsageError } from "@vitrine/runtime/settings";
import { z } from "zod";
import { ARRIVALS, type Load } from "../bench/arrivals.js";
import { QUICK_TIMES, USUAL_TIMES } from "../bench/measure.js";
import { readPictures } from "../bench/pictures.js";
import { reportOf } from "../bench/report.js";
import { rightSize } from "../bench/right-size.js";
import { runBench } from "../bench/run-bench.js";
import { sizeJson } from "../bench/size-json.js";
import { sizePatch } from "../bench/size-patch.js";
import { sizeReport } from "../bench/size-report.js";
import { whyNotLoad } from "../bench/target-host.js";
import { usageReader } from "../bench/tier-usage.js";
import { createGatewayClient } from "../classify/gateway-client.js";
import { openOutput } from "../classify/output.js";
import { defineCommand } from "../command.js";
import { CommandFailure } from "../command-failure.js";
import { withOwnTiers } from "../own-tiers.js";
import { SHIPPED_MODEL } from "../shipped.js";
import { classifySettings } from "./classify.js";

const seconds = z.number().min(0).max(86_400);

export const benchSettings = {
  gateway: classifySettings.gateway,
  apiKey: classifySettings.apiKey,
  basePath: classifySettings.basePath,
  concurrency: setting(z.int().min(1).max(1024).default(8), {
    description: "Callers at a time, each of whom asks again when it has its answer (a closed loop).",
  }),
  rate: setting(z.number().positive().max(100_000).optional(), {
    description:
      "Requests per second that come whatever the answers do (an open loop), instead of --concurrency. Latencies then count from when a request was due.",
    placeholder: "per-second",
  }),
  arrivals: setting(z.enum(ARRIVALS).default("constant"), {
    description: "With --rate: constant, or poisson as from people who do not know of each other.",
    placeholder: "kind",
  }),
  duration: setting(seconds.min(0.1).default(30), {
    description: "Seconds of the load, after the warm-up.",
    placeholder: "seconds",
  }),
  requests: setting(z.int().min(1).optional(), {
    description: "Ends the load after so many requests, if --duration does not end it first.",
    placeholder: "count",
  }),
  warmUp: setting(seconds.default(3), {
    description:
      "Seconds of load before the one that counts: compilers, caches and connections settle in it.",
    placeholder: "seconds",
  }),
  requestTimeoutMs: setting(z.int().min(1).default(30_000), {
    description: "A request without an answer for so long has failed (CLIENT_TIMEOUT).",
    placeholder: "ms",
  }),
  maxFailures: setting(z.int().min(0).default(0), {
    description: "Exits with 1 when more requests than this failed.",
    placeholder: "count",
  }),
  allowPublicHost: setting(z.boolean().default(false), {
    description: "Load a gateway with a public address, too. Only for one that is yours.",
  }),
  rightSize: setting(z.boolean().default(false), {
    description:
      "Measures memory, CPU per picture and p95 under rising load, in about two minutes, and says what to ask of a cluster for --pictures-per-second.",
  }),
  picturesPerSecond: setting(z.number().positive().max(1_000_000).optional(), {
    description: "With --right-size: the load that shall be carried at the busiest time.",
    placeholder: "count",
  }),
  p95Ms: setting(z.number().positive().default(300), {
    description: "With --right-size: how long 95 of 100 answers may take at most.",
    placeholder: "ms",
  }),
  cpuFactor: setting(z.number().positive().max(100).default(1), {
    description:
      "With --right-size: how many times as long a core of the cluster takes as one of this machine.",
    placeholder: "factor",
  }),
  quick: setting(z.boolean().default(false), {
    description: "With --right-size: measures for 40 s only; p95 then stands on fewer answers.",
  }),
  format: setting(z.enum(["table", "json", "yaml"]).default("table"), {
    description: "table for a person, json for a program; with --right-size yaml, patches for deploy/k8s.",
  }),
  output: setting(z.string().min(1).optional(), {
    description: "File to write the result to instead of standard output.",
    placeholder: "file",
  }),
};

type BenchConfig = Config<typeof benchSettings>;

export const bench = defineCommand({
  name: "bench",
  description: `Loads a gateway with pictures and says how many it answers per second, how long that takes, and in which stage. Without
--gateway both tiers are brought up on this machine for it. Ctrl-C ends the load and prints what there is. Exits with 1
when a request failed.`,
  args: [["[paths...]", "pictures, folders, links, @LIST (default: pictures that Vitrine ships)"]],
  examples: [
    ["vitrine bench", "both tiers on this machine, 8 callers, 30 s"],
    ["vitrine bench photos/ --rate 50 --arrivals poisson", "as 50 people a second would ask"],
    ["vitrine bench photos/ --gateway http://127.0.0.1:9696 --concurrency 32", "a gateway that is up"],
    ["vitrine bench photos/ --right-size --pictures-per-second 20", "what to ask of a cluster"],
    ["vitrine bench photo.jpg --requests 1000 --format json --output bench.json", "for a program"],
  ],
  settings: benchSettings,
  async run({ config, origins, args }, io) {
    const problems = problemsOf(config, (key) => origins[key] !== "default");
    if (problems.length > 0) throw new UsageError(problems);
    // A file that cannot be written is to be known before the load, not after it.
    await (await openOutput(config.output, true, io.stdout)).close();
    return config.picturesPerSecond === undefined
      ? await measure(config, args, io)
      : await size(config, config.picturesPerSecond, args, io);
  },
});

/** Flags that do not go together. */
function problemsOf(config: BenchConfig, isGiven: (key: keyof BenchConfig) => boolean): string[] {
  const problems: string[] = [];
  if (config.rate !== undefined && isGiven("concurrency")) {
    problems.push("--rate was given beside --concurrency, expected one of them");
  }
  if (config.gateway !== undefined && config.basePath !== undefined) {
    problems.push("--base-path was given beside --gateway, which has a model already, expected one of them");
  }
  if (config.rightSize !== (config.picturesPerSecond !== undefined)) {
    problems.push(
      config.rightSize
        ? "--right-size was given alone, expected --pictures-per-second beside it"
        : "--pictures-per-second was given alone, expected --right-size beside it",
    );
  }
  if (config.rightSize && config.gateway !== undefined) {
    problems.push("--right-size was given beside --gateway, expected none: it measures tiers of its own");
  }
  if (config.format === "yaml" && !config.rightSize) {
    problems.push("--format was yaml, expected --right-size beside it");
  }
  return problems;
}

async function size(
  config: BenchConfig,
  picturesPerSecond: number,
  paths: readonly string[],
  io: Io,
): Promise<number> {
  const { p95Ms, cpuFactor } = config;
  const facts = await rightSize({
    basePath: config.basePath ?? SHIPPED_MODEL,
    pictures: await readPictures(paths),
    wish: { picturesPerSecond, p95Ms, cpuFactor },
    times: config.quick ? QUICK_TIMES : USUAL_TIMES,
    io,
  });
  const textOf = { table: sizeReport, yaml: sizePatch, json: () => asJson(sizeJson(facts)) }[config.format];
  await write(config, io, textOf(facts));
  return facts.sizing.keepsP95 ? EXIT_DONE : EXIT_FAILED;
}

async function measure(config: BenchConfig, paths: readonly string[], io: Io): Promise<number> {
  const pictures = await readPictures(paths);
  const plan = {
    load: loadOf(config),
    pictures,
    warmUpMs: 1000 * config.warmUp,
    durationMs: 1000 * config.duration,
    mostRequests: config.requests ?? Number.POSITIVE_INFINITY,
    timeoutMs: config.requestTimeoutMs,
    apiKey: config.apiKey,
  };
  const result =
    config.gateway === undefined
      ? await withOwnTiers({ basePath: config.basePath ?? SHIPPED_MODEL, io }, (gatewayUrl, ioOfRun, tiers) =>
          runBench({ ...plan, gatewayUrl, io: ioOfRun, readUsage: usageReader(gatewayUrl, tiers) }),
        )
      : await runBench({
          ...plan,
          gatewayUrl: await reachable(config.gateway, config, io),
          io,
          readUsage: undefined,
        });
  await write(config, io, config.format === "json" ? asJson(result) : reportOf(result));
  return result.failed > config.maxFailures || result.answered === 0 ? EXIT_FAILED : EXIT_DONE;
}

async function write({ output: file }: BenchConfig, { stdout }: Io, text: string): Promise<void> {
  const output = await openOutput(file, false, stdout);
  await output.write(text);
  await output.close();
}

/** Numbers to a thousandth: a microsecond of a millisecond's figure. */
function asJson(value: object): string {
  const rounded = (_: string, member: unknown): unknown =>
    typeof member === "number" ? Math.round(1000 * member) / 1000 : member;
  return `${JSON.stringify(value, rounded, 2)}\n`;
}

function loadOf({ rate, arrivals, concurrency }: BenchConfig): Load {
  return rate === undefined ? { kind: "closed", concurrency } : { kind: "open", perSecond: rate, arrivals };
}

/** @throws {CommandFailure} when it may not be loaded, or is no gateway. */
async function reachable(
  gatewayUrl: string,
  { allowPublicHost, apiKey }: BenchConfig,
  io: Io,
): Promise<string> {
  const why = allowPublicHost ? undefined : await whyNotLoad(gatewayUrl);
  if (why !== undefined) throw new CommandFailure(why);
  await createGatewayClient(gatewayUrl, { signal: io.signal, concurrency: 1, apiKey }).info();
  return gatewayUrl;
}
