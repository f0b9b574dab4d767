/** `vitrine classify`: many pictures, one row each. */
import type { Io } from "@vitrine/runtime/lifecycle";
import { type Config, type Origins, setting, UsageError } from "@vitrine/runtime/settings";
import { z } from "zod";
import { classifyShard, describeShard, type ShardWork } from "../classify/classify-shard.js";
import { createGatewayClient, type GatewayClient } from "../classify/gateway-client.js";
import { mapInOrder } from "../classify/map-in-order.js";
import { openOutput } from "../classify/output.js";
import { createReport } from "../classify/report.js";
import { type DoneRows, readDoneRows } from "../classify/resume.js";
import { CSV_HEADER, ROW_FORMATS, type Row, rowFormatter } from "../classify/row.js";
import { parseShard, shardText } from "../classify/shard.js";
import { checkLists, findSources, type Source } from "../classify/sources.js";
import { defineCommand, type RunnableCommand } from "../command.js";
import { withOwnTiers } from "../own-tiers.js";
import { SHIPPED_MODEL } from "../shipped.js";

export const classifySettings = {
  format: setting(z.enum(ROW_FORMATS).default("table"), {
    description: "table for a person, jsonl or csv for a program.",
  }),
  top: setting(z.int().min(1).default(3), { description: "How many labels the table shows." }),
  output: setting(z.string().min(1).optional(), {
    description: "File to write to instead of standard output.",
    placeholder: "file",
  }),
  resume: setting(z.boolean().default(false), {
    description: "Goes on where the run that wrote --output was cut off; rows in it, failed ones too, stay.",
  }),
  gateway: setting(
    z.url({ protocol: /^https?$/, error: "an address such as http://127.0.0.1:9696" }).optional(),
    {
      description: "Gateway to ask. Without it both tiers are brought up for this run.",
      placeholder: "url",
    },
  ),
  basePath: setting(z.string().min(1).optional(), {
    description:
      "Folder that holds the model's versions, when the tiers are brought up for this run. Without it, the clothing model.",
    placeholder: "folder",
  }),
  concurrency: setting(z.int().min(1).max(256).default(8), {
    description:
      "Most pictures under way at a time; fewer while the gateway says that it is busy. More helps a gateway with many model servers behind it.",
  }),
  apiKey: setting(
    z
      .string()
      .regex(/^[\x21-\x7e]+$/, "a key without spaces")
      .optional(),
    { description: "Key for a gateway that asks for one.", secret: true, placeholder: "key" },
  ),
  shard: setting(shardText.optional(), {
    description:
      "I/N, I counted from 0: classifies every N-th entry of one @LIST and goes on where earlier runs were cut off. --output is then the folder for the rows of all shards; vitrine classify merge joins them.",
    placeholder: "i/n",
  }),
  retryErrors: setting(z.boolean().default(false), {
    description: "With --shard: asks again for the pictures whose row is an error.",
  }),
  patienceSeconds: setting(z.number().positive().max(86_400).default(600), {
    description:
      "With --shard: how long to wait for a gateway that takes nothing at all before the run ends. Until then it costs no picture its row.",
  }),
  dryRun: setting(z.boolean().default(false), {
    description: "With --shard: says how much is done and asks nobody.",
  }),
};

type ClassifyConfig = Config<typeof classifySettings>;

const classifyPictures = defineCommand({
  name: "classify",
  description: `Classifies pictures, one row each, in the order given. PATH is a file, a folder (recursively), a link, or
@LIST: a file, also gzipped, with one path or link a line. Exits with 1 when any picture failed; with --shard errors are
rows, and it exits with 0 when each picture has one. vitrine classify merge --help: the rows of all shards as one file.`,
  args: [["<paths...>", "pictures, folders, links, @LIST"]],
  examples: [
    ["vitrine classify photos/", "a folder, as a table"],
    ["vitrine classify shirt.jpg https://example.com/hat.jpg --top 1", "a file and a link"],
    ["vitrine classify photos/ --format jsonl --output rows.jsonl --resume", "many, going on after a break"],
    ["vitrine classify @list.txt --gateway http://127.0.0.1:9696", "by a gateway that is up"],
    [
      "vitrine classify @list.txt.gz --shard 0/16 --output rows/ --gateway …",
      "the first of 16 shares of a long list",
    ],
    ["vitrine classify merge rows/ --list list.txt.gz --output all.jsonl", "all shares as one file"],
  ],
  settings: classifySettings,
  async run({ config, origins, args }, io) {
    const work = shardWorkOf(config, origins, args);
    if (work !== undefined) {
      await checkLists(args);
      if (config.dryRun) return await describeShard(work, io);
      return await withGateway(config, io, async (gatewayUrl, ioOfRun) => {
        const patienceMs = config.patienceSeconds * 1000;
        return await classifyShard(clientOf(gatewayUrl, config, ioOfRun, patienceMs), work, ioOfRun);
      });
    }
    if (config.resume && (config.output === undefined || config.format === "table")) {
      throw new UsageError(["--resume was given, expected --output with --format jsonl or csv beside it"]);
    }
    await checkLists(args);
    return await withGateway(config, io, (gatewayUrl, ioOfRun) =>
      classifyAll(gatewayUrl, config, args, ioOfRun),
    );
  },
});

/** `merge` is a word of its own; a picture of that name can be given as ./merge. */
export const classify: RunnableCommand = {
  async run(argv, io) {
    const [word, ...rest] = argv;
    if (word !== "merge") return await classifyPictures.run(argv, io);
    const { classifyMerge } = await import("./classify-merge.js");
    return await classifyMerge.run(rest, io);
  },
};

/** @throws {UsageError} with what does not go together. */
function shardWorkOf(
  config: ClassifyConfig,
  origins: Origins<typeof classifySettings>,
  args: readonly string[],
): ShardWork | undefined {
  const { shard, output, retryErrors, concurrency } = config;
  const problems: string[] = [];
  if (shard === undefined) {
    const alone = (["retryErrors", "patienceSeconds", "dryRun"] as const).filter(
      (key) => origins[key] !== "default",
    );
    for (const key of alone) problems.push(`${origins[key]} was given, expected --shard beside it`);
    if (problems.length > 0) throw new UsageError(problems);
    return undefined;
  }
  const [list, ...more] = args;
  if (list === undefined || !list.startsWith("@") || more.length > 0) {
    problems.push(`--shard was given with ${args.join(" ")}, expected one @LIST`);
  }
  if (output === undefined)
    problems.push("--shard was given without --output, expected a folder for the rows");
  if (origins.format !== "default" && config.format !== "jsonl") {
    problems.push(`${origins.format} was ${config.format}, expected jsonl with --shard`);
  }
  if (list === undefined || output === undefined || problems.length > 0) throw new UsageError(problems);
  return { list: list.slice(1), shard: parseShard(shard), folder: output, retryErrors, concurrency };
}

function clientOf(
  gatewayUrl: string,
  { concurrency, apiKey }: ClassifyConfig,
  { signal }: Io,
  patienceMs: number | undefined,
): GatewayClient {
  return createGatewayClient(gatewayUrl, { signal, concurrency, apiKey, patienceMs });
}

/** Runs `work` against the given gateway, or against tiers of its own on free ports. */
async function withGateway(
  config: ClassifyConfig,
  io: Io,
  work: (gatewayUrl: string, io: Io) => Promise<number>,
): Promise<number> {
  if (config.gateway !== undefined) return await work(config.gateway, io);
  return await withOwnTiers({ basePath: config.basePath ?? SHIPPED_MODEL, io }, work);
}

interface Finished {
  readonly source: Source;
  /** undefined when an earlier run has written it. */
  readonly row: Row | undefined;
  /** undefined when the picture failed. */
  readonly topClass: string | undefined;
}

async function classifyAll(
  gatewayUrl: string,
  config: ClassifyConfig,
  given: readonly string[],
  io: Io,
): Promise<number> {
  const client = clientOf(gatewayUrl, config, io, undefined);
  const { labels, limits } = await client.info();
  const earlier = await earlierRows(config);
  const appends = earlier.size > 0;
  const output = await openOutput(config.output, appends, io.stdout);
  const report = createReport(labels, io);
  const format = rowFormatter(config.format, config.top);
  let skippedFiles = 0;

  const finish = async (source: Source): Promise<Finished> => {
    const kept = earlier.get(source.source)?.shift();
    if (kept !== undefined) return { source, row: undefined, topClass: kept.topClass };
    const answer = await client.classify(source, limits.max_image_bytes);
    const topClass = "error" in answer ? undefined : answer.top_class;
    return { source, row: { source: source.source, ...answer }, topClass };
  };
  const sources = takeUntil(
    io.signal,
    findSources(given, () => skippedFiles++),
  );
  const countingEnd = new AbortController();
  const counting = report.countTotal(takeUntil(countingEnd.signal, findSources(given)));

  try {
    if (config.format === "csv" && !appends) await output.write(CSV_HEADER);
    for await (const { source, row, topClass } of mapInOrder(sources, config.concurrency, finish)) {
      if (row !== undefined) {
        if (config.output === undefined) report.clear();
        await output.write(format(row));
      }
      report.add(source, topClass, row === undefined);
    }
  } catch (error) {
    // The interruption of a wait between two tries: the rows up to it are written.
    if (!io.signal.aborted) throw error;
  } finally {
    countingEnd.abort();
    await counting;
    await output.close();
  }
  return report.end(skippedFiles);
}

async function earlierRows({ resume, output, format }: ClassifyConfig): Promise<DoneRows> {
  if (!resume || output === undefined || format === "table") return new Map();
  return await readDoneRows(output, format);
}

async function* takeUntil<T>(signal: AbortSignal, items: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const item of items) {
    if (signal.aborted) return;
    yield item;
  }
}
