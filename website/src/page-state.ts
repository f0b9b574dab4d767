import type { PredictResponse } from "@vitrine/gateway/api";
import type { Fault } from "./fault.js";
import type { Draft, Item } from "./item.js";
import { newItem } from "./item.js";
import type { Photo } from "./photo.js";

/** Where the reading of an item stands. */
export type Phase =
  | {
      readonly name: "reading";
      /** Share of the body that has left, 0 to 1; undefined before it begins and where there is nothing to measure (a link). */
      readonly sentShare: number | undefined;
      readonly isSlow: boolean;
      /** It was being read before, when the page was left or loaded anew. */
      readonly isAgain: boolean;
    }
  | { readonly name: "answered" }
  | {
      readonly name: "failed";
      readonly fault: Fault;
      /** Of several photos the one that is the cause, where that is known. */
      readonly photoId: string | undefined;
      /** Of the wait that the gateway asked for, counted down. */
      readonly secondsLeft: number | undefined;
      /** What stood in the way (that wait, no network) is over. */
      readonly isOver: boolean;
    };

export type PageState =
  | { readonly name: "start"; readonly attempt: number }
  | { readonly name: "item"; readonly item: Item; readonly phase: Phase; readonly attempt: number };

export type PageEvent =
  | {
      readonly name: "given";
      readonly itemId: string;
      readonly photos: readonly [Photo, ...Photo[]];
      /** One of the page's own drawings. */
      readonly isTrial: boolean;
    }
  | { readonly name: "added"; readonly photos: readonly Photo[] }
  | { readonly name: "removed"; readonly photoId: string }
  | { readonly name: "shown"; readonly photoId: string }
  /** An item of before is there again: Back, Forward, a reload, a draft. undefined: the start. */
  | { readonly name: "returned"; readonly item: Item | undefined }
  | { readonly name: "retried" }
  | { readonly name: "cancelled" }
  | { readonly name: "chosen"; readonly label: string | undefined }
  | { readonly name: "drafted"; readonly draft: Draft }
  | { readonly name: "sent"; readonly attempt: number; readonly share: number }
  | { readonly name: "slowed"; readonly attempt: number }
  | { readonly name: "answered"; readonly attempt: number; readonly answer: PredictResponse }
  | {
      readonly name: "failed";
      readonly attempt: number;
      readonly fault: Fault;
      /** The photo that is the cause, where that is known. */
      readonly photoId?: string;
    }
  | { readonly name: "counted"; readonly attempt: number; readonly secondsLeft: number }
  | { readonly name: "waited"; readonly attempt: number };

export const START: PageState = { name: "start", attempt: 0 };

/** The item of a state, where it has one. */
export function itemOf(state: PageState): Item | undefined {
  return state.name === "item" ? state.item : undefined;
}

/** The link that was not read, alone or as the one of several that is the cause: it may hold a slip of the pen. */
export function linkToMendOf(state: PageState): string | undefined {
  if (state.name !== "item" || state.phase.name !== "failed") return undefined;
  const { photoId } = state.phase;
  const { photos } = state.item;
  const photo = photos.length === 1 ? photos[0] : photos.find(({ id }) => id === photoId);
  return photo?.kind === "link" ? photo.url : undefined;
}

function reading(item: Item, attempt: number, isAgain = false): PageState {
  const phase: Phase = { name: "reading", sentShare: undefined, isSlow: false, isAgain };
  return { name: "item", item: { ...item, answer: undefined }, phase, attempt };
}

function failed(item: Item, attempt: number, fault: Fault, causeId?: string): PageState {
  const photoId = item.photos.length > 1 ? causeId : undefined;
  const phase: Phase = {
    name: "failed",
    fault,
    photoId,
    secondsLeft: fault.retryAfterSeconds,
    isOver: false,
  };
  return { name: "item", item: { ...item, shownId: causeId ?? item.shownId }, phase, attempt };
}

/**
 * The state after an event; the same object when the event changes nothing. What comes from an attempt other than the
 * latest is ignored, so an answer that was overtaken by another photo or by Cancel cannot show up under the wrong one.
 */
export function step(state: PageState, event: PageEvent): PageState {
  if ("attempt" in event && event.attempt !== state.attempt) return state;
  const next = state.attempt + 1;
  if (event.name === "given") return reading(newItem(event.itemId, event.photos, event.isTrial), next);
  if (event.name === "returned") return returned(event.item, next);
  if (state.name === "start") return state;
  const { item, phase } = state;
  switch (event.name) {
    case "added": {
      const [first] = event.photos;
      if (first === undefined) return state;
      const photos = [...item.photos, ...event.photos];
      return reading({ ...item, photos, shownId: first.id, isTrial: false }, next);
    }
    case "removed": {
      const photos = item.photos.filter(({ id }) => id !== event.photoId);
      const [first] = photos;
      if (first === undefined || photos.length === item.photos.length) return state;
      const shownId = item.shownId === event.photoId ? first.id : item.shownId;
      return reading({ ...item, photos, shownId }, next);
    }
    case "shown":
      return item.shownId === event.photoId ? state : { ...state, item: { ...item, shownId: event.photoId } };
    case "chosen": {
      // The model's own category is no choice against it, unless the model was not sure.
      const isModels = event.label === item.answer?.top_class && item.answer?.unsure === false;
      const chosenLabel = isModels ? undefined : event.label;
      return chosenLabel === item.chosenLabel ? state : { ...state, item: { ...item, chosenLabel } };
    }
    case "drafted":
      return { ...state, item: { ...item, draft: event.draft, isTrial: false } };
    case "retried":
      return phase.name === "failed" ? reading(item, next) : state;
    default:
      return stepPhase(state, event);
  }
}

type Attempted = Extract<PageEvent, { attempt: number } | { name: "cancelled" }>;

function stepPhase(state: PageState & { name: "item" }, event: Attempted): PageState {
  const { item, phase, attempt } = state;
  switch (event.name) {
    case "cancelled":
      return phase.name === "reading" ? failed(item, attempt + 1, { reason: "CANCELLED" }) : state;
    case "sent":
      return phase.name === "reading" ? { ...state, phase: { ...phase, sentShare: event.share } } : state;
    case "slowed":
      return phase.name === "reading" ? { ...state, phase: { ...phase, isSlow: true } } : state;
    case "answered":
      return phase.name === "reading"
        ? { ...state, item: { ...item, answer: event.answer }, phase: { name: "answered" } }
        : state;
    case "failed":
      return phase.name === "reading" ? failed(item, attempt, event.fault, event.photoId) : state;
    case "counted":
      return phase.name === "failed"
        ? { ...state, phase: { ...phase, secondsLeft: event.secondsLeft } }
        : state;
    case "waited":
      return phase.name === "failed"
        ? { ...state, phase: { ...phase, secondsLeft: undefined, isOver: true } }
        : state;
  }
}

/** An item that was left before its answer came is read anew. */
function returned(item: Item | undefined, attempt: number): PageState {
  if (item === undefined) return { name: "start", attempt };
  return item.answer === undefined
    ? reading(item, attempt, true)
    : { name: "item", item, phase: { name: "answered" }, attempt };
}
