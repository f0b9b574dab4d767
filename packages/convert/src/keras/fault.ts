/** The two ways in which a Keras file fails, in words that name the layer. */
import { ServeError } from "@vitrine/protocol/status";

/** @param what begins with the layer, and says what was found and what was expected. */
export function damaged(what: string): ServeError {
  return new ServeError("MODEL_INVALID", what);
}

export interface Unsupported {
  /** Layer's path through the nested models. */
  readonly layer: string;
  readonly type: string;
  /** What would help. */
  readonly advice: string;
}

const MOST_NAMED = 10;

/** All that cannot be converted in one error; up to ten are named. */
export function unsupported(...found: readonly Unsupported[]): ServeError {
  const named = found
    .slice(0, MOST_NAMED)
    .map(
      ({ layer, type, advice }) =>
        `${layer} is ${/^[AEIOU]/.test(type) ? "an" : "a"} ${type}, expected a layer that can be converted; ${advice}`,
    );
  const more = found.length - named.length;
  return new ServeError(
    "MODEL_UNSUPPORTED",
    named.join(". ") + (more > 0 ? `. And ${more} more layer${more === 1 ? "" : "s"}` : ""),
  );
}
