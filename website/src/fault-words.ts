import type { Fault } from "./fault.js";
import type { Limits, Photo } from "./photo.js";
import { hostOf, isNamedHeic } from "./photo.js";
import type { FaultFacts } from "./words/en.js";
import type { Formats } from "./words/formats.js";
import type { Words } from "./words/language.js";

/** An error as the page says it. */
export interface FaultWords {
  readonly title: string;
  readonly text: string;
  /** The same photo may be read on another try. */
  readonly canRetry: boolean;
}

export interface FaultCircumstances {
  readonly photo: Photo | undefined;
  readonly limits: Limits | undefined;
  readonly words: Words;
  readonly formats: Formats;
  /** Of the wait that the gateway asked for, counted down. */
  readonly secondsLeft?: number | undefined;
  /** What stood in the way is over: that wait, or the lack of network. */
  readonly isOver?: boolean;
  /** The person gave a key, and it was refused. */
  readonly isKeyRefused?: boolean;
}

/** A member of `words.faults` that has a title and a text. */
type Entry = {
  [Name in keyof Words["faults"]]: Words["faults"][Name] extends { title: string } ? Name : never;
}[keyof Words["faults"]];

/**
 * Which words the page has for each reason of the gateway and for what goes wrong without it. The type asks for an
 * entry for every reason of the catalogue, so a new one fails the type check here.
 */
const ENTRIES: Readonly<Record<Fault["reason"], Entry>> = {
  IMAGE_TOO_LARGE: "tooLarge",
  IMAGE_TOO_MANY_PIXELS: "tooManyPixels",
  IMAGE_TYPE_UNSUPPORTED: "unsupported",
  IMAGE_UNDECODABLE: "undecodable",
  FILE_EMPTY: "empty",
  FILE_CHANGED: "changed",
  IMAGE_URL_INVALID: "linkInvalid",
  IMAGE_URL_FORBIDDEN: "linkForbidden",
  IMAGE_URL_FAILED: "linkFailed",
  IMAGE_URL_TIMEOUT: "linkSlow",
  UNAUTHENTICATED: "key",
  CLIENT_LIMIT: "clientLimit",
  OVERLOADED: "busy",
  QUEUE_FULL: "busy",
  DRAINING: "starting",
  WORKER_LOST: "starting",
  MODEL_UNAVAILABLE: "starting",
  DEADLINE_EXCEEDED: "late",
  CANCELLED: "stopped",
  INTERNAL: "internal",
  OFFLINE: "offline",
  UNREACHABLE: "unreachable",
  STALLED: "stalled",
  TOO_MANY_IMAGES: "tooMany",
  ANSWER_UNREADABLE: "misunderstood",
  BODY_INVALID: "misunderstood",
  BODY_UNSUPPORTED: "misunderstood",
  ROUTE_NOT_FOUND: "misunderstood",
  METHOD_NOT_ALLOWED: "misunderstood",
  MODEL_NOT_FOUND: "misconfigured",
  LABEL_NOT_FOUND: "misconfigured",
  SIGNATURE_NOT_FOUND: "misconfigured",
  REQUEST_INVALID: "misconfigured",
  TENSOR_INVALID: "misconfigured",
  BATCH_TOO_LARGE: "misconfigured",
  METHOD_UNIMPLEMENTED: "misconfigured",
  MESSAGE_TOO_LARGE: "misconfigured",
  MODEL_CONTRACT_MISMATCH: "misconfigured",
  MODEL_INVALID: "misconfigured",
  MODEL_UNSUPPORTED: "misconfigured",
  MODEL_CONFIG_INVALID: "misconfigured",
  LABEL_UNAVAILABLE: "misconfigured",
  HOST_FORBIDDEN: "misconfigured",
  FEEDBACK_DISABLED: "unavailable",
  FEEDBACK_CONSENT_MISSING: "misunderstood",
  FEEDBACK_LABEL_UNKNOWN: "misunderstood",
  FEEDBACK_ORIGIN_FORBIDDEN: "misconfigured",
  FEEDBACK_NOT_FOUND: "gone",
  FEEDBACK_ELSEWHERE: "elsewhere",
  FEEDBACK_FULL: "misconfigured",
  FEEDBACK_UNWRITABLE: "misconfigured",
};

/** Entries after which the same photo would only fail again. */
const FINAL: ReadonlySet<Entry> = new Set<Entry>([
  "tooLarge",
  "tooManyPixels",
  "unsupported",
  "heic",
  "undecodable",
  "empty",
  "changed",
  "tooMany",
  "linkInvalid",
  "linkForbidden",
  "key",
  "misunderstood",
  "unavailable",
  "gone",
]);

/** Whether the name of a reason, as it came over the wire, is one that this page has words for. */
export function isKnownReason(reason: string): reason is Fault["reason"] {
  return Object.hasOwn(ENTRIES, reason);
}

/** Says a fault in words. */
export function wordsOfFault(fault: Fault, around: FaultCircumstances): FaultWords {
  const { words, formats } = around;
  const isKeyRefused = fault.reason === "UNAUTHENTICATED" && around.isKeyRefused === true;
  const entry = isKeyRefused ? "keyWrong" : isHeicFault(fault, around.photo) ? "heic" : ENTRIES[fault.reason];
  const { title, text } = words.faults[entry];
  const sentences = [...text(factsOf(around))];
  const seconds = around.secondsLeft ?? fault.retryAfterSeconds;
  if (around.isOver === true) {
    sentences.push(words.faults.tryNow);
  } else if (seconds !== undefined) {
    const wait = around.secondsLeft === undefined ? formats.wait(seconds) : formats.seconds(seconds);
    sentences.push(words.faults.tryIn(wait));
  }
  return {
    title,
    text: sentences.filter((sentence) => sentence !== "").join(" "),
    canRetry: !FINAL.has(entry) && !isKeyRefused,
  };
}

/** By what is known of the photo: the bytes of a file, else its name or that of the link. */
function isHeicFault({ reason, isHeic }: Fault, photo: Photo | undefined): boolean {
  if (reason !== "IMAGE_TYPE_UNSUPPORTED" || photo === undefined) return false;
  return isHeic === true || isNamedHeic(photo);
}

function factsOf({ photo, limits, formats }: FaultCircumstances): FaultFacts {
  const file = photo?.kind === "file" ? photo.file : undefined;
  return {
    size: file === undefined ? undefined : formats.size(file.size),
    mostSize: limits === undefined ? undefined : formats.limit(limits.max_image_bytes),
    mostMegapixels:
      limits === undefined ? undefined : formats.integer(Math.floor(limits.max_image_pixels / 1e6)),
    mostPhotos: limits === undefined ? undefined : formats.integer(limits.max_images),
    kinds:
      limits === undefined ? formats.or(["JPEG", "PNG", "WebP", "GIF"]) : formats.kinds(limits.media_types),
    host: photo?.kind === "link" ? hostOf(photo.url) : undefined,
  };
}
