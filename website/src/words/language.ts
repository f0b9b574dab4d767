/** The words of each language, and where they come from. */
import type { Language } from "./choice.js";
import { en, type Words } from "./en.js";

export type { Words } from "./en.js";

/** Each language in its own words, for the menu. */
export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = {
  en: "English",
  de: "Deutsch",
  ar: "العربية",
};

/** The words of a language. English is part of the page; the others are files of their own, loaded when asked for. */
export async function loadWords(language: Language): Promise<Words> {
  switch (language) {
    case "en":
      return en;
    case "de":
      return (await import("./de.js")).de;
    case "ar":
      return (await import("./ar.js")).ar;
  }
}

/** A label as people say it in the words' language, with soft hyphens where the name is long: for narrow places, and never to be copied. */
export function breakableName(words: Words, label: string): string {
  return (Object.hasOwn(words.categories, label) ? words.categories[label] : undefined) ?? label;
}

/** A label as people say it in the words' language. */
export function categoryName(words: Words, label: string): string {
  return breakableName(words, label).replaceAll("\u00ad", "");
}
