/**
 * JSON as TensorFlow Serving's REST API takes it: `NaN`, `Infinity` and `-Infinity` are numbers, `1` and `1.0` are
 * different things, integers are exact, and bytes after the first complete value are ignored.
 */
import { ServeError } from "@vitrine/protocol/status";
import { JsonNumbers, scanNumbers } from "./rest-numbers.js";

export { JsonNumbers };

/** A number written as a decimal whose value a plain number could not tell from an integer: `1.0`, `1e3`, `NaN`. */
export class JsonDecimal {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

export type JsonObject = ReadonlyMap<string, JsonValue>;

/** A number without a fraction is an integer token, bigint where a double is not exact. */
export type JsonValue =
  | null
  | boolean
  | string
  | number
  | bigint
  | JsonDecimal
  | JsonNumbers
  | readonly JsonValue[]
  | JsonObject;

/** Nesting beyond this is refused: no tensor has it, and a stack overflow must not be a request away. */
const MAX_DEPTH = 256;

/**
 * @param bytes UTF-8.
 * @returns regular arrays of numbers as {@link JsonNumbers}, others as arrays.
 * @throws {ServeError} REQUEST_INVALID `JSON Parse error: REASON at offset: N`.
 */
export function parseJson(bytes: Buffer): JsonValue {
  const parser = new Parser(bytes, 0);
  if (parser.atEnd()) throw parser.error("The document is empty.");
  return parser.value(0, true);
}

/** The same array as a JavaScript array: slow, but it holds each number as it was written. */
export function plainArray(bytes: Buffer, { start }: JsonNumbers): JsonValue {
  return new Parser(bytes, start).value(0, false);
}

const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
/** Sums of up to so many decimal digits are exact in a double. */
const EXACT_DIGITS = 15;

class Parser {
  readonly #bytes: Buffer;
  #offset: number;

  constructor(bytes: Buffer, offset: number) {
    this.#bytes = bytes;
    this.#offset = offset;
  }

  atEnd(): boolean {
    this.#skipSpace();
    return this.#offset >= this.#bytes.length;
  }

  error(reason: string): ServeError {
    return new ServeError("REQUEST_INVALID", `JSON Parse error: ${reason} at offset: ${this.#offset}`);
  }

  /** @param scans whether an array may be one of numbers; false within one that was found not to be. */
  value(depth: number, scans: boolean): JsonValue {
    if (depth > MAX_DEPTH) throw this.error(`Nesting is deeper than ${MAX_DEPTH}`);
    this.#skipSpace();
    const code = this.#bytes[this.#offset] ?? 0;
    if (code === MINUS || (code >= ZERO && code <= NINE)) return this.#number();
    switch (code) {
      case OPEN_BRACKET:
        return (scans ? this.#numbers() : undefined) ?? this.#array(depth);
      case OPEN_BRACE:
        return this.#object(depth);
      case QUOTE:
        return this.#string();
      default:
        return this.#word();
    }
  }

  #numbers(): JsonNumbers | undefined {
    const scanned = scanNumbers(this.#bytes, this.#offset);
    if (scanned === undefined) return undefined;
    this.#offset = scanned.end;
    return scanned.numbers;
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#bytes[this.#offset];
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#offset += 1;
    }
  }

  #take(token: string): boolean {
    for (let index = 0; index < token.length; index++) {
      if (this.#bytes[this.#offset + index] !== token.charCodeAt(index)) return false;
    }
    this.#offset += token.length;
    return true;
  }

  #word(): JsonValue {
    if (this.#take("true")) return true;
    if (this.#take("false")) return false;
    if (this.#take("null")) return null;
    if (this.#take("NaN")) return new JsonDecimal(Number.NaN);
    if (this.#take("Infinity") || this.#take("Inf")) return new JsonDecimal(Number.POSITIVE_INFINITY);
    throw this.error("Invalid value.");
  }

  #number(): JsonValue {
    const start = this.#offset;
    const negative = this.#take("-");
    if (negative && (this.#take("Infinity") || this.#take("Inf")))
      return new JsonDecimal(Number.NEGATIVE_INFINITY);
    const digitsStart = this.#offset;
    const magnitude = this.#digits();
    const digits = this.#offset - digitsStart;
    if (digits === 0) throw this.error("Invalid value.");
    if (digits > 1 && this.#bytes[digitsStart] === ZERO) {
      // A leading zero is a number by itself; what follows it is the caller's surprise.
      this.#offset = digitsStart + 1;
      return negative ? -0 : 0;
    }
    if (this.#fractionAndExponent()) {
      const value = Number(this.#token(start));
      return Number.isInteger(value) || !Number.isFinite(value) ? new JsonDecimal(value) : value;
    }
    if (digits <= EXACT_DIGITS) return negative ? -magnitude : magnitude;
    const exact = BigInt(this.#token(start));
    const near = Number(exact);
    return Number.isSafeInteger(near) ? near : exact;
  }

  #token(start: number): string {
    return this.#bytes.toString("latin1", start, this.#offset);
  }

  /** Reads digits; exact up to {@link EXACT_DIGITS} of them. */
  #digits(): number {
    let value = 0;
    for (;;) {
      const code = this.#bytes[this.#offset] ?? 0;
      if (!(code >= ZERO && code <= NINE)) return value;
      value = value * 10 + (code - ZERO);
      this.#offset += 1;
    }
  }

  #fractionAndExponent(): boolean {
    const start = this.#offset;
    if (this.#take(".")) this.#requiredDigits("Miss fraction part in number.");
    if (this.#take("e") || this.#take("E")) {
      if (!this.#take("+")) this.#take("-");
      this.#requiredDigits("Miss exponent in number.");
    }
    return this.#offset > start;
  }

  #requiredDigits(reason: string): void {
    const start = this.#offset;
    this.#digits();
    if (this.#offset === start) throw this.error(reason);
  }

  #array(depth: number): JsonValue[] {
    this.#offset += 1;
    const items: JsonValue[] = [];
    this.#skipSpace();
    if (this.#take("]")) return items;
    for (;;) {
      items.push(this.value(depth + 1, false));
      this.#skipSpace();
      if (this.#take("]")) return items;
      if (!this.#take(",")) throw this.error("Missing a comma or ] after an array element.");
    }
  }

  #object(depth: number): JsonObject {
    this.#offset += 1;
    const members = new Map<string, JsonValue>();
    this.#skipSpace();
    if (this.#take("}")) return members;
    for (;;) {
      this.#skipSpace();
      if (this.#bytes[this.#offset] !== QUOTE) throw this.error("Missing a name for object member.");
      const name = this.#string();
      this.#skipSpace();
      if (!this.#take(":")) throw this.error("Missing a colon after a name of object member.");
      const member = this.value(depth + 1, true);
      // Of equal names the first one counts, as in RapidJSON's FindMember.
      if (!members.has(name)) members.set(name, member);
      this.#skipSpace();
      if (this.#take("}")) return members;
      if (!this.#take(",")) throw this.error("Missing a comma or } after an object member.");
    }
  }

  #string(): string {
    const start = this.#offset;
    let end = start;
    do {
      end = this.#bytes.indexOf(QUOTE, end + 1);
      if (end === -1) throw this.error("Missing a closing quotation mark in string.");
    } while (this.#isEscaped(end));
    this.#offset = end + 1;
    const body = this.#bytes.toString("utf8", start + 1, end);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those must be escaped in JSON.
    if (!/[\\\u0000-\u001f]/.test(body)) return body;
    try {
      return String(JSON.parse(`"${body}"`));
    } catch {
      this.#offset = start;
      throw this.error("Invalid escape character in string.");
    }
  }

  /** True when an odd number of backslashes stands before the quote. */
  #isEscaped(quote: number): boolean {
    let backslashes = 0;
    while (this.#bytes[quote - 1 - backslashes] === BACKSLASH) backslashes += 1;
    return backslashes % 2 === 1;
  }
}
