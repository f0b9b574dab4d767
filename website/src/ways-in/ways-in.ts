/** The ways to give photos: file inputs, a link, drop and paste anywhere on the page. */
import { type LinkList, linksOf, parseLink } from "../photo.js";
import { find } from "../render/find.js";

/** A picture as it was given; it becomes a photo of an item. */
export type GivenPhoto =
  | { readonly kind: "file"; readonly file: File }
  | { readonly kind: "link"; readonly url: string };

/** What was given at once: files or links, at least one, and how much was left out beside them. */
export interface Gift {
  readonly photos: readonly [GivenPhoto, ...GivenPhoto[]];
  readonly leftOut: {
    /** Files that are no pictures. */
    readonly files: number;
    /** Links that came with files and may be other pictures than these. */
    readonly links: number;
    /** Addresses among links that are none. */
    readonly addresses: number;
  };
}

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

const NO_LINKS: LinkList = { links: [], others: 0 };

/** @param isOneImage the files and the links are the same picture, dragged from a page. */
export function giftOf(files: readonly File[], list = NO_LINKS, isOneImage = false): Gift | undefined {
  const pictures = files.filter(({ type }) => type === "" || type.startsWith("image/"));
  const areLinks = pictures.length === 0 && list.links.length > 0;
  // A folder or a text among pictures is left out; the first of several alone is taken, and said to be no picture.
  const taken = pictures.length > 0 || areLinks ? pictures : files.slice(0, 1);
  const [first, ...others] = areLinks
    ? list.links.map((url) => ({ kind: "link", url }) as const)
    : taken.map((file) => ({ kind: "file", file }) as const);
  if (first === undefined) return undefined;
  return {
    photos: [first, ...others],
    leftOut: {
      files: files.length - taken.length,
      links: areLinks || isOneImage ? 0 : list.links.length,
      addresses: areLinks ? list.others : 0,
    },
  };
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
    const gift = giftOf([], { links: url === undefined ? [] : [url], others: 0 });
    if (gift === undefined) receiver.onNothing(link.value.trim() === "" ? "emptyLink" : "noLink");
    else receiver.onGift(gift, "unsaid");
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

/** The files, else the links, of a paste or drop. */
function giftOfTransfer(transfer: DataTransfer): Gift | undefined {
  const list = linksOf(transfer.getData("text/uri-list"));
  const text = linksOf(transfer.getData("text/plain"));
  // A text that holds more than links is no list of them.
  const spoken = text.others === 0 ? text : NO_LINKS;
  // An image that is dragged from a page comes as a file, as its address and as this markup.
  const isOneImage = /<img\b/i.test(transfer.getData("text/html"));
  return giftOf([...transfer.files], list.links.length > 0 ? list : spoken, isOneImage);
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
