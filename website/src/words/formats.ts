/** Numbers, sizes, lists and waits as a person reads them in a language. */
import { directionOf, type Language } from "./choice.js";
import type { Words } from "./language.js";

export interface Formats {
  /** A probability as whole percent. Only certainty itself is "100%" and only impossibility "0%". */
  percent(probability: number): string;
  /** How sure an answer of this probability is, in words. */
  certainty(probability: number): string;
  /** A limit in MB (of 1024 KB, as file managers count), rounded down so that what is promised is accepted. */
  limit(bytes: number): string;
  /** A size in MB, rounded up so that it never reads as equal to a limit that it exceeds. */
  size(bytes: number): string;
  /** A duration of so many seconds, counted down: "28 seconds". */
  seconds(seconds: number): string;
  /** A wait: "about 3 seconds", "about 2 minutes". */
  wait(seconds: number): string;
  integer(value: number): string;
  /** A time of a program; below 10 with one digit more. */
  milliseconds(ms: number): string;
  /** "a, b and c". */
  and(items: readonly string[]): string;
  /** "a, b or c". */
  or(items: readonly string[]): string;
  /** Media types by the names that people know: image/jpeg as JPEG. */
  kinds(mediaTypes: readonly string[]): string;
}

const MEBIBYTE = 1024 * 1024;

const KIND_NAMES: Readonly<Record<string, string>> = { webp: "WebP", "svg+xml": "SVG" };

function kindOf(mediaType: string): string {
  const subtype = mediaType.slice(mediaType.indexOf("/") + 1);
  return KIND_NAMES[subtype] ?? subtype.toUpperCase();
}

export function formatsOf(language: Language, words: Words): Formats {
  const percents = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 });
  // In a row from right to left the sign would stand on either side of the number, by what is before it.
  const wholePercent = (share: number) =>
    directionOf(language) === "rtl" ? `\u2068${percents.format(share)}\u2069` : percents.format(share);
  const integer = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
  const milliseconds = (maximumFractionDigits: number) =>
    new Intl.NumberFormat(language, {
      style: "unit",
      unit: "millisecond",
      unitDisplay: "short",
      maximumFractionDigits,
    });
  const coarse = milliseconds(0);
  const fine = milliseconds(1);
  const megabytes = new Intl.NumberFormat(language, {
    style: "unit",
    unit: "megabyte",
    maximumFractionDigits: 1,
  });
  const durations = (unit: "second" | "minute") =>
    new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" });
  const seconds = durations("second");
  const minutes = durations("minute");
  const list = (type: "conjunction" | "disjunction") => {
    const format = new Intl.ListFormat(language === "en" ? "en-GB" : language, { type });
    return (items: readonly string[]) => format.format(items);
  };
  const or = list("disjunction");
  return {
    percent(probability) {
      if (probability > 0.99 && probability < 1) return words.over(wholePercent(0.99));
      if (probability > 0 && probability < 0.01) return words.under(wholePercent(0.01));
      return wholePercent(probability);
    },
    certainty(probability) {
      const { certain, very, likely, possible } = words.certainty;
      if (probability >= 0.95) return certain;
      if (probability >= 0.8) return very;
      return probability >= 0.6 ? likely : possible;
    },
    limit: (bytes) => megabytes.format(Math.floor((bytes * 10) / MEBIBYTE) / 10),
    size: (bytes) => megabytes.format(Math.ceil((bytes * 10) / MEBIBYTE) / 10),
    seconds: (count) =>
      count > 90 ? minutes.format(Math.ceil(count / 60)) : seconds.format(Math.ceil(count)),
    wait: (count) =>
      words.about(
        count >= 90 ? minutes.format(Math.ceil(count / 60)) : seconds.format(Math.max(1, Math.ceil(count))),
      ),
    integer: integer.format,
    milliseconds: (ms) => (ms < 10 ? fine : coarse).format(ms),
    and: list("conjunction"),
    or,
    kinds: (mediaTypes) => or(mediaTypes.map(kindOf)),
  };
}
