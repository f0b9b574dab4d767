/** The ways to give photos: file inputs, a link, drop and paste anywhere on the page. */
import { firstOfUriList, parseLink } from "../photo.js";
import { find } from "../render/find.js";

/** Files, at least one, or a link. */
export type Gift =
  | {
      readonly kind: "file";
      readonly files: readonly [File, ...File[]];
      /** Files beside them that are no pictures. */
      readonly leftOut: number;
    }
  | { readonly kind: "link"; readonly url: string };

/** Where a gift belongs: to the item on the page, to another one, or the person has yet to say. */
export type Place = "item" | "another" | "unsaid";

export type Nothing = "nothingPasted" | "nothingDropped" | "noLink" | "emptyLink";

export interface Receiver {
  onGift(gift: Gift, place: Place): void;
  /** Something was given in which there is neither a picture nor a link. */
  onNothing(what: Nothing): void;
  /** Whether a drop can be put to the item on the page; undefined: there is none, so there is nothing to tell apart. */
  canAdd(): boolean | undefined;
}

export function giftOf(files: readonly File[]): Gift | undefined {
  // A folder or a text among pictures is left out; the first of several alone is taken, and said to be no picture.
  const pictures = files.filter(({ type }) => type === "" || type.startsWith("image/"));
  const [first, ...others] = pictures.length > 0 ? pictures : files.slice(0, 1);
  if (first === undefined) return undefined;
  return { kind: "file", files: [first, ...others], leftOut: files.length - 1 - others.length };
}

export function listenForPhotos(receiver: Receiver): void {
  for (const [id, place] of [
    ["choose", "another"],
    ["camera", "another"],
    ["add", "item"],
  ] as const) {
    const input = find(id, HTMLInputElement);
    input.addEventListener("change", () => {
      const gift = giftOf([...(input.files ?? [])]);
      // Else choosing the same file once more would be no change.
      input.value = "";
      if (gift !== undefined) receiver.onGift(gift, place);
    });
  }
  // A larger target for the mouse; whoever uses the keyboard or a screen reader has the input itself.
  find("sheet", HTMLElement).addEventListener("click", () => find("choose", HTMLInputElement).click());
  const link = find("link", HTMLInputElement);
  find("chooser", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    const url = parseLink(link.value);
    if (url === undefined) receiver.onNothing(link.value.trim() === "" ? "emptyLink" : "noLink");
    else receiver.onGift({ kind: "link", url }, "unsaid");
  });
  listenForPaste(receiver);
  listenForDrop(receiver);
}

/** Text that is dropped on or pasted into a text field belongs there. */
function isForTextField(event: Event, transfer: DataTransfer): boolean {
  const { target } = event;
  const isText = !transfer.types.includes("Files");
  const isField =
    (target instanceof HTMLInputElement && target.type !== "file") || target instanceof HTMLTextAreaElement;
  return isText && isField;
}

/** The files or the first link of a paste or drop. */
function giftOfTransfer(transfer: DataTransfer): Gift | undefined {
  const gift = giftOf([...transfer.files]);
  if (gift !== undefined) return gift;
  const url = firstOfUriList(transfer.getData("text/uri-list")) ?? parseLink(transfer.getData("text/plain"));
  return url === undefined ? undefined : { kind: "link", url };
}

function listenForPaste(receiver: Receiver): void {
  document.addEventListener("paste", (event) => {
    const transfer = event.clipboardData;
    if (transfer === null || isForTextField(event, transfer)) return;
    event.preventDefault();
    const gift = giftOfTransfer(transfer);
    if (gift === undefined) receiver.onNothing("nothingPasted");
    else receiver.onGift(gift, "unsaid");
  });
}

function listenForDrop(receiver: Receiver): void {
  const zones = find("zones", HTMLElement);
  const zoneAdd = find("zone-add", HTMLElement);
  const zoneAnother = find("zone-another", HTMLElement);
  const zoneAt = ({ clientX: x, clientY: y }: DragEvent): HTMLElement | undefined =>
    [zoneAdd, zoneAnother].find((zone) => {
      const box = zone.getBoundingClientRect();
      return !zone.hidden && x >= box.left && x <= box.right && y >= box.top && y <= box.bottom;
    });
  const stop = () => {
    zones.hidden = true;
    document.body.removeAttribute("data-dragging");
  };
  const droppable = (event: DragEvent) => {
    const transfer = event.dataTransfer;
    const kinds = transfer?.types ?? [];
    const holdsAny = ["Files", "text/uri-list", "text/plain"].some((kind) => kinds.includes(kind));
    return transfer !== null && holdsAny && !isForTextField(event, transfer) ? transfer : undefined;
  };
  document.addEventListener("dragover", (event) => {
    if (droppable(event) === undefined) {
      stop();
      return;
    }
    // Cancelling dragover is what makes an element accept a drop.
    event.preventDefault();
    document.body.dataset.dragging = "";
    const canAdd = receiver.canAdd();
    zones.hidden = canAdd === undefined;
    zoneAdd.hidden = canAdd !== true;
    const over = zoneAt(event);
    for (const zone of [zoneAdd, zoneAnother]) zone.classList.toggle("over", zone === over);
  });
  document.addEventListener("dragleave", (event) => {
    // Null: the pointer left the window, not one element for another.
    if (event.relatedTarget === null) stop();
  });
  document.addEventListener("drop", (event) => {
    const zone = zones.hidden ? undefined : zoneAt(event);
    stop();
    const transfer = droppable(event);
    if (transfer === undefined) return;
    event.preventDefault();
    const gift = giftOfTransfer(transfer);
    if (gift === undefined) receiver.onNothing("nothingDropped");
    else receiver.onGift(gift, zone === undefined ? "unsaid" : zone === zoneAdd ? "item" : "another");
  });
}
