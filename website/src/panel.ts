/** The parts below an answer that are filled on demand, each in a folder of its own: why/, how/ and feedback/. */
import type { InfoResponse, PredictResponse } from "@vitrine/gateway/api";
import type { Fault } from "./fault.js";
import type { FaultWords } from "./fault-words.js";
import type { Gateway } from "./gateway/gateway.js";
import type { Photo } from "./photo.js";
import type { Picture } from "./pictures.js";
import type { Language } from "./words/choice.js";
import type { Formats } from "./words/formats.js";
import type { Words } from "./words/language.js";

/** An item with its answer, as a panel sees it. */
export interface AnsweredItem {
  /** In the order in which they were sent; at least one. */
  readonly photos: readonly Photo[];
  /**
   * The upload that was answered, made anew for each call: body and headers of `POST /predict`. The photos are
   * shrunk in it where they were before, which takes a moment after a reload. Rejects never.
   */
  request(): Promise<{
    readonly body: FormData | string;
    readonly headers: Readonly<Record<string, string>>;
  }>;
  readonly answer: PredictResponse;
  readonly info: InfoResponse;
  /** Of each of `photos`, upright. */
  readonly pictures: readonly Picture[];
  /** The person's category: the answer's `top_class` until they choose another one. A label of the model. */
  readonly chosenLabel: string;
}

/** What the page gives to a panel. */
export interface PanelParts {
  /** An empty element of index.html, `#why`, `#how` or `#feedback`; the panel fills it, and hides it when it has nothing to offer. */
  readonly root: HTMLElement;
  readonly gateway: Gateway;
  language(): Language;
  /** Of the page; a panel's own words lie in its words.ts, as `{ en, de, ar }`. `categoryName` of words/language.js names a label. */
  words(): Words;
  formats(): Formats;
  /** An error as the page says it. */
  sayFault(fault: Fault): FaultWords;
  /** Tells a screen reader something. */
  announce(text: string): void;
}

export interface Panel {
  /** Another answer, or a change of it: another category, a linked picture that came. Nothing may be asked of the gateway before the person asks. */
  show(item: AnsweredItem): void;
  /** There is no answer any more: stop what runs, hide what was said. */
  clear(): void;
  /** The language has changed; what is shown is said anew. */
  setWords(): void;
}

export type CreatePanel = (parts: PanelParts) => Panel;
