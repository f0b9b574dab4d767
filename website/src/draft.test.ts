import { describe, expect, it } from "vitest";
import { draftText, suggestedTitle, titleOf } from "./draft.js";
import { sayIn } from "./say.js";
import { itemWith, say } from "./testing/fixtures.js";

describe("the draft", () => {
  it("suggests a title from the person's words and the category", () => {
    expect(suggestedTitle(itemWith(), say)).toBe("Pants");
    const draft = { words: " levi's 501, blue ", title: undefined };
    expect(suggestedTitle(itemWith({ draft }), say)).toBe("Levi's 501, blue – pants");
    expect(suggestedTitle(itemWith({ draft, chosenLabel: "shorts" }), say)).toBe("Levi's 501, blue – shorts");
  });

  it("keeps the title that the person wrote, also an empty one", () => {
    expect(titleOf(itemWith({ draft: { words: "blue", title: "Mine" } }), say)).toBe("Mine");
    expect(titleOf(itemWith({ draft: { words: "blue", title: "" } }), say)).toBe("");
  });

  it("copies title and category in the language of the page", async () => {
    expect(draftText(itemWith({ draft: { words: "", title: "Mine" } }), say)).toBe("Mine\nCategory: Pants");
    expect(draftText(itemWith(), await sayIn("de"))).toBe("Hose\nKategorie: Hose");
  });
});
