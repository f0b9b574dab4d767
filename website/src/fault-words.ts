import type { Fault } from "./fault.js";
import type { Limits, Photo } from "./photo.js";
import { hostOf } from "./photo.js";
import { kindsOf, limitInMegabytes, sizeInMegabytes, waitOf } from "./words.js";

/** An error as the page says it. */
export interface FaultWords {
  readonly title: string;
  readonly text: string;
  /** The same photo may be read on another try. */
  readonly canRetry: boolean;
}

interface Circumstances {
  readonly photo: Photo;
  readonly limits: Limits | undefined;
}

type Entry = readonly [title: string, text: string | ((around: Circumstances) => string), canRetry: boolean];

const MISUNDERSTOOD: Entry = [
  "This page is out of step with its server",
  "Reload the page and give the photo again. If that changes nothing, tell whoever runs this site.",
  false,
];

const MISCONFIGURED: Entry = [
  "This site is not set up correctly",
  "It is not your photo. Whoever runs this site finds the cause in its log.",
  true,
];

const BUSY: Entry = ["Many photos are being read", "Your photo is kept here.", true];

const STARTING: Entry = ["The reader is starting again", "Your photo is kept here.", true];

/**
 * What the page says for each reason of the gateway and for what goes wrong without it. The type asks for an
 * entry for every reason of the catalogue, so a new one fails the type check here.
 */
const ENTRIES: Readonly<Record<Fault["reason"], Entry>> = {
  IMAGE_TOO_LARGE: ["This photo is too large", tooLargeText, false],
  IMAGE_TOO_MANY_PIXELS: [
    "This photo has too many pixels",
    ({ limits }) => {
      const most =
        limits === undefined
          ? ""
          : ` At most ${Math.floor(limits.max_image_pixels / 1e6)} megapixels can be read.`;
      return `Give a smaller version of it, or a screenshot.${most}`;
    },
    false,
  ],
  IMAGE_TYPE_UNSUPPORTED: ["This kind of file cannot be read", unsupportedText, false],
  IMAGE_UNDECODABLE: [
    "This picture is damaged",
    "The file is incomplete or broken. Save it again, or choose another photo.",
    false,
  ],
  IMAGE_URL_INVALID: [
    "This link cannot be used",
    "A link to a photo begins with https:// or http:// and has no password in it.",
    false,
  ],
  IMAGE_URL_FORBIDDEN: [
    "This link cannot be opened from here",
    "Only public addresses are opened. Save the picture and choose it as a file.",
    false,
  ],
  IMAGE_URL_FAILED: [
    "The link gave no picture",
    ({ photo }) =>
      `${websiteOf(photo)} did not hand it over. Check the link, or save the picture and choose it as a file.`,
    true,
  ],
  IMAGE_URL_TIMEOUT: [
    "The link is too slow",
    ({ photo }) =>
      `${websiteOf(photo)} took too long to hand the picture over. Try again, or save the picture and choose it as a file.`,
    true,
  ],
  UNAUTHENTICATED: [
    "This site asks for a key",
    "Photos are read here only for programs that have one. Ask whoever runs this site.",
    false,
  ],
  CLIENT_LIMIT: ["That was many photos in a short time", "Your photo is kept here.", true],
  OVERLOADED: BUSY,
  QUEUE_FULL: BUSY,
  DRAINING: STARTING,
  WORKER_LOST: STARTING,
  MODEL_UNAVAILABLE: STARTING,
  DEADLINE_EXCEEDED: ["This took too long", "No answer came in time. Your photo is kept here.", true],
  CANCELLED: ["Stopped", "Your photo is kept here.", true],
  INTERNAL: [
    "Something went wrong on this site",
    "It is not your photo, and it is kept here. Try again in a moment.",
    true,
  ],
  OFFLINE: ["You are offline", "Your photo is kept here until there is a connection.", true],
  UNREACHABLE: [
    "The server cannot be reached",
    "The connection failed or broke off. Your photo is kept here.",
    true,
  ],
  STALLED: ["The connection is too slow", "For a while nothing got through. Your photo is kept here.", true],
  ANSWER_UNREADABLE: MISUNDERSTOOD,
  BODY_INVALID: MISUNDERSTOOD,
  BODY_UNSUPPORTED: MISUNDERSTOOD,
  TOO_MANY_IMAGES: MISUNDERSTOOD,
  ROUTE_NOT_FOUND: MISUNDERSTOOD,
  METHOD_NOT_ALLOWED: MISUNDERSTOOD,
  MODEL_NOT_FOUND: MISCONFIGURED,
  LABEL_NOT_FOUND: MISCONFIGURED,
  SIGNATURE_NOT_FOUND: MISCONFIGURED,
  REQUEST_INVALID: MISCONFIGURED,
  TENSOR_INVALID: MISCONFIGURED,
  BATCH_TOO_LARGE: MISCONFIGURED,
  METHOD_UNIMPLEMENTED: MISCONFIGURED,
  MESSAGE_TOO_LARGE: MISCONFIGURED,
  MODEL_CONTRACT_MISMATCH: MISCONFIGURED,
  MODEL_INVALID: MISCONFIGURED,
  MODEL_UNSUPPORTED: MISCONFIGURED,
  MODEL_CONFIG_INVALID: MISCONFIGURED,
  LABEL_UNAVAILABLE: MISCONFIGURED,
};

function websiteOf(photo: Photo): string {
  return photo.kind === "link" ? hostOf(photo.url) : "The website";
}

function tooLargeText({ photo, limits }: Circumstances): string {
  const size = photo.kind === "file" ? `It has ${sizeInMegabytes(photo.file.size)}. ` : "";
  const most =
    limits === undefined ? "" : `Photos of up to ${limitInMegabytes(limits.max_image_bytes)} can be read. `;
  return `${size}${most}Give a smaller version of it, or a screenshot.`;
}

function unsupportedText({ photo, limits }: Circumstances): string {
  const kinds = limits === undefined ? "JPEG, PNG, WebP or GIF" : kindsOf(limits.media_types);
  // Chromium leaves the type of a HEIC file empty, so its name counts too.
  const isHeic = photo.kind === "file" && /hei[cf]$/i.test(photo.file.type || photo.file.name);
  return isHeic
    ? `It is a HEIC photo, as iPhones store them; ${kinds} can be read. A screenshot of it works, and so do photos taken with Settings, Camera, Formats, Most Compatible.`
    : `Photos can be ${kinds}.`;
}

/** Whether the name of a reason, as it came over the wire, is one that this page has words for. */
export function isKnownReason(reason: string): reason is Fault["reason"] {
  return Object.hasOwn(ENTRIES, reason);
}

/**
 * Says a fault in words.
 *
 * @param isOver what stood in the way is over: the wait that the gateway asked for, or the lack of network.
 */
export function wordsOfFault(fault: Fault, isOver: boolean, around: Circumstances): FaultWords {
  const [title, text, canRetry] = ENTRIES[fault.reason];
  const sentences = [typeof text === "string" ? text : text(around)];
  if (isOver) {
    sentences.push("You can try again now.");
  } else if (fault.retryAfterSeconds !== undefined) {
    sentences.push(`Try again in ${waitOf(fault.retryAfterSeconds)}.`);
  }
  return { title, text: sentences.join(" "), canRetry };
}
