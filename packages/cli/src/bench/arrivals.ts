/** When the requests of a load begin. */

/** `closed`: so many callers, each asks again when it has its answer. `open`: requests come whatever the answers do. */
export type Load =
  | { readonly kind: "closed"; readonly concurrency: number }
  | { readonly kind: "open"; readonly perSecond: number; readonly arrivals: Arrivals };

/** `constant`: one after the same time each. `poisson`: as from people who do not know of each other. */
export const ARRIVALS = ["constant", "poisson"] as const;

export type Arrivals = (typeof ARRIVALS)[number];

/**
 * Gives the time from one arrival to the next, in milliseconds.
 *
 * @param random from 0 up to 1; only Poisson arrivals ask for it.
 */
export function arrivalGaps(
  perSecond: number,
  arrivals: Arrivals,
  random: () => number = Math.random,
): () => number {
  const meanMs = 1000 / perSecond;
  return arrivals === "constant" ? () => meanMs : () => -Math.log(1 - random()) * meanMs;
}
