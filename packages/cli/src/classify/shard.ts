import { z } from "zod";

/** The share of one worker: of each `of` entries in a row the one at `index`, counted from 0. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

/** `I/N`, counted from 0 as an Indexed Job of Kubernetes counts. */
export const shardText = z
  .string()
  .regex(/^\d{1,6}\/[1-9]\d{0,5}$/, "I/N, such as 0/16: share I of N, counted from 0")
  .refine((text) => {
    const { index, of } = parseShard(text);
    return index < of;
  }, "I/N with I below N: shares are counted from 0");

/** @param text that {@link shardText} has taken. */
export function parseShard(text: string): Shard {
  const [index = 0, of = 1] = text.split("/").map(Number);
  return { index, of };
}

/**
 * The shard of an entry. Neighbours in a list often cost alike (one folder, one host), so they are dealt out one by
 * one: all shards take about the same time.
 *
 * @param entry counted from 0.
 */
export function shardOf(entry: number, of: number): number {
  return entry % of;
}

/** Entries of a shard, of a list of so many. */
export function entriesOfShard({ index, of }: Shard, entries: number): number {
  return Math.max(0, Math.ceil((entries - index) / of));
}
