/** What a load sends: pictures as bytes in memory, or links that the gateway fetches. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "@vitrine/runtime/settings";
import { mediaTypeOf } from "../classify/gateway-client.js";
import { checkLists, findSources, type Source } from "../classify/sources.js";
import type { LoadRequest } from "./send.js";

export interface PictureSet {
  /** In words, such as `40 pictures`. */
  readonly name: string;
  readonly requests: readonly LoadRequest[];
  readonly meanBytes: number;
}

const DRAWN_PICTURES = fileURLToPath(new URL("../../pictures", import.meta.url));

/** Enough that no cache of a processor holds them; more would only take memory. */
const MOST_PICTURES = 500;
const MOST_BYTES = 256 * 1024 * 1024;

/**
 * Reads the pictures to send. Of more than are kept, every so many is taken, so that each folder has its share.
 *
 * @param given as for `vitrine classify`; of none, pictures that Vitrine ships.
 * @throws {UsageError} when there is none, or one cannot be read.
 */
export async function readPictures(given: readonly string[]): Promise<PictureSet> {
  const shipped = given.length === 0;
  await checkLists(given);
  const sources: Source[] = [];
  for await (const source of findSources(shipped ? [DRAWN_PICTURES] : given)) sources.push(source);
  if (sources.length === 0) {
    throw new UsageError([`${given.join(" ")} held no picture, expected files, folders or links of some`]);
  }
  const step = Math.max(1, sources.length / MOST_PICTURES);
  const requests: LoadRequest[] = [];
  let bytes = 0;
  for (let index = 0; index < sources.length && bytes < MOST_BYTES; index += step) {
    const source = sources[Math.floor(index)];
    if (source === undefined) break;
    const request = await requestFor(source);
    bytes += request.body.byteLength;
    requests.push(request);
  }
  const count = `${requests.length} ${requests.length === 1 ? "picture" : "pictures"}`;
  const of = requests.length < sources.length ? ` of ${sources.length}` : "";
  const name = shipped ? `${count} of 400x533 that Vitrine ships, drawn` : `${count}${of}`;
  return { name, requests, meanBytes: bytes / requests.length };
}

async function requestFor({ kind, source }: Source): Promise<LoadRequest> {
  if (kind === "url") {
    return { body: Buffer.from(JSON.stringify({ url: source })), contentType: "application/json" };
  }
  try {
    return { body: await readFile(source), contentType: mediaTypeOf(source) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError([`${path.basename(source)} could not be read: ${why}`], { cause });
  }
}
