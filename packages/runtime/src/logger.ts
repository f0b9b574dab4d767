/** Logs: JSON lines of pino on the stream that is passed in, which is stderr for every tier. */
import type { Writable } from "node:stream";
import { type Logger, pino } from "pino";
import { z } from "zod";
import { setting } from "./settings.js";

export type { Logger };

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** The setting that every tier has. */
export const logLevelSetting = setting(z.enum(LOG_LEVELS).default("info"), {
  description: "Least level that is logged. `debug` adds a line per step, `warn` leaves only trouble.",
  placeholder: "level",
});

export interface LoggerOptions {
  /** Tier or part, such as `gateway`; the member `name` of each line. */
  readonly name: string;
  readonly level: LogLevel;
  readonly stream: Writable;
}

/** Members that could carry a caller's secrets; they leave as `[hidden]`. */
const REDACTED_PATHS = [
  "authorization",
  "cookie",
  "headers.authorization",
  "headers.cookie",
  "req.headers.authorization",
  "req.headers.cookie",
];

/** Makes the logger of one process. Errors go under `err`, with their causes. */
export function createLogger({ name, level, stream }: LoggerOptions): Logger {
  return pino(
    {
      name,
      level,
      base: { name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: REDACTED_PATHS, censor: "[hidden]" },
    },
    stream,
  );
}
