/** The photos of the item: one large, all of them in a strip. */
import type { Item } from "../item.js";
import { shownPhotoOf } from "../item.js";
import { hostOf, type Photo } from "../photo.js";
import type { Picture, Pictures } from "../pictures.js";
import type { Say } from "../say.js";
import { capitalised } from "../say.js";
import { breakableName, categoryName } from "../words/language.js";
import { find, make, setText } from "./find.js";

export interface PhotosView {
  readonly item: Item | undefined;
  /** Of the large picture. */
  readonly alt: string;
  /** The photo at fault, and what is wrong with it. */
  readonly faulty: { readonly id: string; readonly title: string } | undefined;
  readonly canAdd: boolean;
  readonly say: Say;
}

export interface PhotosActions {
  onShow(photoId: string): void;
  onRemove(photoId: string): void;
  /** The large picture has taken its room. */
  onLoaded(): void;
}

export function createPhotos(pictures: Pictures, actions: PhotosActions) {
  const sheet = find("sheet", HTMLElement);
  const figure = find("photo", HTMLElement);
  const large = find("picture", HTMLImageElement);
  const caption = find("caption", HTMLElement);
  const strip = find("strip", HTMLElement);
  const thumbs = find("thumbs", HTMLElement);
  const addWay = find("add-way", HTMLElement);
  /** Pictures that this browser could not draw, by their address. */
  const broken = new Set<string>();
  let drawn = "";
  let last: PhotosView | undefined;

  large.addEventListener("load", actions.onLoaded);
  large.addEventListener("error", () => {
    const url = large.getAttribute("src");
    if (url !== null) leaveOut(url);
  });

  /** Draws words in the place of a picture that this browser cannot draw. */
  function leaveOut(url: string): void {
    if (broken.has(url)) return;
    broken.add(url);
    if (last !== undefined) render(last);
  }

  function drawableUrl(picture: Picture): string | undefined {
    return picture.name === "ready" && !broken.has(picture.url) ? picture.url : undefined;
  }

  function render(view: PhotosView): void {
    last = view;
    const { item } = view;
    sheet.hidden = item !== undefined;
    figure.hidden = item === undefined;
    strip.hidden = item === undefined;
    if (item === undefined) {
      large.removeAttribute("src");
      return;
    }
    const shown = shownPhotoOf(item);
    if (shown !== undefined) renderLarge(shown, view);
    addWay.hidden = !view.canAdd;
    renderStrip(item, view);
  }

  function renderLarge(photo: Photo, { alt, say }: PhotosView): void {
    const picture = pictures.of(photo);
    const url = drawableUrl(picture);
    large.alt = alt;
    large.hidden = url === undefined;
    if (url === undefined) large.removeAttribute("src");
    else if (large.getAttribute("src") !== url) large.src = url;
    setText(caption, url === undefined ? captionOf(photo, picture, say) : "");
  }

  /** Drawn anew only when something in it is other, so that the focus stays where it is. */
  function renderStrip(item: Item, { faulty, say }: PhotosView): void {
    const entries = item.photos.map((photo, index) => {
      const answer = item.answer?.photos?.[index];
      const saidWith = (nameOf: typeof categoryName) =>
        answer === undefined
          ? ""
          : say.words.photos.said(
              capitalised(nameOf(say.words, answer.top_class)),
              say.formats.percent(answer.top_probability),
            );
      return {
        id: photo.id,
        number: say.formats.integer(index + 1),
        url: drawableUrl(pictures.of(photo)),
        isShown: photo === shownPhotoOf(item),
        fault: photo.id === faulty?.id ? faulty.title : "",
        said: saidWith(categoryName),
        saidNarrow: saidWith(breakableName),
      };
    });
    const wanted = JSON.stringify([say.language, entries]);
    if (wanted === drawn) return;
    drawn = wanted;
    const focused = focusedThumb();
    thumbs.hidden = entries.length < 2;
    thumbs.replaceChildren(...entries.map((entry) => thumbItem(entry, entries.length > 1, say)));
    thumbs.querySelector<HTMLElement>(focused)?.focus();
  }

  function focusedThumb(): string {
    const { activeElement } = document;
    const isThumb = activeElement instanceof HTMLElement && thumbs.contains(activeElement);
    return isThumb ? `[data-key="${activeElement.dataset.key ?? ""}"]` : "[data-key=none]";
  }

  function thumbItem(entry: ThumbEntry, canRemove: boolean, { words }: Say): HTMLLIElement {
    const { id, number, url, isShown, fault, said, saidNarrow } = entry;
    const item = make("li", "thumb");
    const show = make("button", "thumb-show");
    show.type = "button";
    show.dataset.key = `show-${id}`;
    show.ariaPressed = String(isShown);
    const told = fault === "" ? said : fault;
    show.ariaLabel = told === "" ? words.photos.show(number) : `${words.photos.show(number)}: ${told}`;
    show.classList.toggle("is-faulty", fault !== "");
    if (url === undefined) {
      show.append(make("span", "thumb-blank", number));
    } else {
      const image = make("img");
      image.alt = "";
      image.src = url;
      image.addEventListener("error", () => leaveOut(url));
      show.append(image);
    }
    show.addEventListener("click", () => actions.onShow(id));
    item.append(show);
    if (canRemove) {
      const remove = make("button", "thumb-remove", "×");
      remove.type = "button";
      remove.dataset.key = `remove-${id}`;
      remove.ariaLabel = words.photos.remove(number);
      remove.addEventListener("click", () => actions.onRemove(id));
      item.append(remove);
    }
    if (saidNarrow !== "") {
      const text = make("span", "thumb-said", saidNarrow);
      text.ariaHidden = "true";
      item.append(text);
    }
    return item;
  }

  return { render };
}

interface ThumbEntry {
  readonly id: string;
  readonly number: string;
  readonly url: string | undefined;
  readonly isShown: boolean;
  readonly fault: string;
  readonly said: string;
  /** The same with soft hyphens, as it stands under the picture. */
  readonly saidNarrow: string;
}

/** What stands in the place of a picture that is not there. */
function captionOf(photo: Photo, picture: Picture, { words, formats }: Say): string {
  if (photo.kind === "file") return words.photos.cannotShow(photo.file.name || words.photos.thisFile);
  const host = hostOf(photo.url);
  if (picture.name === "failed") return words.photos.from(host);
  const share = picture.name === "loading" ? picture.share : undefined;
  const loading = words.photos.loadingFrom(host);
  return share === undefined ? loading : words.photos.said(loading, formats.percent(share));
}
