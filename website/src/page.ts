/** The page: its state, and what follows from each change of it. */
import type { InfoResponse } from "@vitrine/gateway/api";
import { curlCommand } from "./curl.js";
import { createDrawing, mostPhotosOf } from "./drawing.js";
import type { Fault } from "./fault.js";
import { wordsOfFault } from "./fault-words.js";
import { createGiven } from "./feedback/given.js";
import type { GatewayClient } from "./gateway/client.js";
import type { Item } from "./item.js";
import { categoryOf, hasRoom } from "./item.js";
import type { ItemStore } from "./keep/item-store.js";
import { createSession, newId } from "./keep/session.js";
import type { Visits } from "./keep/visits.js";
import type { PageEvent, PageState } from "./page-state.js";
import { itemOf, linkToMendOf, START, step } from "./page-state.js";
import type { AnsweredItem } from "./panel.js";
import { createPanels } from "./panels.js";
import type { Photo } from "./photo.js";
import { Pictures } from "./pictures.js";
import { createReader, waitForTheWayToClear } from "./reader.js";
import { createClipboard } from "./render/copying.js";
import { find } from "./render/find.js";
import type { SiteKey } from "./render/key-form.js";
import { createNotice } from "./render/notice.js";
import type { Say } from "./say.js";
import type { Site } from "./tag-view.js";
import type { UploadPreparation } from "./upload/prepare.js";
import { createLinkField } from "./ways-in/link-field.js";
import type { Gift, GivenPhoto, Nothing, Place } from "./ways-in/ways-in.js";
import { listenForPhotos } from "./ways-in/ways-in.js";
import { createWhere } from "./ways-in/where.js";

type Photos = readonly [Photo, ...Photo[]];

export interface PageParts {
  readonly gateway: GatewayClient;
  readonly preparation: UploadPreparation;
  readonly siteKey: SiteKey;
  readonly store: ItemStore;
  readonly visits: Visits;
  readonly say: Say;
}

export interface Page {
  /** Asks the gateway what it serves and takes up what the tab showed before. */
  start(): Promise<void>;
  speak(say: Say): void;
  /** Another language was chosen, and its words did not come. */
  missWords(): void;
}

export function createPage({ gateway, preparation, siteKey, store, visits, ...parts }: PageParts): Page {
  let { say } = parts;
  let state: PageState = START;
  let site: Site = { info: undefined, keyFault: undefined, isKeyRefused: false };
  let isKept = true;
  let recent: readonly Item[] = [];
  let running = new AbortController();
  let asking: Promise<InfoResponse | undefined> | undefined;

  const notice = createNotice();
  const clipboard = createClipboard(notice.show);
  const pictures = new Pictures(gateway, () => draw());
  const session = createSession({
    store,
    visits,
    send,
    onKept(next) {
      if (next === isKept) return;
      isKept = next;
      draw();
    },
  });
  const reader = createReader({ gateway, preparation, info: () => asking ?? askInfo(), send });
  const panelParts = {
    gateway,
    language: () => say.language,
    words: () => say.words,
    formats: () => say.formats,
    sayFault: (fault: Fault) =>
      wordsOfFault(fault, {
        photo: undefined,
        limits: site.info?.limits,
        words: say.words,
        formats: say.formats,
      }),
    announce: notice.announce,
  };
  const panels = createPanels(panelParts);
  const given = createGiven(panelParts);
  const linkField = createLinkField();
  const where = createWhere({ onAdd: add, onAnother: begin });
  const drawing = createDrawing(pictures, notice, {
    onChoose(label) {
      send({ name: "chosen", label });
      drawing.focusHeading();
    },
    onUndo() {
      send({ name: "chosen", label: undefined });
      drawing.focusHeading();
    },
    onRetry: () => send({ name: "retried" }),
    onRemoveFaulty() {
      const photoId =
        state.name === "item" && state.phase.name === "failed" ? state.phase.photoId : undefined;
      if (photoId !== undefined) send({ name: "removed", photoId });
    },
    onCancel() {
      pictures.cancel();
      send({ name: "cancelled" });
    },
    onShow: (photoId) => send({ name: "shown", photoId }),
    onRemove(photoId) {
      send({ name: "removed", photoId });
      notice.show(say.words.photos.removed);
    },
    onDraft: (draft) => send({ name: "drafted", draft }),
    onCategory: (label) => send({ name: "chosen", label }),
    onCopy: (text, beside) => clipboard.copy(text, say.words.draft.copied, beside),
    onDiscard() {
      const item = itemOf(state);
      if (item === undefined) return;
      void discard(item);
    },
    onKey(key) {
      siteKey.keep(key);
      void askInfo().then(() => send({ name: "retried" }));
    },
    onSample: (file) => session.begin([{ kind: "file", id: newId(), file }], true),
    onSampleFailed: () => notice.show(say.words.faults.unreachable.title),
    onOpenDraft: (itemId) => session.open(itemId),
  });

  function send(event: PageEvent): void {
    const before = state;
    state = step(before, event);
    if (state === before) return;
    const item = itemOf(state);
    // The question is about what was shown.
    if (event.name === "returned") where.close();
    if (item !== undefined && item !== itemOf(before)) session.keep(item);
    if (state.name === "start") void listRecent();
    if (state.name !== before.name) given.show(state.name === "start");
    draw();
    linkField.mend(linkToMendOf(state));
    const isOther = state.attempt !== before.attempt;
    if (isOther || event.name === "chosen" || event.name === "drafted") notice.clear();
    if (isOther) {
      running.abort();
      running = new AbortController();
      clipboard.clear();
      linkField.complain("");
    } else if (phaseOf(state) === phaseOf(before)) {
      return;
    }
    drawing.focusHeading();
    if (state.name === "item") begun(state, isOther);
  }

  function begun({ item, phase, attempt }: PageState & { name: "item" }, isOther: boolean): void {
    if (phase.name === "reading" && isOther) {
      pictures.retry(item.photos);
      void reader.read(item, attempt, running.signal);
    } else if (phase.name === "failed") {
      if (phase.fault.reason === "UNAUTHENTICATED") noteKey(phase.fault);
      waitForTheWayToClear(phase.fault, attempt, running.signal, send);
    }
  }

  function draw(): void {
    drawing.draw({ state, site, say, isKept, recent });
    panels.show(answeredItem());
  }

  function answeredItem(): AnsweredItem | undefined {
    const item = itemOf(state);
    const label = item === undefined ? undefined : categoryOf(item);
    if (item?.answer === undefined || site.info === undefined || label === undefined) return undefined;
    return {
      photos: item.photos,
      request: () => reader.upload(item),
      answer: item.answer,
      info: site.info,
      pictures: item.photos.map((photo) => pictures.of(photo)),
      chosenLabel: label,
    };
  }

  async function discard(item: Item): Promise<void> {
    const stillKept = given.stillKept(item.photos.map(({ id }) => id));
    await session.discard(item);
    notice.show([say.words.draft.discarded, await stillKept].filter((text) => text !== "").join(" "));
  }

  async function listRecent(): Promise<void> {
    recent = await session.recent();
    draw();
  }

  function askInfo(): Promise<InfoResponse | undefined> {
    asking = gateway.info().then((info) => {
      if ("reason" in info) {
        // The gateway may have no model yet: the next photo asks again.
        asking = undefined;
        if (info.reason === "UNAUTHENTICATED") noteKey(info);
        return undefined;
      }
      site = { info, keyFault: undefined, isKeyRefused: false };
      draw();
      return info;
    });
    return asking;
  }

  function noteKey(fault: Fault): void {
    site = { ...site, keyFault: fault, isKeyRefused: siteKey.current() !== undefined };
    draw();
  }

  /** `notes`: what of the gift was not taken, in words. */
  function take(gift: Gift, most: number): { readonly photos: Photos; readonly notes: readonly string[] } {
    const [first, ...others] = gift.photos;
    const photo = (given: GivenPhoto): Photo => ({ ...given, id: newId() });
    const taken = others.slice(0, Math.max(0, most - 1));
    const { ways } = say.words;
    const { files, links, addresses } = gift.leftOut;
    const notes = [
      taken.length < others.length ? ways.onlySome(taken.length + 1, gift.photos.length) : "",
      files > 0 ? ways.leftOut(files) : "",
      links > 0 ? ways.leftOutLinks(links) : "",
      addresses > 0 ? ways.leftOutAddresses(addresses) : "",
    ];
    linkField.take(gift.photos);
    return { photos: [photo(first), ...taken.map(photo)], notes: notes.filter((note) => note !== "") };
  }

  function begin(gift: Gift): void {
    const { photos, notes } = take(gift, mostPhotosOf(site));
    session.begin(photos, false);
    if (notes.length > 0) notice.show(notes.join(" "));
  }

  function add(gift: Gift): void {
    const item = itemOf(state);
    if (item === undefined) return;
    const { photos, notes } = take(gift, mostPhotosOf(site) - item.photos.length);
    send({ name: "added", photos });
    notice.show([say.words.photos.added(photos.length), ...notes].join(" "));
  }

  function receive(gift: Gift, place: Place): void {
    const item = itemOf(state);
    const canAdd = item !== undefined && hasRoom(item, mostPhotosOf(site));
    // Another link in the place of one that failed.
    const isLink = gift.photos.length === 1 && gift.photos[0].kind === "link";
    const isMended = isLink && item?.photos.length === 1 && phaseOf(state) === "failed";
    if (place === "another" || !canAdd || isMended) begin(gift);
    else if (place === "item") add(gift);
    else where.ask(gift, say);
  }

  function receiveNothing(what: Nothing): void {
    const text = say.words.ways[what];
    if (what === "noLink" || what === "emptyLink") {
      linkField.complain(text);
      notice.announce(text);
      linkField.focus();
    } else {
      notice.show(text);
    }
  }

  listenForPhotos({
    onGift: receive,
    onNothing: receiveNothing,
    canAdd: () => {
      const item = itemOf(state);
      return item === undefined ? undefined : hasRoom(item, mostPhotosOf(site));
    },
  });
  const copyButtons = find("copy-buttons", HTMLElement);
  find("copy-json", HTMLButtonElement).addEventListener("click", () => {
    const answer = itemOf(state)?.answer;
    if (answer !== undefined)
      clipboard.copy(JSON.stringify(answer, null, 2), say.words.copy.copied, copyButtons);
  });
  find("copy-curl", HTMLButtonElement).addEventListener("click", () => {
    const item = itemOf(state);
    const hasKey = siteKey.current() !== undefined;
    if (item !== undefined) {
      clipboard.copy(curlCommand(item.photos, location.origin, hasKey), say.words.copy.copied, copyButtons);
    }
  });

  return {
    async start() {
      draw();
      given.show(true);
      const info = askInfo();
      await session.resume();
      // Whatever is shown: it also deletes drafts that are too old.
      await listRecent();
      await info;
    },
    speak(next) {
      say = next;
      notice.clear();
      draw();
      panels.setWords();
      given.setWords();
    },
    missWords() {
      find("language", HTMLSelectElement).value = say.language;
      notice.show(say.words.faults.unreachable.title);
    },
  };
}

function phaseOf(state: PageState): string {
  return state.name === "item" ? state.phase.name : state.name;
}
