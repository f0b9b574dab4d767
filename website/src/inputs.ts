import type { PageElements } from "./page-elements.js";
import { firstOfUriList, parseLink } from "./photo.js";

/** What a person gave, by whichever way. */
export interface Given {
  onFiles(files: readonly File[]): void;
  onLink(url: string): void;
  /** Something was given in which there is neither a picture nor a link. */
  onNothing(text: string, isLinkField: boolean): void;
}

const NO_LINK = "This is not a link. A link begins with https:// or http://";

/** Wires the ways to give a photo: the two file inputs, the link, drop and paste anywhere on the page. */
export function listenForPhotos(elements: PageElements, given: Given): void {
  for (const input of [elements.choose, elements.camera]) {
    input.addEventListener("change", () => {
      const files = [...(input.files ?? [])];
      // Else choosing the same file once more would be no change.
      input.value = "";
      if (files.length > 0) {
        given.onFiles(files);
      }
    });
  }
  // A larger target for the mouse; whoever uses the keyboard or a screen reader has the input itself.
  elements.sheet.addEventListener("click", () => elements.choose.click());
  elements.chooser.addEventListener("submit", (event) => {
    event.preventDefault();
    const url = parseLink(elements.link.value);
    if (url === undefined) {
      given.onNothing(elements.link.value.trim() === "" ? "Type or paste a link first." : NO_LINK, true);
    } else {
      given.onLink(url);
    }
  });
  listenForPaste(given);
  listenForDrop(given);
}

/** Takes the files or the first link of a paste or drop; false when there is neither. */
function take(transfer: DataTransfer, given: Given): boolean {
  const files = [...transfer.files];
  if (files.length > 0) {
    given.onFiles(files);
    return true;
  }
  const url = firstOfUriList(transfer.getData("text/uri-list")) ?? parseLink(transfer.getData("text/plain"));
  if (url !== undefined) {
    given.onLink(url);
  }
  return url !== undefined;
}

function listenForPaste(given: Given): void {
  document.addEventListener("paste", (event) => {
    const transfer = event.clipboardData;
    const isTyping = event.target instanceof HTMLInputElement;
    // Text pasted into the link field stays there, to be looked at before it is sent.
    if (transfer === null || (isTyping && transfer.files.length === 0)) {
      return;
    }
    event.preventDefault();
    if (!take(transfer, given)) {
      given.onNothing("There is no picture and no link on the clipboard.", false);
    }
  });
}

function listenForDrop(given: Given): void {
  const stopDragging = () => document.body.removeAttribute("data-dragging");
  document.addEventListener("dragover", (event) => {
    const kinds = event.dataTransfer?.types ?? [];
    if (kinds.includes("Files") || kinds.includes("text/uri-list") || kinds.includes("text/plain")) {
      // Cancelling dragover is what makes an element accept a drop.
      event.preventDefault();
      document.body.dataset.dragging = "";
    }
  });
  document.addEventListener("dragleave", (event) => {
    // Null: the pointer left the window, not one element for another.
    if (event.relatedTarget === null) {
      stopDragging();
    }
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    stopDragging();
    if (event.dataTransfer !== null && !take(event.dataTransfer, given)) {
      given.onNothing("What you dropped holds no picture and no link.", false);
    }
  });
}
