import type { PageElements } from "./page-elements.js";
import { hostOf } from "./photo.js";
import type { Candidate, View } from "./view.js";

function setText(element: HTMLElement, text: string): void {
  // Untouched when it is the same: a live region speaks at every write.
  if (element.textContent !== text) {
    element.textContent = text;
  }
  element.hidden = text === "";
}

/** Brings the page to a view. */
export function render(elements: PageElements, view: View): void {
  document.title = view.documentTitle;
  document.body.dataset.tone = view.tone;
  renderPhoto(elements, view);
  setText(elements.eyebrow, view.eyebrow);
  setText(elements.heading, view.heading);
  const longestWord = Math.max(...view.heading.split(/\s/).map((word) => word.length));
  elements.heading.style.setProperty("--letters", String(longestWord));
  setText(elements.words, view.certainty);
  setText(elements.percent, view.percent);
  elements.verdict.hidden = view.certainty === "";
  setText(elements.lead, view.lead);
  renderProgress(elements.progress, view.progress);
  setText(elements.othersTitle, view.othersTitle);
  elements.others.hidden = view.others.length === 0;
  elements.candidates.replaceChildren(...view.others.map(candidateItem));
  elements.retry.hidden = !view.canRetry;
  elements.cancel.hidden = !view.canCancel;
  elements.actions.hidden = !view.canRetry && !view.canCancel;
  setText(elements.fine, view.fine);
  setText(elements.chooserTitle, view.chooserTitle);
  elements.chooser.hidden = view.canCancel;
  if (elements.announcer.textContent !== view.announcement) {
    elements.announcer.textContent = view.announcement;
  }
}

function renderPhoto(elements: PageElements, { photo, photoAlt }: View): void {
  elements.sheet.hidden = photo !== undefined;
  elements.photo.hidden = photo === undefined;
  elements.picture.alt = photoAlt;
  if (photo === undefined) {
    elements.picture.removeAttribute("src");
    return;
  }
  if (photo.kind === "link") {
    // Other websites are not asked from here: the page stays free of third-party requests.
    elements.picture.hidden = true;
    setText(elements.caption, `A photo from ${hostOf(photo.url)}`);
    return;
  }
  if (elements.picture.getAttribute("src") !== photo.previewUrl) {
    elements.picture.src = photo.previewUrl;
    elements.picture.hidden = false;
    elements.caption.hidden = true;
    elements.picture.onerror = () => {
      elements.picture.hidden = true;
      setText(elements.caption, `${photo.file.name || "This file"} cannot be shown here`);
    };
  } else if (elements.picture.hidden && elements.picture.naturalWidth > 0) {
    elements.picture.hidden = false;
    elements.caption.hidden = true;
  }
}

function renderProgress(element: HTMLProgressElement, progress: View["progress"]): void {
  element.hidden = progress === undefined;
  if (typeof progress === "number") {
    element.value = progress;
  } else {
    element.removeAttribute("value");
  }
}

function candidateItem({ label, percent, share }: Candidate): HTMLLIElement {
  const item = document.createElement("li");
  const name = document.createElement("span");
  name.className = "candidate-label";
  name.textContent = label;
  const number = document.createElement("span");
  number.className = "candidate-percent";
  number.textContent = percent;
  const bar = document.createElement("span");
  bar.className = "bar";
  bar.style.setProperty("--share", String(share));
  // A space between the two, for what reads or copies the text of the row.
  item.append(name, " ", number, bar);
  return item;
}
