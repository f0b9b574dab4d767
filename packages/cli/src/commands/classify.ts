/** `vitrine classify`: many pictures, one row each. */
import type { Io } from "@vitrine/runtime/lifecycle";
import { type Config, setting, UsageError } from "@vitrine/runtime/settings";
import { z } from "zod";
import { createGatewayClient } from "../classify/gateway-client.js";
import { mapInOrder } from "../classify/map-in-order.js";
import { openOutput } from "../classify/output.js";
import { createReport } from "../classify/report.js";
import { type DoneRows, readDoneRows } from "../classify/resume.js";
import { CSV_HEADER, ROW_FORMATS, type Row, rowFormatter } from "../classify/row.js";
import { checkLists, findSources, type Source } from "../classify/sources.js";
import { defineCommand } from "../command.js";
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
    description: "Pictures under way at a time. More helps a gateway with many model servers behind it.",
  }),
};

type ClassifyConfig = Config<typeof classifySettings>;

export const classify = defineCommand({
  name: "classify",
  description: `Classifies pictures, one row each, in the order given. PATH is a file, a folder (recursively), a link, or
@LIST: a file with one path or link a line. Exits with 1 when any picture failed.`,
  args: { form: "<paths...>", description: "pictures, folders, links, @LIST" },
  examples: [
    ["vitrine classify photos/", "a folder, as a table"],
    ["vitrine classify shirt.jpg https://example.com/hat.jpg --top 1", "a file and a link"],
    ["vitrine classify photos/ --format jsonl --output rows.jsonl --resume", "many, going on after a break"],
    ["vitrine classify @list.txt --gateway http://127.0.0.1:9696", "by a gateway that is up"],
  ],
  settings: classifySettings,
  async run({ config, args }, io) {
    if (config.resume && (config.output === undefined || config.format === "table")) {
      throw new UsageError(["--resume was given, expected --output with --format jsonl or csv beside it"]);
    }
    await checkLists(args);
    return await withGateway(config, io, (gatewayUrl, ioOfRun) =>
      classifyAll(gatewayUrl, config, args, ioOfRun),
    );
  },
});

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
  const client = createGatewayClient(gatewayUrl, io.signal);
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
      report.add(source, topClass);
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
