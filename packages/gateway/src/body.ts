/** The forms in which pictures come in: JSON with URLs, multipart/form-data, or the picture itself. */
import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { ServeError } from "@vitrine/protocol/status";
import type { FastifyRequest } from "fastify";
import { predictRequestSchema } from "./api.js";
import type { Picture, Submission } from "./classify.js";
import { PhotoError } from "./each-photo.js";
import type { Permit } from "./permits.js";

export interface BodyLimits {
  /** Of one encoded picture. */
  readonly maxImageBytes: number;
  /** Photos of one item. */
  readonly maxImages: number;
}

/** Longest JSON body; ten long URLs fit. */
const MAX_JSON_BYTES = 128 * 1024;

/** Form fields beside the pictures are ignored, but not without end. */
const MAX_FORM_FIELDS = 32;

/** So are files under other names; the parser remembers each of them until the end. */
const MAX_PASSED_OVER = 64;

const EXPECTED_JSON = '{"url": "https://…"}';

const EXPECTED =
  'expected application/json {"url": "https://…"}, multipart/form-data with the field "file" or "url", or the picture itself as image/*';

/**
 * Reads the body of `POST /predict`.
 *
 * @param permit is told of every byte that is kept.
 * @throws {ServeError} BODY_INVALID, BODY_UNSUPPORTED (415), IMAGE_TOO_LARGE, TOO_MANY_IMAGES, OVERLOADED;
 *   CANCELLED when the caller left in the middle. What is left of the body is then read and thrown away (drain-body.ts), so
 *   that the caller can read the answer on the same connection.
 */
export async function readSubmission(
  request: FastifyRequest,
  limits: BodyLimits,
  permit: Permit,
): Promise<Submission> {
  return await readingBody(request, EXPECTED, async (mediaType) => {
    if (mediaType === "application/json")
      return submissionOf(await readJson(request.raw, EXPECTED_JSON), limits);
    if (mediaType === "multipart/form-data") {
      const { pictures } = await readForm(request, limits, permit, []);
      return { pictures, isItem: pictures.length > 1 };
    }
    if (!mediaType.startsWith("image/")) return undefined;
    const bytes = await readImage(request.raw, limits, permit);
    return { pictures: [{ kind: "bytes", bytes }], isItem: false };
  });
}

/**
 * Reads a body by its media type.
 *
 * @param expected what the route takes, for the words of a refusal.
 * @param read     undefined: the route does not take this media type.
 * @throws {ServeError} as {@link readSubmission}, and what `read` throws.
 */
export async function readingBody<Body>(
  request: FastifyRequest,
  expected: string,
  read: (mediaType: string) => Promise<Body | undefined>,
): Promise<Body> {
  const mediaType = request.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  try {
    // An empty picture is a picture's fault, not the body's.
    if (isEmpty(request) && !mediaType.startsWith("image/"))
      throw new ServeError("BODY_INVALID", `body was empty, ${expected}`);
    const body = await read(mediaType);
    if (body !== undefined) return body;
    const what = mediaType === "" ? "no content-type" : `the content-type ${mediaType.slice(0, 100)}`;
    throw new ServeError("BODY_UNSUPPORTED", `body had ${what}, ${expected}`);
  } catch (error) {
    if (request.raw.destroyed && !request.raw.complete) {
      throw new ServeError("CANCELLED", "request was cancelled by the caller", { cause: error });
    }
    request.raw.unpipe();
    request.raw.resume();
    throw asBodyError(error);
  }
}

function isEmpty({ headers }: FastifyRequest): boolean {
  return headers["transfer-encoding"] === undefined && Number(headers["content-length"] ?? 0) === 0;
}

/** @param expected a body as it should be, for the words of a refusal. */
export async function readJson(raw: IncomingMessage, expected: string): Promise<unknown> {
  const tooLong = () =>
    new ServeError("BODY_INVALID", `body was longer than ${MAX_JSON_BYTES} bytes of JSON, the limit`);
  const bytes = await readLimited(raw, MAX_JSON_BYTES, tooLong, () => {});
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new ServeError("BODY_INVALID", `body was not JSON, expected ${expected}`, { cause });
  }
}

/** @param json with the addresses of pictures; what else it holds is passed over. */
export function submissionOf(json: unknown, limits: BodyLimits): Submission {
  const parsed = predictRequestSchema.safeParse(json);
  if (!parsed.success) {
    throw new ServeError(
      "BODY_INVALID",
      `body was ${kindOfJson(json)}, expected {"url": "https://…"} or {"urls": ["https://…", …]}`,
      { cause: parsed.error },
    );
  }
  const { url, urls } = parsed.data;
  const isItem = urls !== undefined;
  if (isItem && urls.length > limits.maxImages) throw tooMany(limits);
  return { pictures: (urls ?? [url]).map((each) => ({ kind: "url", url: each })), isItem };
}

function kindOfJson(json: unknown): string {
  if (json === null || typeof json !== "object")
    return `JSON but ${json === null ? "null" : `a ${typeof json}`}`;
  if (Array.isArray(json)) return "a JSON array";
  const keys = Object.keys(json).slice(0, 5);
  const named =
    keys.length === 0 ? "without members" : `with ${keys.map((key) => `"${key.slice(0, 40)}"`).join(", ")}`;
  return `a JSON object ${named}`;
}

async function readImage(raw: IncomingMessage, limits: BodyLimits, permit: Permit): Promise<Buffer> {
  if (Number(raw.headers["content-length"] ?? 0) > limits.maxImageBytes) throw tooLarge(limits);
  return await readLimited(raw, limits.maxImageBytes, () => tooLarge(limits), permit.hold);
}

export interface ReadForm {
  /** Of the fields "file" and "url", in the order in which they came; at least one. */
  readonly pictures: readonly Picture[];
  /** Texts that were asked for; of a name that comes twice, the last. */
  readonly fields: ReadonlyMap<string, string>;
}

/**
 * Reads photos and fields. One that is too large is told at once with its place, be it the only one: what follows it may be
 * long, and is not waited for.
 *
 * @param permit     is told of every byte that is kept, of texts as well.
 * @param fieldNames of the texts to keep; others are passed over.
 */
export async function readForm(
  request: FastifyRequest,
  limits: BodyLimits,
  permit: Permit,
  fieldNames: readonly string[],
): Promise<ReadForm> {
  const pictures: Picture[] = [];
  const otherFields: string[] = [];
  const fields = new Map<string, string>();
  const parts = request.parts({
    limits: { fileSize: limits.maxImageBytes + 1, fields: MAX_FORM_FIELDS, fieldSize: 64 * 1024 },
  });
  for await (const part of parts) {
    const isFile = part.type === "file" && part.fieldname === "file";
    const value = part.type === "field" && typeof part.value === "string" ? part.value : undefined;
    // Also of those passed over: the parser keeps all of them until the end.
    if (value !== undefined) permit.hold(Buffer.byteLength(value));
    // An empty field is one that nobody filled in.
    const isUrl = part.fieldname === "url" && value !== undefined && value !== "";
    if (!isFile && !isUrl) {
      if (otherFields.length === MAX_PASSED_OVER) {
        throw new ServeError(
          "BODY_INVALID",
          `form had more than ${MAX_PASSED_OVER} fields beside "file" and "url", the limit`,
        );
      }
      otherFields.push(part.fieldname.slice(0, 100));
      if (part.type === "file") part.file.resume();
      else if (value !== undefined && fieldNames.includes(part.fieldname)) fields.set(part.fieldname, value);
      continue;
    }
    if (pictures.length === limits.maxImages) throw tooMany(limits);
    if (isUrl) {
      pictures.push({ kind: "url", url: value });
    } else if (part.type === "file") {
      const tooLong = () => new PhotoError(pictures.length, tooLarge(limits));
      const bytes = await readLimited(part.file, limits.maxImageBytes, tooLong, permit.hold);
      pictures.push({ kind: "bytes", bytes });
    }
  }
  if (pictures.length === 0) {
    const found = otherFields.length === 0 ? "no fields" : `the fields ${otherFields.slice(0, 5).join(", ")}`;
    throw new ServeError(
      "BODY_INVALID",
      `form had ${found}, expected a picture in the field "file", or its address in "url"`,
    );
  }
  return { pictures, fields };
}

/** Reads a stream and, at an error, does not destroy it: the answer has to go out on the same socket. */
async function readLimited(
  stream: Readable,
  maxBytes: number,
  tooLong: () => ServeError,
  hold: (bytes: number) => void,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw tooLong();
    hold(chunk.byteLength);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

function tooLarge({ maxImageBytes }: BodyLimits): ServeError {
  return new ServeError("IMAGE_TOO_LARGE", `picture was larger than ${maxImageBytes} bytes, the limit`);
}

function tooMany({ maxImages }: BodyLimits): ServeError {
  return new ServeError("TOO_MANY_IMAGES", `item had more than ${maxImages} photos, the limit`);
}

/** The multipart parser's own errors are about the body. */
function asBodyError(error: unknown): ServeError {
  if (error instanceof ServeError) return error;
  const what = error instanceof Error ? error.message : "broken";
  return new ServeError("BODY_INVALID", `form could not be read (${what}), expected multipart/form-data`, {
    cause: error,
  });
}
