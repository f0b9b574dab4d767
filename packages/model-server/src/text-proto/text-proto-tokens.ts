/** Words, numbers, strings and punctuation of protobuf's text format. */

/** Where something stands in the file, both from 1. */
export interface TextPosition {
  readonly line: number;
  readonly column: number;
}

/** The text is not in the text format, or does not fit its schema. */
export class TextProtoError extends Error {
  override readonly name = "TextProtoError";

  /** @param source name of the file, for the message: `models.config:3:14: …`. */
  constructor(source: string, { line, column }: TextPosition, problem: string) {
    super(`${source}:${line}:${column}: ${problem}`);
  }
}

export interface TextOffset extends TextPosition {
  readonly offset: number;
}

export interface Token {
  readonly kind: "identifier" | "number" | "string" | "punctuation" | "end";
  /** As it was written; "" at the end. */
  readonly text: string;
  /** What a string's literal stands for; empty for other tokens. */
  readonly bytes: Uint8Array;
  readonly line: number;
  readonly column: number;
  /** Where the next token is looked for. */
  readonly end: TextOffset;
}

/** A byte order mark counts as space: editors on Windows write one. */
const SPACE = /(?:[ \t\r\n\v\f\uFEFF]+|#[^\n]*)*/y;
const IDENTIFIER = /[A-Za-z_][A-Za-z0-9_]*/y;
/** Hexadecimal, then decimal and octal with or without a fraction, an exponent and a suffix. */
const NUMBER = /0[xX][0-9A-Fa-f]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?[fF]?/y;
const STRING = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/y;
const PUNCTUATION = /[{}<>[\]:,;/.-]/y;

const NO_BYTES: Uint8Array = new Uint8Array(0);

/** The token at or after a place. @throws {TextProtoError} when none begins there. */
export function nextToken(text: string, from: TextOffset, source: string): Token {
  const start = moved(from, match(SPACE, text, from.offset) ?? "");
  const { line, column, offset } = start;
  const token = (kind: Token["kind"], found: string, bytes = NO_BYTES): Token => ({
    kind,
    text: found,
    bytes,
    line,
    column,
    end: moved(start, found),
  });
  if (offset === text.length) return token("end", "");
  const identifier = match(IDENTIFIER, text, offset);
  if (identifier !== undefined) return token("identifier", identifier);
  const number = match(NUMBER, text, offset);
  if (number !== undefined) {
    const next = text[offset + number.length] ?? "";
    if (/[A-Za-z0-9_]/.test(next)) {
      throw new TextProtoError(source, start, `"${number}${next}" was no number, expected a space after it`);
    }
    return token("number", number);
  }
  const quoted = match(STRING, text, offset);
  if (quoted !== undefined) return token("string", quoted, resolveEscapes(quoted, start, source));
  const punctuation = match(PUNCTUATION, text, offset);
  if (punctuation !== undefined) return token("punctuation", punctuation);
  const character = String.fromCodePoint(text.codePointAt(offset) ?? 0);
  throw new TextProtoError(
    source,
    start,
    character === '"' || character === "'"
      ? `a string had no closing ${character} on its line`
      : `found ${JSON.stringify(character)}, which has no meaning here`,
  );
}

function match(pattern: RegExp, text: string, offset: number): string | undefined {
  pattern.lastIndex = offset;
  return pattern.exec(text)?.[0];
}

function moved({ offset, line, column }: TextOffset, text: string): TextOffset {
  const lastBreak = text.lastIndexOf("\n");
  if (lastBreak === -1) return { offset: offset + text.length, line, column: column + text.length };
  const breaks = text.split("\n").length - 1;
  return { offset: offset + text.length, line: line + breaks, column: text.length - lastBreak };
}

const SIMPLE_ESCAPES: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  "?": 63,
  "\\": 92,
  "'": 39,
  '"': 34,
};

const ESCAPE =
  /\\(?:([abfnrtv?\\'"])|([0-7]{1,3})|[xX]([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))/y;

/** The bytes between the quotes. Octal and hexadecimal escapes are bytes, \u and \U are characters in UTF-8. */
function resolveEscapes(quoted: string, start: TextOffset, source: string): Uint8Array {
  const text = quoted.slice(1, -1);
  if (!text.includes("\\")) return Buffer.from(text);
  const parts: Buffer[] = [];
  let offset = 0;
  while (offset < text.length) {
    const plainEnd = text.indexOf("\\", offset);
    parts.push(Buffer.from(text.slice(offset, plainEnd === -1 ? text.length : plainEnd)));
    if (plainEnd === -1) break;
    ESCAPE.lastIndex = plainEnd;
    const [whole = "", simple, octal, hex, short, long] = ESCAPE.exec(text) ?? [];
    const byte =
      simple !== undefined
        ? SIMPLE_ESCAPES[simple]
        : octal !== undefined
          ? Number.parseInt(octal, 8)
          : hex !== undefined
            ? Number.parseInt(hex, 16)
            : undefined;
    const codePoint = Number.parseInt(short ?? long ?? "", 16);
    if (byte !== undefined && byte <= 255) parts.push(Buffer.of(byte));
    else if (codePoint <= 0x10ffff) parts.push(Buffer.from(String.fromCodePoint(codePoint)));
    else {
      const place = { line: start.line, column: start.column + 1 + plainEnd };
      throw new TextProtoError(
        source,
        place,
        `"${text.slice(plainEnd, plainEnd + 4)}" was no escape sequence`,
      );
    }
    offset = plainEnd + whole.length;
  }
  return Buffer.concat(parts);
}
