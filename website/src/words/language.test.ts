import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { wordsAt } from "../render/static-words.js";
import { chooseLanguage, LANGUAGES } from "./choice.js";
import { breakableName, categoryName, loadWords, type Words } from "./language.js";

/** Every text of a catalogue by its path; functions are called with plain arguments. */
function textsOf(value: unknown, path = ""): readonly (readonly [string, string])[] {
  if (typeof value === "string") return [[path, value]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, entry]) =>
    textsOf(entry, path === "" ? name : `${path}.${name}`),
  );
}

const none = { search: "", kept: null, languages: [] };

describe("chooseLanguage", () => {
  it("takes what the address asks for, then the kept choice, then the browser's, then English", () => {
    expect(chooseLanguage({ search: "?lang=ar", kept: "de", languages: ["en"] })).toBe("ar");
    expect(chooseLanguage({ ...none, kept: "de", languages: ["ar"] })).toBe("de");
    expect(chooseLanguage({ ...none, languages: ["fr-CH", "de-CH", "en"] })).toBe("de");
    expect(chooseLanguage({ ...none, languages: ["fr"] })).toBe("en");
    expect(chooseLanguage({ ...none, search: "?lang=xx", languages: ["ar-EG"] })).toBe("ar");
  });
});

describe("the catalogues", () => {
  it.each(LANGUAGES)("%s leaves nothing empty", async (language) => {
    for (const [path, text] of textsOf(await loadWords(language))) expect(text.trim(), path).not.toBe("");
  });

  it.each(["de", "ar"] as const)("%s leaves nothing in English but names", async (language) => {
    const english = new Map(textsOf(await loadWords("en")));
    const same = textsOf(await loadWords(language)).filter(([path, text]) => english.get(path) === text);
    expect(same.map(([path]) => path)).toEqual(["api"]);
  });

  it("index.html names only words that there are, and holds them in English", async () => {
    const html = await readFile(new URL("../../index.html", import.meta.url), "utf8");
    const words = await loadWords("en");
    const marked = [...html.matchAll(/data-words(?:-aria-label)?="([\w.]+)"/g)].map(([, path = ""]) => path);
    expect(marked.length).toBeGreaterThan(20);
    for (const path of marked) expect(wordsAt(words, path)).not.toBe("");
  });
});

describe("categoryName", () => {
  const words: Words = { ...({} as Words), categories: { pants: "Hose" } };

  it("names the labels that it knows and shows others as they are", () => {
    expect(categoryName(words, "pants")).toBe("Hose");
    expect(categoryName(words, "space suit")).toBe("space suit");
    expect(categoryName(words, "constructor")).toBe("constructor");
  });
});

describe("a long name", () => {
  it("can be broken where it stands in a narrow place, and is whole where it is copied", async () => {
    const words = await loadWords("de");
    expect(breakableName(words, "longsleeve")).toBe("Langarm\u00adshirt");
    expect(categoryName(words, "longsleeve")).toBe("Langarmshirt");
  });
});
