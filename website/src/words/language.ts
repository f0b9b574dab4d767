/** Which language the page speaks, and where its words come from. */
import { en, type Words } from "./en.js";

export type { Words } from "./en.js";

export const LANGUAGES = ["en", "de", "ar"] as const;

export type Language = (typeof LANGUAGES)[number];

/** Each language in its own words, for the menu. */
export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = {
  en: "English",
  de: "Deutsch",
  ar: "العربية",
};

const CHOICE = "vitrine.language";

export function isLanguage(text: string | null): text is Language {
  return LANGUAGES.some((language) => language === text);
}

export function directionOf(language: Language): "ltr" | "rtl" {
  return language === "ar" ? "rtl" : "ltr";
}

interface Wishes {
  /** Query of the page's address. */
  readonly search: string;
  /** The person's earlier choice. */
  readonly kept: string | null;
  /** Of the browser, best first: `navigator.languages`. */
  readonly languages: readonly string[];
}

/** `?lang=`, else the kept choice, else the first of the browser's languages that the page speaks, else English. */
export function chooseLanguage({ search, kept, languages }: Wishes): Language {
  const asked = new URLSearchParams(search).get("lang");
  const candidates = [asked, kept, ...languages.map((tag) => tag.toLowerCase().split("-", 1)[0] ?? "")];
  return candidates.find(isLanguage) ?? "en";
}

/** The person's choice of an earlier visit; null where there is none, or the browser keeps nothing. */
export function keptLanguage(): string | null {
  try {
    return localStorage.getItem(CHOICE);
  } catch {
    // Storage is blocked: the choice then holds for this visit.
    return null;
  }
}

export function keepLanguage(language: Language): void {
  try {
    localStorage.setItem(CHOICE, language);
  } catch {
    // As above.
  }
}

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
