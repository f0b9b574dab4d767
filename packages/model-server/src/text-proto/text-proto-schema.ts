/** Types of the fields of a text-format message, so that a file becomes a typed value or an error with its place. */
import { parseTextMessage, type TextField, type TextMessage, type TextValue } from "./text-proto.js";
import { type TextPosition, TextProtoError } from "./text-proto-tokens.js";

/** A field of a message: what its value is, and how often it may stand there. */
export interface FieldType<T> {
  /** @param fields all of this name, in order; empty when the file has none. */
  read(fields: readonly TextField[], source: string): T;
}

/** A type that one value has; {@link repeated} and {@link optional} make fields of it. */
export interface ValueType<T> {
  readValue(value: TextValue, source: string): T;
}

export type Fields = Readonly<Record<string, FieldType<unknown>>>;

/** Members are called as in the proto. Fields that the file leaves out are undefined, lists and maps empty. */
export type MessageValue<F extends Fields> = {
  readonly [Name in keyof F]: F[Name] extends FieldType<infer T> ? T : never;
};

/**
 * Parses a text and reads it as a message.
 *
 * @param source name of the file, for messages.
 * @throws {TextProtoError} `FILE:LINE:COLUMN: …` when the text is not text format or does not fit.
 */
export function parseTextProto<T>(type: ValueType<T>, text: string, source: string): T {
  return type.readValue(parseTextMessage(text, source), source);
}

/** @param oneofs names of fields of which a file may set one. */
export function message<F extends Fields>(
  name: string,
  fields: F,
  oneofs: readonly (readonly (keyof F & string)[])[] = [],
): ValueType<MessageValue<F>> {
  return {
    readValue(value, source) {
      const { fields: found } = expectMessage(value, name, source);
      for (const { name: field, line, column } of found) {
        if (Object.hasOwn(fields, field)) continue;
        const known = Object.keys(fields).join(", ");
        throw problem(source, { line, column }, `${name} has no field "${field}", expected one of ${known}`);
      }
      for (const oneof of oneofs) {
        const [, second] = found.filter((field) => oneof.includes(field.name));
        if (second !== undefined) {
          throw problem(source, second, `${name} had more than one of ${oneof.join(", ")}, expected one`);
        }
      }
      const members = Object.entries(fields).map(([field, type]) => [
        field,
        type.read(
          found.filter((candidate) => candidate.name === field),
          source,
        ),
      ]);
      // The one place that TypeScript cannot follow: a mapped type member by member.
      return Object.fromEntries(members) as MessageValue<F>;
    },
  };
}

/** A field that may stand once. */
export function optional<T>(type: ValueType<T>): FieldType<T | undefined> {
  return {
    read([first, second], source) {
      if (second !== undefined) {
        throw problem(source, second, `"${second.name}" was given twice, expected it once`);
      }
      return first === undefined ? undefined : type.readValue(first.value, source);
    },
  };
}

export function repeated<T>(type: ValueType<T>): FieldType<readonly T[]> {
  return { read: (fields, source) => fields.map(({ value }) => type.readValue(value, source)) };
}

/** `name { key: K value: V }`, repeated; of equal keys the last one counts. */
export function mapOf<K extends string | number, V>(
  keyType: ValueType<K>,
  valueType: ValueType<V>,
): FieldType<ReadonlyMap<K, V | undefined>> {
  const entry = message("map entry", { key: optional(keyType), value: optional(valueType) });
  return {
    read(fields, source) {
      const map = new Map<K, V | undefined>();
      for (const { name, value, line, column } of fields) {
        const { key, value: mapped } = entry.readValue(value, source);
        if (key === undefined) throw problem(source, { line, column }, `"${name}" had no key`);
        map.set(key, mapped);
      }
      return map;
    },
  };
}

/** Int64Value and its like: `name { value: 128 }`. Empty braces stand for the given zero. */
export function wrapped<T>(type: ValueType<T>, zero: T): ValueType<T> {
  const wrapper = message("the wrapper message", { value: optional(type) });
  return {
    readValue(value, source) {
      if (value.kind !== "message") {
        const written = value.kind === "word" ? value.text : "…";
        throw problem(source, value, `found a plain value, expected { value: ${written} }`);
      }
      return wrapper.readValue(value, source).value ?? zero;
    },
  };
}

/** Anything within braces: what the server accepts and does not use. */
export const anyMessage: ValueType<TextMessage> = {
  readValue: (value, source) => expectMessage(value, "the field", source),
};

export const text: ValueType<string> = {
  readValue(value, source) {
    if (value.kind !== "string") throw wrongKind(value, "a string in quotes", source);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(value.bytes);
    } catch {
      throw problem(source, value, "a string was not UTF-8");
    }
  },
};

export const bool: ValueType<boolean> = {
  readValue(value, source) {
    if (value.kind === "word") {
      if (["true", "True", "t", "1"].includes(value.text)) return true;
      if (["false", "False", "f", "0"].includes(value.text)) return false;
    }
    throw wrongKind(value, "true or false", source);
  },
};

const INTEGER = /^(-?)(0[xX][0-9A-Fa-f]+|0[0-7]*|[1-9]\d*)$/;

/** Whole numbers as far as a double holds them exactly: 2^53 - 1, which no version or size reaches. */
export const int64: ValueType<number> = integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
export const uint32: ValueType<number> = integer(0, 0xffff_ffff);
export const int32: ValueType<number> = integer(-0x8000_0000, 0x7fff_ffff);

function integer(least: number, most: number): ValueType<number> {
  return {
    readValue(value, source) {
      const [, sign, digits = ""] = (value.kind === "word" && INTEGER.exec(value.text)) || [];
      if (sign === undefined) throw wrongKind(value, "a whole number", source);
      const octal = /^0[0-7]+$/.test(digits);
      const size = octal ? Number.parseInt(digits, 8) : Number(digits);
      const number = sign === "-" && size !== 0 ? -size : size;
      if (number < least || number > most) {
        throw wrongKind(value, `a whole number from ${least} to ${most}`, source);
      }
      return number;
    },
  };
}

const FLOAT = /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?[fF]?$/;
const SPECIAL_FLOATS: Readonly<Record<string, number>> = {
  inf: Number.POSITIVE_INFINITY,
  infinity: Number.POSITIVE_INFINITY,
  nan: Number.NaN,
};

export const double: ValueType<number> = {
  readValue(value, source) {
    if (value.kind === "word") {
      if (FLOAT.test(value.text)) return Number(value.text.replace(/[fF]$/, ""));
      const special = SPECIAL_FLOATS[value.text.replace(/^-/, "").toLowerCase()];
      if (special !== undefined) return value.text.startsWith("-") ? -special : special;
    }
    throw wrongKind(value, "a number", source);
  },
};

/** A name of the enum, or its number. */
export function enumeration<Name extends string>(numbers: Readonly<Record<Name, number>>): ValueType<Name> {
  const names = Object.keys(numbers) as Name[];
  return {
    readValue(value, source) {
      const found = names.find(
        (name) => value.kind === "word" && (value.text === name || value.text === String(numbers[name])),
      );
      if (found === undefined) throw wrongKind(value, `one of ${names.join(", ")}`, source);
      return found;
    },
  };
}

function expectMessage(value: TextValue, name: string, source: string): TextMessage {
  if (value.kind !== "message") throw wrongKind(value, `${name} within { }`, source);
  return value;
}

function wrongKind(value: TextValue, expected: string, source: string): TextProtoError {
  const found = value.kind === "word" ? value.text : value.kind === "string" ? "a string" : "a message";
  return problem(source, value, `found ${found}, expected ${expected}`);
}

function problem(source: string, place: TextPosition, words: string): TextProtoError {
  return new TextProtoError(source, place, words);
}
