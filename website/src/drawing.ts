/** Draws the whole page from its state. */
import type { Item } from "./item.js";
import { hasRoom } from "./item.js";
import type { PageState } from "./page-state.js";
import { itemOf } from "./page-state.js";
import type { Pictures } from "./pictures.js";
import type { DraftActions } from "./render/draft-form.js";
import { createDraftForm } from "./render/draft-form.js";
import { createDraftList } from "./render/draft-list.js";
import { find, setText } from "./render/find.js";
import { createKeyForm } from "./render/key-form.js";
import type { Notice } from "./render/notice.js";
import type { PhotosActions } from "./render/photos.js";
import { createPhotos } from "./render/photos.js";
import { createSamples } from "./render/samples.js";
import { createSearchBox } from "./render/search-box.js";
import { renderStaticWords } from "./render/static-words.js";
import type { TagActions } from "./render/tag.js";
import { createTag } from "./render/tag.js";
import type { Say } from "./say.js";
import { knowsText, limitsText, type Site, tagViewOf } from "./tag-view.js";

export interface DrawingActions extends TagActions, DraftActions, Omit<PhotosActions, "onLoaded"> {
  onKey(key: string): void;
  onSample(file: File): void;
  onSampleFailed(): void;
  onOpenDraft(itemId: string): void;
}

interface Scene {
  readonly state: PageState;
  readonly site: Site;
  readonly say: Say;
  /** Whether the browser keeps drafts. */
  readonly isKept: boolean;
  /** Drafts of earlier visits. */
  readonly recent: readonly Item[];
}

export interface Drawing {
  draw(scene: Scene): void;
  /** Puts the focus on the heading, whose controls before are gone or changed, and brings it into view. */
  focusHeading(): void;
}

const HEIC_FILES = ["image/heic", "image/heif", ".heic", ".heif"];

/** Taken for one item before the gateway has said how many it takes: as many as it does unless it was told otherwise. */
const MOST_UNKNOWN = 10;

export function mostPhotosOf({ info }: Site): number {
  return info?.limits.max_images ?? MOST_UNKNOWN;
}

export function createDrawing(pictures: Pictures, notice: Notice, actions: DrawingActions): Drawing {
  const tag = createTag(actions);
  const showHeading = () => tag.heading.scrollIntoView({ block: "nearest" });
  const photos = createPhotos(pictures, {
    ...actions,
    // The picture has taken its room, maybe after the answer came, and pushed the heading down.
    onLoaded: () => {
      if (document.activeElement === tag.heading) showHeading();
    },
  });
  const search = createSearchBox({ onChoose: actions.onChoose, announce: notice.announce });
  const draft = createDraftForm(actions);
  const key = createKeyForm(actions.onKey);
  const samples = createSamples(actions.onSample, actions.onSampleFailed);
  const drafts = createDraftList(actions.onOpenDraft);
  const chooser = find("chooser", HTMLElement);
  const chooserTitle = find("chooser-title", HTMLElement);
  const limits = find("limits", HTMLElement);
  const knows = find("knows", HTMLElement);
  const copying = find("copying", HTMLElement);
  let announced = "";
  let drawn: Scene | undefined;

  function drawSite({ site, say }: Scene): void {
    if (site.info === undefined) {
      setText(limits, say.words.ways.kindsUnknown);
      return;
    }
    setText(limits, limitsText(site.info, say));
    // An iPhone that sees no HEIC in it hands its photos over as JPEG; a computer would hide them, and say nothing.
    const others = matchMedia("(any-pointer: fine)").matches ? HEIC_FILES : [];
    const accept = [...site.info.limits.media_types, ...others].join(",");
    for (const id of ["choose", "add"]) find(id, HTMLInputElement).accept = accept;
  }

  return {
    draw(scene) {
      const { state, site, say, isKept, recent } = scene;
      const before = drawn;
      drawn = scene;
      if (before?.say !== say) renderStaticWords(say);
      if (before?.say !== say || before.site.info !== site.info) drawSite(scene);
      const item = itemOf(state);
      const isAnswered = state.name === "item" && state.phase.name === "answered";
      const isReading = state.name === "item" && state.phase.name === "reading";
      const view = tagViewOf(state, site, say);
      tag.render(view);
      const beforeItem = before === undefined ? undefined : itemOf(before.state);
      if (beforeItem?.id !== item?.id) search.close();
      // Beside choices it says that none of them is right.
      const opening = view.choices.length > 0 ? say.words.answer.none : say.words.answer.other;
      search.render(site.info?.labels ?? [], view.canSearch, opening, say);
      key.render(view.asksKey, say);
      pictures.show(item?.photos ?? []);
      const canAdd = item !== undefined && hasRoom(item, mostPhotosOf(site));
      const faultyId =
        state.name === "item" && state.phase.name === "failed" ? state.phase.photoId : undefined;
      const faulty = faultyId === undefined ? undefined : { id: faultyId, title: view.heading };
      photos.render({ item, alt: view.photoAlt, faulty, canAdd, say });
      draft.render({ item: isAnswered ? item : undefined, labels: site.info?.labels ?? [], isKept, say });
      copying.hidden = !isAnswered;
      chooser.hidden = isReading;
      setText(chooserTitle, item === undefined ? say.words.ways.title : say.words.ways.titleAnother);
      const isStart = state.name === "start";
      setText(knows, isStart && site.info !== undefined ? knowsText(site.info, say) : "");
      if (before?.say !== say || isStart !== (before.state.name === "start")) {
        samples.render(isStart, say);
      }
      if (before?.say !== say || before.recent !== recent || before.state.name !== state.name) {
        drafts.render(isStart ? recent : [], say);
      }
      // Only a change of it: what was announced aside in the meantime stays.
      if (view.announcement !== announced) {
        announced = view.announcement;
        notice.announce(announced);
      }
    },
    focusHeading() {
      // focus() does not scroll to what already has the focus.
      tag.heading.focus({ preventScroll: true });
      showHeading();
    },
  };
}
