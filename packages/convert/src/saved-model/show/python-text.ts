/** Texts as Python prints them. */

/** `repr` of a str: single quotes, unless it holds some and no double ones. */
export function stringRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = Array.from(text, (character) => {
    if (character === quote || character === "\\") return `\\${character}`;
    return NAMED_ESCAPES.get(character) ?? (isPrintable(character) ? character : numberedEscape(character));
  });
  return `${quote}${escaped.join("")}${quote}`;
}

const NAMED_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

function isPrintable(character: string): boolean {
  return character === " " || !/[\p{C}\p{Z}]/u.test(character);
}

function numberedEscape(character: string): string {
  const point = character.codePointAt(0) ?? 0;
  const digits = point.toString(16);
  if (point < 0x100) return `\\x${digits.padStart(2, "0")}`;
  return point < 0x10000 ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
}

/** `repr` of a float: the same shortest digits as JavaScript's, with an exponent from 1e16 and below 1e-4. */
export function floatRepr(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const [digits = "0", exponentText = "0"] = value.toExponential().split("e");
  const exponent = Number(exponentText);
  if (exponent >= 16 || (exponent < -4 && value !== 0)) {
    const size = String(Math.abs(exponent)).padStart(2, "0");
    return `${digits}e${exponent < 0 ? "-" : "+"}${size}`;
  }
  const text = exponent >= 16 || Math.abs(value) < 1e21 ? plain(value) : String(value);
  return text.includes(".") ? text : `${text}.0`;
}

/** Without an exponent, where JavaScript would already use one. */
function plain(value: number): string {
  const text = String(value);
  if (!text.includes("e")) return text;
  const [digits = "", exponent = "0"] = text.replace("-", "").split("e");
  const zeros = "0".repeat(Math.abs(Number(exponent)) - 1);
  return `${value < 0 ? "-" : ""}0.${zeros}${digits.replace(".", "")}`;
}

/** The order in which Python sorts strings. */
export function compareCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The order in which Python sorts lists of strings. */
export function compareLists(a: readonly string[], b: readonly string[]): number {
  for (const [index, left] of a.entries()) {
    const right = b[index];
    if (right === undefined) return 1;
    const order = compareCodePoints(left, right);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

export function listRepr(texts: readonly string[]): string {
  return `[${texts.map(stringRepr).join(", ")}]`;
}

/** A set of strings; Python's order is random, ours is sorted. */
export function setRepr(texts: ReadonlySet<string>): string {
  if (texts.size === 0) return "set()";
  return `{${[...texts].sort(compareCodePoints).map(stringRepr).join(", ")}}`;
}
