import type { PredictResponse } from "@vitrine/gateway/api";
import type { Fault } from "./fault.js";
import type { Photo } from "./photo.js";

export type PageState =
  | { readonly name: "empty" }
  | {
      readonly name: "reading";
      readonly photo: Photo;
      readonly attempt: number;
      /** Share of the body that has left, 0 to 1; undefined where there is nothing to measure (a link). */
      readonly sentShare: number | undefined;
      readonly isSlow: boolean;
    }
  | {
      readonly name: "answered";
      readonly photo: Photo;
      readonly attempt: number;
      readonly answer: PredictResponse;
    }
  | {
      readonly name: "failed";
      readonly photo: Photo;
      readonly attempt: number;
      readonly fault: Fault;
      /** What stood in the way (the wait that the gateway asked for, no network) is over. */
      readonly isOver: boolean;
    };

export type PageEvent =
  | { readonly name: "given"; readonly photo: Photo }
  | { readonly name: "refused"; readonly photo: Photo; readonly fault: Fault }
  | { readonly name: "retried" }
  | { readonly name: "cancelled" }
  | { readonly name: "sent"; readonly attempt: number; readonly share: number }
  | { readonly name: "slowed"; readonly attempt: number }
  | { readonly name: "answered"; readonly attempt: number; readonly answer: PredictResponse }
  | { readonly name: "failed"; readonly attempt: number; readonly fault: Fault }
  | { readonly name: "waited"; readonly attempt: number };

/** The photo of a state, where it has one. */
export function photoOf(state: PageState): Photo | undefined {
  return state.name === "empty" ? undefined : state.photo;
}

/** Number of the latest attempt; 0 before the first. */
export function attemptOf(state: PageState): number {
  return state.name === "empty" ? 0 : state.attempt;
}

function reading(photo: Photo, attempt: number): PageState {
  const sentShare = photo.kind === "file" ? 0 : undefined;
  return { name: "reading", photo, attempt, sentShare, isSlow: false };
}

function failed(photo: Photo, attempt: number, fault: Fault): PageState {
  return { name: "failed", photo, attempt, fault, isOver: false };
}

/**
 * The state after an event. What comes from an attempt other than the latest is ignored, so an answer that
 * was overtaken by another photo or by Cancel cannot show up under the wrong photo.
 */
export function step(state: PageState, event: PageEvent): PageState {
  if ("attempt" in event && event.attempt !== attemptOf(state)) {
    return state;
  }
  switch (event.name) {
    case "given":
      return reading(event.photo, attemptOf(state) + 1);
    case "refused":
      return failed(event.photo, attemptOf(state) + 1, event.fault);
    case "retried":
      return state.name === "failed" ? reading(state.photo, state.attempt + 1) : state;
    case "cancelled":
      return state.name === "reading"
        ? failed(state.photo, state.attempt + 1, { reason: "CANCELLED" })
        : state;
    case "sent":
      return state.name === "reading" ? { ...state, sentShare: event.share } : state;
    case "slowed":
      return state.name === "reading" ? { ...state, isSlow: true } : state;
    case "answered":
      return state.name === "reading"
        ? { name: "answered", photo: state.photo, attempt: state.attempt, answer: event.answer }
        : state;
    case "failed":
      return state.name === "reading" ? failed(state.photo, state.attempt, event.fault) : state;
    case "waited":
      return state.name === "failed" ? { ...state, isOver: true } : state;
  }
}
