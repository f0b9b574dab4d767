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

/** Text that is dropped on or pasted into a text field belongs there. */
function isForTextField(event: Event, transfer: DataTransfer): boolean {
  const { target } = event;
  const isText = !transfer.types.includes("Files");
  return isText && target instanceof HTMLInputElement && target.type !== "file";
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
    if (transfer === null || isForTextField(event, transfer)) {
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
  const droppable = (event: DragEvent) => {
    const transfer = event.dataTransfer;
    const kinds = transfer?.types ?? [];
    const holdsAny = ["Files", "text/uri-list", "text/plain"].some((kind) => kinds.includes(kind));
    return transfer !== null && holdsAny && !isForTextField(event, transfer) ? transfer : undefined;
  };
  document.addEventListener("dragover", (event) => {
    if (droppable(event) === undefined) {
      stopDragging();
    } else {
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
    stopDragging();
    const transfer = droppable(event);
    if (transfer === undefined) {
      return;
    }
    event.preventDefault();
    if (!take(transfer, given)) {
      given.onNothing("What you dropped holds no picture and no link.", false);
    }
  });
}
