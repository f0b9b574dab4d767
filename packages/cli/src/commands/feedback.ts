/** `vitrine feedback`: the corrections that a gateway kept, for training and for a look at them. */
import { realpath, writeFile } from "node:fs/promises";
import path from "node:path";
import { EXIT_DONE, EXIT_FAILED, type Io } from "@vitrine/runtime/lifecycle";
import { type Config, setting, UsageError } from "@vitrine/runtime/settings";
import { z } from "zod";
import { defineCommand } from "../command.js";
import { type Corrections, readCorrections } from "../feedback/corrections.js";
import { exportFolders } from "../feedback/export-folders.js";
import { tableOf } from "../feedback/export-table.js";
import { summaryOf } from "../feedback/summary.js";

const FORMATS = ["folders", "csv", "jsonl"] as const;

export const feedbackSettings = {
  format: setting(z.enum(FORMATS).default("folders"), {
    description: "What export writes: pictures in a folder per label, or a list of them as csv or jsonl.",
    env: "FEEDBACK_FORMAT",
    placeholder: "format",
  }),
  since: setting(
    z
      .string()
      .refine((text) => !Number.isNaN(Date.parse(text)), "a date such as 2026-11-01")
      .optional(),
    {
      description: "Only corrections from this day on (UTC), or from this time on.",
      env: "FEEDBACK_SINCE",
      placeholder: "date",
    },
  ),
  split: setting(z.number().min(0).max(1).optional(), {
    description:
      "Share of the items that goes to validation, the rest to train; by the pictures' content, so that the same picture always falls on the same side.",
    env: "FEEDBACK_SPLIT",
    placeholder: "share",
  }),
  prune: setting(z.boolean().default(false), {
    description:
      "Also remove pictures from the target that were exported before and have since been taken back, expired or been given another label. One that is still agreed on, and lies where another --split had it, is moved.",
    env: "FEEDBACK_PRUNE",
  }),
};

type FeedbackConfig = Config<typeof feedbackSettings>;

export const feedback = defineCommand({
  name: "feedback",
  description: `Reads the corrections that a gateway keeps in --feedback-dir. "export" copies their pictures into a folder per label,
which training reads, or lists them; "stats" says how many there are and what the model takes for what. A picture that
people gave different labels is left out and named.`,
  args: [
    ["<action>", "export or stats"],
    ["<folder>", "the folder of corrections"],
    ["[target]", "for export: the folder or file to write, - for standard output"],
  ],
  examples: [
    ["vitrine feedback stats corrections/", "counts per label, and what the model took for what"],
    [
      "vitrine feedback export corrections/ photos/ --split 0.2",
      "photos/train/LABEL and photos/validation/LABEL",
    ],
    ["vitrine feedback export corrections/ photos/ --split 0.2 --prune", "and remove what was taken back"],
    ["vitrine feedback export corrections/ - --format csv --since 2026-11-01", "a list of the newer ones"],
  ],
  settings: feedbackSettings,
  run: ({ config, args }, io) => run(config, args, io),
});

async function run(
  config: FeedbackConfig,
  [action, folder = "", target]: readonly string[],
  io: Io,
): Promise<number> {
  if (action !== "export" && action !== "stats") {
    throw new UsageError([`action was ${action}, expected export or stats`]);
  }
  if (action === "export" && target === undefined) {
    throw new UsageError(["target was missing, expected the folder or file to write"]);
  }
  const since = config.since === undefined ? undefined : new Date(config.since);
  if (action === "export" && target !== undefined) await checkTarget(folder, target, config);
  const corrections = await readCorrections(folder, since);
  if (corrections.broken.length > 0) {
    io.stderr.write(`records that cannot be read were passed over: ${corrections.broken.join(", ")}\n`);
  }
  if (action === "stats" || target === undefined) {
    io.stdout.write(summaryOf(corrections, config.split));
    return EXIT_DONE;
  }
  if (config.format === "folders") return await writeFolders(corrections, folder, target, config, io);
  const table = tableOf(corrections.pictures, config.format, config.split);
  if (target === "-") io.stdout.write(table);
  else await writeFile(target, table);
  io.stderr.write(summaryOf(corrections, config.split));
  return EXIT_DONE;
}

/**
 * Below itself the folder of corrections would hold pictures that nobody removes when their time is over; above it, as
 * `TARGET/train`, its own pictures would pass for exported ones, which --prune removes.
 */
async function checkTarget(folder: string, target: string, { format, prune }: FeedbackConfig): Promise<void> {
  if (format !== "folders") {
    if (prune) throw new UsageError(["--prune was given with a list, expected --format folders"]);
    return;
  }
  if (target === "-") throw new UsageError(["target was -, expected a folder, or --format csv or jsonl"]);
  const [from, to] = await Promise.all([realPath(folder), realPath(target)]);
  if (liesIn(from, to)) {
    throw new UsageError([`target ${target} lay in the folder of corrections, expected another place`]);
  }
  if (liesIn(to, from)) {
    throw new UsageError([`the folder of corrections lay in the target ${target}, expected another place`]);
  }
}

function liesIn(folder: string, place: string): boolean {
  const within = path.relative(folder, place);
  return within === "" || (within.split(path.sep)[0] !== ".." && !path.isAbsolute(within));
}

/** Without symbolic links, as far as there is anything at the path. */
async function realPath(place: string): Promise<string> {
  try {
    return await realpath(place);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    const absolute = path.resolve(place);
    return path.join(await realPath(path.dirname(absolute)), path.basename(absolute));
  }
}

async function writeFolders(
  corrections: Corrections,
  from: string,
  to: string,
  { split, prune }: FeedbackConfig,
  io: Io,
): Promise<number> {
  const { copied, alreadyThere, missing, gone, moved } = await exportFolders(corrections, {
    from,
    to,
    validationShare: split,
    prune,
    signal: io.signal,
  });
  io.stdout.write(summaryOf(corrections, split));
  io.stderr.write(`${copied} copied to ${to}, ${alreadyThere} there already\n`);
  if (moved > 0) {
    io.stderr.write(`${moved} moved to the place that they have with this --split, or without it\n`);
  }
  if (gone.length > moved && prune) {
    io.stderr.write(
      `${gone.length - moved} removed that are not kept or not agreed on any more, or lie in another place, too\n`,
    );
  } else if (gone.length > 0 && !prune) {
    io.stderr.write(
      `${gone.length} in ${to} were exported before and have been taken back, have expired, are contradicted, or have another place by now: add --prune to remove or move them\n`,
    );
  }
  if (missing.length === 0) return EXIT_DONE;
  io.stderr.write(`not found, or not as recorded: ${missing.join(", ")}\n`);
  return EXIT_FAILED;
}
