/** Log lines for a person at a terminal. */
import { z } from "zod";

const lineSchema = z.looseObject({
  level: z.string(),
  time: z.string().optional(),
  name: z.string().optional(),
  msg: z.string().default(""),
  err: z.looseObject({ message: z.string().optional(), stack: z.string().optional() }).optional(),
});

/**
 * Writes one JSON log line as text: `12:03:44 WARN model restarted worker=2`. A line that is none of ours,
 * such as a crash report of Node, comes back as it is.
 */
export function logLineAsText(line: string): string {
  const parsed = lineSchema.safeParse(parseJson(line));
  if (!parsed.success) return line;
  const { level, time, name: _, msg, err, ...rest } = parsed.data;
  const clock = time === undefined ? [] : [time.slice(11, 19)];
  const members = Object.entries(rest).map(([key, value]) => `${key}=${valueAsText(value)}`);
  const cause = err === undefined ? [] : [`error=${err.message ?? ""}`];
  const head = [...clock, level.toUpperCase().padEnd(5), msg, ...members, ...cause].join(" ");
  const stack = level === "error" || level === "fatal" ? err?.stack : undefined;
  return stack === undefined ? head : `${head}\n${stack.replace(/^/gm, "    ")}`;
}

function valueAsText(value: unknown): string {
  return typeof value === "string" && !/\s/.test(value) ? value : JSON.stringify(value);
}

function parseJson(line: string): unknown {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // Not a log line; the caller shows it as it is.
  }
}
