import { describe, expect, it } from "vitest";
import { giftOf } from "./ways-in.js";

const file = (name: string, type: string) => new File(["x"], name, { type });

type Given = Parameters<typeof giftOf>;

/** What is taken, by name or address, and how much is left out: files, links, addresses. */
function takenOf(...given: Given) {
  const gift = giftOf(...given);
  if (gift === undefined) return undefined;
  const { files, links, addresses } = gift.leftOut;
  return [
    gift.photos.map((photo) => (photo.kind === "file" ? photo.file.name : photo.url)),
    [files, links, addresses],
  ];
}

describe("giftOf", () => {
  const [photo, list, note] = [
    file("a.jpg", "image/jpeg"),
    file("b.pdf", "application/pdf"),
    file("c", "text/plain"),
  ];

  it("takes the pictures, and counts what else was chosen with them", () => {
    expect(takenOf([list, photo, note])).toEqual([["a.jpg"], [2, 0, 0]]);
    expect(takenOf([photo, file("IMG_1", "")])).toEqual([
      ["a.jpg", "IMG_1"],
      [0, 0, 0],
    ]);
  });

  it("takes the first of files that are all no pictures, to be told so, and counts the others", () => {
    expect(takenOf([list])).toEqual([["b.pdf"], [0, 0, 0]]);
    expect(takenOf([list, note])).toEqual([["b.pdf"], [1, 0, 0]]);
    expect(takenOf([])).toBeUndefined();
  });

  const links = ["https://example.com/a.jpg", "https://example.com/b.jpg"];

  it("takes every link of a list, and counts the addresses that are no links", () => {
    expect(takenOf([], { links, others: 1 })).toEqual([links, [0, 0, 1]]);
  });

  it("takes pictures before the links that came with them, and counts these", () => {
    expect(takenOf([photo], { links, others: 0 })).toEqual([["a.jpg"], [0, 2, 0]]);
  });

  it("leaves out nothing of an image dragged from a page, which is a file and a link at once", () => {
    expect(takenOf([photo], { links: links.slice(1), others: 0 }, true)).toEqual([["a.jpg"], [0, 0, 0]]);
  });

  it("takes the links before files that are no pictures, and counts these", () => {
    expect(takenOf([list, note], { links, others: 0 })).toEqual([links, [2, 0, 0]]);
  });
});
