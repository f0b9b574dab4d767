/** `vitrine bench`: a load, and where its time goes. */
import { EXIT_DONE, EXIT_FAILED, type Io } from "@vitrine/runtime/lifecycle";
import { type Config, setting, UsageError } from "@vitrine/runtime/settings";
import { z } from "zod";
import { ARRIVALS, type Load } from "../bench/arrivals.js";
import { readPictures } from "../bench/pictures.js";
import { reportOf } from "../bench/report.js";
import { runBench } from "../bench/run-bench.js";
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
  format: setting(z.enum(["table", "json"]).default("table"), {
    description: "table for a person, json for a program.",
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
  args: {
    form: "[paths...]",
    description: "pictures, folders, links, @LIST (default: pictures that Vitrine ships)",
  },
  examples: [
    ["vitrine bench", "both tiers on this machine, 8 callers, 30 s"],
    ["vitrine bench photos/ --rate 50 --arrivals poisson", "as 50 people a second would ask"],
    ["vitrine bench photos/ --gateway http://127.0.0.1:9696 --concurrency 32", "a gateway that is up"],
    ["vitrine bench photo.jpg --requests 1000 --format json --output bench.json", "for a program"],
  ],
  settings: benchSettings,
  async run({ config, origins, args }, io) {
    if (config.rate !== undefined && origins.concurrency !== "default") {
      throw new UsageError(["--rate was given beside --concurrency, expected one of them"]);
    }
    if (config.gateway !== undefined && config.basePath !== undefined) {
      throw new UsageError([
        "--base-path was given beside --gateway, which has a model already, expected one of them",
      ]);
    }
    return await measure(config, args, io);
  },
});

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
  const output = await openOutput(config.output, false, io.stdout);
  await output.write(
    config.format === "json" ? `${JSON.stringify(result, undefined, 2)}\n` : reportOf(result),
  );
  await output.close();
  return result.failed > config.maxFailures || result.answered === 0 ? EXIT_FAILED : EXIT_DONE;
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
