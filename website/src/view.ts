import type { InfoResponse } from "@vitrine/gateway/api";
import { wordsOfFault } from "./fault-words.js";
import type { PageState } from "./page-state.js";
import type { Photo } from "./photo.js";
import { hostOf } from "./photo.js";
import { certaintyOf, kindsOf, limitInMegabytes, listOf, percentOf } from "./words.js";

/** One category of the answer beside the first. */
export interface Candidate {
  readonly label: string;
  readonly percent: string;
  /** Probability, 0 to 1. */
  readonly share: number;
}

/** Everything that the page shows of a state, as text and flags. An empty text is not shown. */
export interface View {
  readonly tone: "plain" | "sure" | "unsure" | "fault";
  readonly documentTitle: string;
  readonly photo: Photo | undefined;
  readonly photoAlt: string;
  readonly eyebrow: string;
  readonly heading: string;
  readonly certainty: string;
  readonly percent: string;
  readonly lead: string;
  /** 0 to 1; "unknown" while there is nothing to measure; undefined: no progress is shown. */
  readonly progress: number | "unknown" | undefined;
  readonly othersTitle: string;
  readonly others: readonly Candidate[];
  readonly canRetry: boolean;
  readonly canCancel: boolean;
  readonly fine: string;
  readonly chooserTitle: string;
  /** What a screen reader hears. Changes rarely: not with every step of the upload. */
  readonly announcement: string;
}

const CATEGORIES_WORTH_LISTING = 24;

const BLANK: View = {
  tone: "plain",
  documentTitle: "Vitrine",
  photo: undefined,
  photoAlt: "",
  eyebrow: "",
  heading: "",
  certainty: "",
  percent: "",
  lead: "",
  progress: undefined,
  othersTitle: "",
  others: [],
  canRetry: false,
  canCancel: false,
  fine: "",
  chooserTitle: "Another photo",
  announcement: "",
};

/** The limits as they stand beside the ways to give a photo. */
export function limitsText(info: InfoResponse): string {
  const { media_types, max_image_bytes } = info.limits;
  return `${kindsOf(media_types)}, up to ${limitInMegabytes(max_image_bytes)}.`;
}

/** The page in a given state. `info` is undefined until the gateway has said what it serves. */
export function viewOf(state: PageState, info: InfoResponse | undefined): View {
  switch (state.name) {
    case "empty":
      return emptyView(info);
    case "reading":
      return readingView(state);
    case "answered":
      return answeredView(state);
    case "failed":
      return failedView(state, info);
  }
}

function emptyView(info: InfoResponse | undefined): View {
  const labels = info?.labels ?? [];
  const known =
    labels.length === 0
      ? ""
      : labels.length <= CATEGORIES_WORTH_LISTING
        ? `Knows ${listOf(labels, "and")}.`
        : `Knows ${labels.length} categories.`;
  return {
    ...BLANK,
    heading: "What are you listing?",
    lead: "Show one photo of the item and read the category it belongs in.",
    fine: known,
    chooserTitle: "Your photo",
  };
}

function readingView({ photo, sentShare, isSlow }: PageState & { name: "reading" }): View {
  const isSending = sentShare !== undefined && sentShare < 1;
  const isFirstOfSeveral = photo.kind === "file" && photo.givenCount > 1;
  const lead = [
    isFirstOfSeveral ? `Reading the first of ${photo.givenCount} photos.` : "",
    photo.kind === "link" ? `Fetching it from ${hostOf(photo.url)}.` : "",
    isSlow ? "This is slower than usual. You can wait or cancel." : "",
  ];
  return {
    ...BLANK,
    documentTitle: "Reading… – Vitrine",
    photo,
    photoAlt: "Your photo",
    heading: isSending ? "Sending the photo" : "Reading the photo",
    lead: lead.filter((sentence) => sentence !== "").join(" "),
    progress: isSending ? sentShare : "unknown",
    canCancel: true,
    announcement: isSlow ? "Still reading. This is slower than usual." : "Reading the photo.",
  };
}

function answeredView({ photo, answer }: PageState & { name: "answered" }): View {
  const ranked = answer.top ?? [];
  const label = answer.top_class;
  const percent = percentOf(answer.top_probability);
  const candidates = ranked.map((entry) => ({
    label: entry.label,
    percent: percentOf(entry.probability),
    share: entry.probability,
  }));
  const firstOf =
    photo.kind === "file" && photo.givenCount > 1 ? `First of ${photo.givenCount} photos. ` : "";
  const common = {
    ...BLANK,
    documentTitle: `${label} – Vitrine`,
    photo,
    fine: `${firstOf}${answer.model.name}, version ${answer.model.version}, ${Math.round(answer.timings.total)} ms`,
  };
  if (answer.unsure) {
    const choices = candidates.map((candidate) => `${candidate.label}, ${candidate.percent}`);
    return {
      ...common,
      tone: "unsure",
      documentTitle: `${label}? – Vitrine`,
      photoAlt: "Your photo",
      eyebrow: "Not sure",
      heading: `${label}?`,
      lead: "This photo fits more than one category. Which of these is it?",
      others: candidates,
      othersTitle: "It could be",
      announcement: `Not sure. It could be ${listOf(choices, "or")}.`,
    };
  }
  const next = candidates.slice(1);
  return {
    ...common,
    tone: "sure",
    photoAlt: `Your photo: ${label}`,
    eyebrow: "Category",
    heading: label,
    certainty: certaintyOf(answer.top_probability),
    percent,
    others: next,
    othersTitle: "If not, perhaps",
    announcement: `${label}. ${certaintyOf(answer.top_probability)}, ${percent}.`,
  };
}

function failedView(state: PageState & { name: "failed" }, info: InfoResponse | undefined): View {
  const { photo, fault, isOver } = state;
  const words = wordsOfFault(fault, isOver, { photo, limits: info?.limits });
  return {
    ...BLANK,
    tone: fault.reason === "CANCELLED" ? "plain" : "fault",
    documentTitle: `${words.title} – Vitrine`,
    photo,
    photoAlt: "Your photo",
    heading: words.title,
    lead: words.text,
    canRetry: words.canRetry,
    fine: fault.requestId === undefined ? "" : `Request ${fault.requestId}`,
    announcement: `${words.title}. ${words.text}`,
  };
}
