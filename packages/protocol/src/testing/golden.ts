/** What TensorFlow itself wrote and read: golden/generate.py made the two files. */
import { readFileSync } from "node:fs";
import { z } from "zod";

const base64 = z.base64().transform((text) => new Uint8Array(Buffer.from(text, "base64")));

const tensorCases = z.array(
  z.strictObject({
    name: z.string(),
    dtype: z.int(),
    proto: base64,
    /** What the C++ parser answered; null where it refused. */
    parsed: z
      .union([
        z.strictObject({ shape: z.array(z.int()), content: base64 }),
        z.strictObject({ shape: z.array(z.int()), strings: z.array(base64) }),
      ])
      .nullable(),
  }),
);

const messageCases = z.array(z.strictObject({ name: z.string(), bytes: base64 }));

export const GOLDEN_TENSORS = tensorCases.parse(read("tensors.jsonl"));

const messages = new Map(messageCases.parse(read("messages.jsonl")).map(({ name, bytes }) => [name, bytes]));

/** The bytes of one message, named as in generate.py. */
export function goldenMessage(name: string): Uint8Array {
  const bytes = messages.get(name);
  if (bytes === undefined) throw new Error(`golden/messages.jsonl has no ${name}`);
  return bytes;
}

function read(file: string): unknown[] {
  const text = readFileSync(new URL(`../../golden/${file}`, import.meta.url), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
}
