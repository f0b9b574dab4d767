import { describe, expect, it } from "vitest";
import { giftOf } from "./ways-in.js";

const file = (name: string, type: string) => new File(["x"], name, { type });

function given(...files: readonly File[]) {
  const gift = giftOf(files);
  return gift?.kind === "file" ? [gift.files.map(({ name }) => name), gift.leftOut] : gift;
}

describe("giftOf", () => {
  const [photo, list, note] = [
    file("a.jpg", "image/jpeg"),
    file("b.pdf", "application/pdf"),
    file("c", "text/plain"),
  ];

  it("takes the pictures, and counts what else was chosen with them", () => {
    expect(given(list, photo, note)).toEqual([["a.jpg"], 2]);
    expect(given(photo, file("IMG_1", ""))).toEqual([["a.jpg", "IMG_1"], 0]);
  });

  it("takes the first of files that are all no pictures, to be told so, and counts the others", () => {
    expect(given(list)).toEqual([["b.pdf"], 0]);
    expect(given(list, note)).toEqual([["b.pdf"], 1]);
    expect(given()).toBeUndefined();
  });
});
