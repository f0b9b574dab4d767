/** Keys that callers of the API show, known here by their hashes only. */
import { createHash, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { watchFile } from "@vitrine/runtime/file-watch";
import type { Logger } from "@vitrine/runtime/logger";
import { UsageError } from "@vitrine/runtime/settings";

export interface ApiKeys {
  /** Name of the key that a caller showed; undefined when it is none of these. Takes the same time for every wrong key. */
  nameOf(presented: string): string | undefined;
}

/** Keys as they stand in a file. */
interface ReadApiKeys extends ApiKeys {
  readonly count: number;
  /** Of the file's text. */
  readonly digest: string;
}

/** Keys that follow their file. */
interface OpenApiKeys extends ApiKeys {
  /** Stops following. */
  close(): void;
}

interface KeyHash {
  readonly name: string;
  readonly sha256: Buffer;
}

const LINE = /^([\w.@-]{1,64})\s+(?:sha256:)?([0-9a-fA-F]{64})$/;

/**
 * Reads a file of keys and follows it: when it is written anew or replaced, its keys count from then on, and no others.
 * A file that cannot be read, or is not valid, changes nothing and is logged.
 *
 * @throws {UsageError} as {@link readApiKeys}, for the file as it is now.
 */
export async function openApiKeys(
  file: string,
  logger: Pick<Logger, "info" | "error">,
): Promise<OpenApiKeys> {
  let keys: ReadApiKeys | undefined;
  let lastLook: Promise<void> = Promise.resolve();

  async function look(): Promise<void> {
    try {
      const found = await readApiKeys(file);
      if (keys !== undefined && found.digest === keys.digest) return;
      keys = found;
      logger.info({ file, keys: found.count }, "API keys were read anew");
    } catch (error) {
      logger.error({ file, err: error }, "API keys could not be read anew, those from before still count");
    }
  }

  // Before the first reading, so that no change falls between.
  const watch = await watchFile(file, {
    changed() {
      lastLook = lastLook.then(look);
    },
    failed: (error) =>
      logger.error({ file, err: error }, "API keys cannot be watched, changes count from the next start on"),
  });
  try {
    const first = await readApiKeys(file);
    keys ??= first;
  } catch (error) {
    watch.close();
    throw error;
  }
  return {
    nameOf: (presented) => keys?.nameOf(presented),
    close: watch.close,
  };
}

/**
 * Reads a file of keys: one `NAME SHA256` a line, the hash in hex; empty lines and `#` comments are skipped. Plain
 * SHA-256 suits keys that are long and random, which no list of guesses can hold; it would not suit passwords.
 *
 * @throws {UsageError} when the file cannot be read, is empty, or has another line. It never quotes the line: someone
 *   may have put the key itself there.
 */
async function readApiKeys(file: string): Promise<ReadApiKeys> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw new UsageError([`--api-keys-file was ${file}, which could not be read (${code}), expected a file`]);
  }
  return apiKeysOf(text, file);
}

/** @throws {UsageError} as {@link readApiKeys}. */
export function apiKeysOf(text: string, file: string): ReadApiKeys {
  const hashes: KeyHash[] = [];
  const problems: string[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.replace(/#.*$/, "").trim();
    if (line === "") continue;
    const [, name, hex] = LINE.exec(line) ?? [];
    const where = `--api-keys-file ${file}, line ${index + 1}`;
    if (name === undefined || hex === undefined) {
      problems.push(`${where} was not a key's hash, expected NAME and 64 hex digits of SHA-256`);
    } else if (hashes.some((other) => other.name === name)) {
      problems.push(`${where} named ${name} a second time, expected each name once`);
    } else hashes.push({ name, sha256: Buffer.from(hex, "hex") });
  }
  if (hashes.length === 0 && problems.length === 0) {
    problems.push(`--api-keys-file ${file} held no keys, expected lines of NAME and SHA256`);
  }
  if (problems.length > 0) throw new UsageError(problems);

  return {
    count: hashes.length,
    digest: createHash("sha256").update(text, "utf8").digest("hex"),
    nameOf(presented) {
      const sha256 = createHash("sha256").update(presented, "utf8").digest();
      let found: string | undefined;
      // All are compared, found or not: the time tells nothing of where in the list a key stands.
      for (const each of hashes) if (timingSafeEqual(each.sha256, sha256)) found = each.name;
      return found;
    },
  };
}
