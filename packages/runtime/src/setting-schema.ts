/** What a setting's zod schema takes, in a word and in a phrase. */
import { z } from "zod";

/** `value` is a mixture, such as a port or the word `auto`. */
export type SettingKind = "boolean" | "number" | "text" | "list" | "value";

/** Says which kind of value the schema takes, looking through defaults, optionals and transforms. */
export function kindOf(schema: z.core.$ZodType): SettingKind {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodBoolean) return "boolean";
  if (inner instanceof z.ZodNumber) return "number";
  if (inner instanceof z.ZodArray) return "list";
  if (inner instanceof z.ZodUnion) return "value";
  return "text";
}

/** Schema of a list's elements. */
export function elementOf(schema: z.core.$ZodType): z.core.$ZodType {
  const inner = unwrap(schema);
  return inner instanceof z.ZodArray ? inner.element : z.unknown();
}

/** Default as it was written, before any transform; undefined when there is none. */
export function defaultOf(schema: z.core.$ZodType): unknown {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return schema.def.defaultValue;
  return undefined;
}

/** Reads a flag's or variable's text as the schema's kind; a text that is none stays, for the schema to refuse. */
export function valueOfText(schema: z.core.$ZodType, text: string): unknown {
  const kind = kindOf(schema);
  if (kind === "boolean") {
    if (text === "true" || text === "1") return true;
    if (text === "false" || text === "0") return false;
  }
  const numeric = /^[-+]?\d+(\.\d+)?(e[-+]?\d+)?$/i;
  if ((kind === "number" || kind === "value") && numeric.test(text)) return Number(text);
  return text;
}

/** Phrase after "expected" in a problem, such as `a whole number from 0 to 65535`. */
export function describeSchema(schema: z.core.$ZodType, error?: z.ZodError): string {
  // A check written by hand carries its own words; they say more than the schema's type does.
  const issue = error?.issues.find(({ code }) => code === "custom" || code === "invalid_format");
  if (issue !== undefined) return issue.message;
  const inner = unwrap(schema);
  if (inner instanceof z.ZodBoolean) return "true or false";
  if (inner instanceof z.ZodNumber) return describeNumber(inner);
  if (inner instanceof z.ZodEnum) return oneOf(inner.options.map(String));
  if (inner instanceof z.ZodLiteral) return oneOf([...inner.values].map(String));
  if (inner instanceof z.ZodUnion) return inner.options.map((option) => describeSchema(option)).join(", or ");
  if (inner instanceof z.ZodArray) return `a list, each ${describeSchema(inner.element)}`;
  // Of a text only its length can be wrong here, and zod's words say how.
  const length = error?.issues.find(({ code }) => code === "too_small" || code === "too_big");
  return length?.message ?? "a text";
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodReadonly
  ) {
    return unwrap(schema.def.innerType);
  }
  return schema instanceof z.ZodPipe ? unwrap(schema.def.in) : schema;
}

function describeNumber(schema: z.ZodNumber): string {
  const noun = schema.isInt ? "a whole number" : "a number";
  const least = bound(schema.minValue);
  const most = bound(schema.maxValue);
  if (least !== undefined && most !== undefined) return `${noun} from ${least} to ${most}`;
  if (least !== undefined) return `${noun} of at least ${least}`;
  return most === undefined ? noun : `${noun} of at most ${most}`;
}

/** z.int() sets the safe integers as bounds, which say nothing to a reader. */
function bound(value: number | null): number | undefined {
  return value === null || Math.abs(value) >= Number.MAX_SAFE_INTEGER ? undefined : value;
}

function oneOf(words: readonly string[]): string {
  return words.length === 1 ? String(words[0]) : `one of ${words.join(", ")}`;
}
