/** Numbers, sizes and kinds as a person reads them. */

const WHOLE_PERCENT = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 0 });

/** A probability as whole percent. Only certainty itself is "100%" and only impossibility "0%". */
export function percentOf(probability: number): string {
  if (probability > 0.99 && probability < 1) {
    return "over 99%";
  }
  if (probability > 0 && probability < 0.01) {
    return "under 1%";
  }
  return WHOLE_PERCENT.format(probability);
}

/** How sure an answer of this probability is, in words. */
export function certaintyOf(probability: number): string {
  if (probability >= 0.95) {
    return "Almost certain";
  }
  if (probability >= 0.8) {
    return "Very likely";
  }
  return probability >= 0.6 ? "Likely" : "Possible";
}

const MEBIBYTE = 1024 * 1024;

function megabytes(tenths: number): string {
  return `${tenths / 10} MB`;
}

/** A limit in MB (of 1024 KB, as file managers count), rounded down so that what is promised is accepted. */
export function limitInMegabytes(bytes: number): string {
  return megabytes(Math.floor((bytes * 10) / MEBIBYTE));
}

/** A size in MB, rounded up so that it never reads as equal to a limit that it exceeds. */
export function sizeInMegabytes(bytes: number): string {
  return megabytes(Math.ceil((bytes * 10) / MEBIBYTE));
}

/** "a", "a or b", "a, b or c". */
export function listOf(items: readonly string[], conjunction: "and" | "or"): string {
  const last = items.at(-1);
  if (last === undefined || items.length === 1) {
    return last ?? "";
  }
  return `${items.slice(0, -1).join(", ")} ${conjunction} ${last}`;
}

const KIND_NAMES: Readonly<Record<string, string>> = { webp: "WebP", "svg+xml": "SVG" };

/** Media types by the names that people know: image/jpeg as JPEG. */
export function kindsOf(mediaTypes: readonly string[]): string {
  const names = mediaTypes.map((mediaType) => {
    const subtype = mediaType.slice(mediaType.indexOf("/") + 1);
    return KIND_NAMES[subtype] ?? subtype.toUpperCase();
  });
  return listOf(names, "or");
}

/** A wait in words: "about 3 seconds", "about 2 minutes". */
export function waitOf(seconds: number): string {
  if (seconds >= 90) {
    return `about ${Math.ceil(seconds / 60)} minutes`;
  }
  const whole = Math.max(1, Math.ceil(seconds));
  return whole === 1 ? "about a second" : `about ${whole} seconds`;
}
