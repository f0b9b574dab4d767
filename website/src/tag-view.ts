/** What the tag says in each state, as text and flags. */
import type { InfoResponse } from "@vitrine/gateway/api";
import type { Fault } from "./fault.js";
import { wordsOfFault } from "./fault-words.js";
import type { Item } from "./item.js";
import { shownPhotoOf } from "./item.js";
import type { PageState } from "./page-state.js";
import { hostOf } from "./photo.js";
import type { Say } from "./say.js";
import { categoryName } from "./words/language.js";

/** One category to choose. */
export interface Choice {
  /** The model's label. */
  readonly label: string;
  readonly name: string;
  readonly percent: string;
  /** Probability, 0 to 1. */
  readonly share: number;
}

/** An empty text is not shown. */
export interface TagView {
  readonly tone: "plain" | "sure" | "unsure" | "chosen" | "fault";
  readonly documentTitle: string;
  readonly photoAlt: string;
  readonly eyebrow: string;
  readonly heading: string;
  readonly certainty: string;
  readonly percent: string;
  readonly lead: string;
  /** 0 to 1; "unknown" while there is nothing to measure; undefined: no progress is shown. */
  readonly progress: number | "unknown" | undefined;
  readonly choicesTitle: string;
  readonly choices: readonly Choice[];
  readonly canSearch: boolean;
  readonly canUndo: boolean;
  readonly canRetry: boolean;
  /** Of the button that removes the photo at fault and reads the others. */
  readonly removal: string;
  readonly canCancel: boolean;
  readonly asksKey: boolean;
  readonly fine: string;
  /** What a screen reader hears. Changes rarely: not with every step of the upload. */
  readonly announcement: string;
}

/** What the page knows beside its state. */
export interface Site {
  /** undefined until the gateway has said what it serves. */
  readonly info: InfoResponse | undefined;
  /** The site asks for a key, and has none that it knows. */
  readonly keyFault: Fault | undefined;
  readonly isKeyRefused: boolean;
}

const CATEGORIES_WORTH_LISTING = 24;

const BLANK: TagView = {
  tone: "plain",
  documentTitle: "Vitrine",
  photoAlt: "",
  eyebrow: "",
  heading: "",
  certainty: "",
  percent: "",
  lead: "",
  progress: undefined,
  choicesTitle: "",
  choices: [],
  canSearch: false,
  canUndo: false,
  canRetry: false,
  removal: "",
  canCancel: false,
  asksKey: false,
  fine: "",
  announcement: "",
};

/** The limits as they stand beside the ways to give a photo. */
export function limitsText({ limits }: InfoResponse, { words, formats }: Say): string {
  const size = formats.limit(limits.max_image_bytes);
  return words.ways.limits(formats.kinds(limits.media_types), size, limits.max_images);
}

/** What the model knows, as it stands there, too. */
export function knowsText(info: InfoResponse, { words, formats }: Say): string {
  const labels = info.labels.map((label) => categoryName(words, label));
  return labels.length <= CATEGORIES_WORTH_LISTING
    ? words.start.knows(formats.and(labels))
    : words.start.knowsCount(formats.integer(labels.length));
}

function sentences(...texts: readonly string[]): string {
  return texts.filter((text) => text !== "").join(" ");
}

/** The tag in a given state. */
export function tagViewOf(state: PageState, site: Site, say: Say): TagView {
  if (state.name === "start") return startView(site, say);
  const { item, phase } = state;
  switch (phase.name) {
    case "reading":
      return readingView(item, phase, say);
    case "answered":
      return answeredView(item, site, say);
    case "failed":
      return failedView(item, phase, site, say);
  }
}

function startView(site: Site, say: Say): TagView {
  const { words, formats } = say;
  if (site.keyFault !== undefined) {
    const fault = wordsOfFault(site.keyFault, {
      photo: undefined,
      limits: undefined,
      words,
      formats,
      isKeyRefused: site.isKeyRefused,
    });
    const announcement = sentences(fault.title, fault.text);
    return { ...BLANK, heading: fault.title, lead: fault.text, asksKey: true, announcement };
  }
  return { ...BLANK, heading: words.start.heading, lead: words.start.lead };
}

function readingView(
  { photos }: Item,
  { sentShare, isSlow, isAgain }: Extract<(PageState & { name: "item" })["phase"], { name: "reading" }>,
  { words }: Say,
): TagView {
  const { reading } = words;
  const isOne = photos.length === 1;
  const link = photos.find((photo) => photo.kind === "link");
  const isSending = sentShare !== undefined && sentShare < 1;
  const isLinks = photos.every((photo) => photo.kind === "link");
  const isPreparing = sentShare === undefined && !isLinks;
  const sending = isOne ? reading.sending : reading.sendingSeveral;
  const fetchingFrom = (host: string) => (isOne ? reading.from(host) : `${words.photos.loadingFrom(host)}.`);
  const asking = isOne ? reading.reading : reading.readingSeveral;
  return {
    ...BLANK,
    documentTitle: words.documentTitle(reading.documentTitle),
    photoAlt: words.photos.yours,
    heading: isPreparing ? reading.preparing : isSending && !isLinks ? sending : asking,
    lead: sentences(
      isAgain ? reading.again : "",
      link?.kind === "link" && !isPreparing ? fetchingFrom(hostOf(link.url)) : "",
      isSlow ? reading.slow : "",
    ),
    progress: isSending ? sentShare : "unknown",
    canCancel: true,
    announcement: isSlow ? reading.slowAnnounced : asking,
  };
}

function answeredView(item: Item, { info }: Site, say: Say): TagView {
  const { words, formats } = say;
  const { answer, chosenLabel, photos } = item;
  if (answer === undefined) return BLANK;
  const choices = (answer.top ?? []).map(
    ({ label, probability }): Choice => ({
      label,
      name: categoryName(words, label),
      percent: formats.percent(probability),
      share: probability,
    }),
  );
  const top = categoryName(words, answer.top_class);
  const percent = formats.percent(answer.top_probability);
  const { model, timings } = answer;
  const facts = words.answer.facts(model.name, model.version, formats.milliseconds(timings.total));
  const several = photos.length > 1 ? words.answer.fromSeveral(photos.length) : "";
  const onlyThese = info === undefined ? "" : words.answer.onlyThese(info.labels.length);
  const common: TagView = {
    ...BLANK,
    fine: sentences(several, onlyThese, facts),
    canSearch: true,
  };
  if (chosenLabel !== undefined) {
    const name = categoryName(words, chosenLabel);
    return {
      ...common,
      tone: "chosen",
      documentTitle: words.documentTitle(name),
      photoAlt: words.photos.yoursOf(name),
      eyebrow: words.answer.yourChoice,
      heading: name,
      lead: chosenLabel === answer.top_class ? "" : words.answer.chosenInstead(top, percent),
      fine: sentences(several, facts),
      canUndo: true,
      announcement: words.answer.chosenAnnounced(name),
    };
  }
  if (answer.unsure) {
    const spoken = formats.or(choices.map((choice) => words.photos.said(choice.name, choice.percent)));
    return {
      ...common,
      tone: "unsure",
      documentTitle: words.documentTitle(words.question(top)),
      photoAlt: words.photos.yours,
      eyebrow: words.answer.notSure,
      heading: words.question(top),
      lead: photos.length === 1 ? words.answer.which : words.answer.whichSeveral,
      choicesTitle: words.answer.couldBe,
      choices,
      announcement: words.answer.couldBeAnnounced(spoken),
    };
  }
  const certainty = formats.certainty(answer.top_probability);
  return {
    ...common,
    tone: "sure",
    documentTitle: words.documentTitle(top),
    photoAlt: words.photos.yoursOf(top),
    eyebrow: words.answer.category,
    heading: top,
    certainty,
    percent,
    choicesTitle: words.answer.ifNot,
    choices: choices.slice(1),
    announcement: `${words.photos.said(top, percent)}. ${certainty}.`,
  };
}

function failedView(
  item: Item,
  phase: Extract<(PageState & { name: "item" })["phase"], { name: "failed" }>,
  { info, isKeyRefused }: Site,
  { words, formats }: Say,
): TagView {
  const { fault, photoId, secondsLeft, isOver } = phase;
  const index = item.photos.findIndex(({ id }) => id === photoId);
  const which = index < 0 ? "" : words.photos.number(formats.integer(index + 1));
  const circumstances = {
    photo: item.photos[index] ?? shownPhotoOf(item),
    limits: info?.limits,
    words,
    formats,
    isKeyRefused,
    isOver,
  };
  const said = wordsOfFault(fault, { ...circumstances, secondsLeft });
  // The countdown is seen; heard are its beginning and its end.
  const heard = wordsOfFault(fault, circumstances);
  return {
    ...BLANK,
    tone: fault.reason === "CANCELLED" ? "plain" : "fault",
    documentTitle: words.documentTitle(said.title),
    photoAlt: words.photos.yours,
    eyebrow: which,
    heading: said.title,
    lead: said.text,
    canRetry: said.canRetry,
    removal: index < 0 ? "" : words.photos.removeAndRead(item.photos.length - 1),
    asksKey: fault.reason === "UNAUTHENTICATED",
    fine: fault.requestId === undefined ? "" : words.faults.request(fault.requestId),
    announcement: `${which === "" ? "" : `${which}: `}${heard.title}. ${heard.text}`,
  };
}
