/** What a browser says that it would rather have: the lists with q-values of HTTP. */

/** A name of such a list, in lower case, with its weight from 0 (not at all) to 1. */
export interface Wish {
  readonly name: string;
  readonly weight: number;
}

/** Longest header that is read; no browser sends as much. */
const MAX_HEADER = 1024;

/**
 * Reads `Accept-Encoding`, `Accept-Language` and their like (RFC 9110, section 12.4.2).
 *
 * @returns the heaviest first; of equal ones, the first. What is no wish is passed over.
 */
export function parseWishes(header: string | undefined): readonly Wish[] {
  const wishes = (header ?? "")
    .slice(0, MAX_HEADER)
    .split(",")
    .flatMap((part): Wish[] => {
      const [, name, weight = "1"] = /^\s*([\w*-]+)\s*(?:;\s*q=([01](?:\.\d{0,3})?)\s*)?$/i.exec(part) ?? [];
      return name === undefined ? [] : [{ name: name.toLowerCase(), weight: Math.min(1, Number(weight)) }];
    });
  return wishes.sort((one, other) => other.weight - one.weight);
}

/** The first of `offers` that is wished for at all, by its own name or by `*`; undefined: none is. */
export function bestOf(wishes: readonly Wish[], offers: readonly string[]): string | undefined {
  const weightOf = (offer: string) =>
    (wishes.find(({ name }) => name === offer) ?? wishes.find(({ name }) => name === "*"))?.weight ?? 0;
  return offers.find((offer) => weightOf(offer) > 0);
}

/**
 * The language to answer in: the most wished for of those that there are, by their primary subtags ("de" of "de-CH"), as the page
 * itself chooses among the languages of its browser (website/src/words/choice.ts).
 *
 * @param languages that there are, as primary subtags.
 * @returns undefined: none of them is wished for.
 */
export function languageOf(
  acceptLanguage: string | undefined,
  languages: readonly string[],
): string | undefined {
  for (const { name, weight } of parseWishes(acceptLanguage)) {
    const primary = name.split("-", 1)[0] ?? "";
    if (weight > 0 && languages.includes(primary)) return primary;
  }
  return undefined;
}
