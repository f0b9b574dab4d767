/**
 * Reads protobuf's text format, in which TensorFlow Serving's configuration files are written: `name: value`,
 * `name { … }`, `name: < … >`, lists in brackets, adjacent strings, `#` comments. What the fields are is the
 * schema's affair (text-proto-schema.ts).
 *
 * Source: protobuf.dev, "Text Format Language Specification".
 */
import { nextToken, type TextPosition, TextProtoError, type Token } from "./text-proto-tokens.js";

/** A number or name as it was written, with its sign; which of the two a field takes, its type knows. */
export interface TextWord extends TextPosition {
  readonly kind: "word";
  readonly text: string;
}

export interface TextString extends TextPosition {
  readonly kind: "string";
  /** Escapes resolved; adjacent literals joined. */
  readonly bytes: Uint8Array;
}

export interface TextMessage extends TextPosition {
  readonly kind: "message";
  /** In the file's order. A list is one field per element. */
  readonly fields: readonly TextField[];
}

export type TextValue = TextWord | TextString | TextMessage;

export interface TextField extends TextPosition {
  /** Extensions and the types of Any keep their brackets: `[type.googleapis.com/x.Y]`. */
  readonly name: string;
  readonly value: TextValue;
}

/** Messages within messages; protobuf's own parsers stop at 100, too. */
const MAX_DEPTH = 100;

const CLOSING: Readonly<Record<string, string>> = { "{": "}", "<": ">" };

/**
 * Parses a whole file.
 *
 * @param source name of the file, for messages.
 * @throws {TextProtoError} at the first place that is not text format.
 */
export function parseTextMessage(text: string, source: string): TextMessage {
  return new Parser(text, source).parse();
}

class Parser {
  readonly #text: string;
  readonly #source: string;
  #token: Token;

  constructor(text: string, source: string) {
    this.#text = text;
    this.#source = source;
    this.#token = nextToken(text, { offset: 0, line: 1, column: 1 }, source);
  }

  parse(): TextMessage {
    const { line, column } = this.#token;
    return { kind: "message", line, column, fields: this.#fields("", 0) };
  }

  #advance(): Token {
    const token = this.#token;
    this.#token = nextToken(this.#text, token.end, this.#source);
    return token;
  }

  #isPunctuation(text: string): boolean {
    return this.#token.kind === "punctuation" && this.#token.text === text;
  }

  #skip(text: string): boolean {
    if (!this.#isPunctuation(text)) return false;
    this.#advance();
    return true;
  }

  /** @param closing the brace that ends the message; "" for the end of the file. */
  #fields(closing: string, depth: number): TextField[] {
    const fields: TextField[] = [];
    while (closing === "" ? this.#token.kind !== "end" : !this.#isPunctuation(closing)) {
      fields.push(...this.#field(closing, depth));
      // One separator may follow each field.
      if (!this.#skip(",")) this.#skip(";");
    }
    if (closing !== "") this.#advance();
    return fields;
  }

  #field(closing: string, depth: number): TextField[] {
    const { line, column } = this.#token;
    const name = this.#fieldName(closing);
    const hasColon = this.#skip(":");
    const values = this.#isPunctuation("[") ? this.#list(hasColon, depth) : [this.#value(hasColon, depth)];
    return values.map((value) => ({ line, column, name, value }));
  }

  #fieldName(closing: string): string {
    const { kind, text } = this.#token;
    if (kind === "identifier") return this.#advance().text;
    if (!this.#isPunctuation("[")) {
      throw this.#unexpected(`the name of a field${closing === "" ? "" : ` or "${closing}"`}`);
    }
    this.#advance();
    let name = "[";
    while (!this.#isPunctuation("]")) {
      if (this.#token.kind !== "identifier" && !["/", ".", "-"].includes(this.#token.text)) {
        throw this.#unexpected(`the rest of the name after "${text}"`);
      }
      name += this.#advance().text;
    }
    this.#advance();
    return `${name}]`;
  }

  #list(hasColon: boolean, depth: number): TextValue[] {
    this.#advance();
    const values: TextValue[] = [];
    if (this.#skip("]")) return values;
    do values.push(this.#value(hasColon, depth));
    while (this.#skip(","));
    if (!this.#skip("]")) throw this.#unexpected('"," or "]"');
    return values;
  }

  #value(hasColon: boolean, depth: number): TextValue {
    const { line, column, kind, text } = this.#token;
    const closing = kind === "punctuation" ? CLOSING[text] : undefined;
    if (closing !== undefined) {
      if (depth === MAX_DEPTH) throw this.#problem(`messages were nested deeper than ${MAX_DEPTH}`);
      this.#advance();
      return { kind: "message", line, column, fields: this.#fields(closing, depth + 1) };
    }
    if (!hasColon) throw this.#unexpected('":" or "{"');
    if (kind === "string") return this.#string();
    const sign = this.#skip("-") ? "-" : "";
    if (this.#token.kind === "number" || this.#token.kind === "identifier") {
      return { kind: "word", line, column, text: sign + this.#advance().text };
    }
    throw this.#unexpected("a value");
  }

  #string(): TextString {
    const { line, column } = this.#token;
    const parts: Uint8Array[] = [];
    while (this.#token.kind === "string") parts.push(this.#advance().bytes);
    return { kind: "string", line, column, bytes: Buffer.concat(parts) };
  }

  #unexpected(expected: string): TextProtoError {
    const { kind, text } = this.#token;
    const found = kind === "end" ? "the end of the file" : kind === "string" ? "a string" : `"${text}"`;
    return this.#problem(`found ${found}, expected ${expected}`);
  }

  #problem(problem: string): TextProtoError {
    return new TextProtoError(this.#source, this.#token, problem);
  }
}
