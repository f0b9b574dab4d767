/** Which language the page speaks. Nothing here knows any words: the first bytes of the page are chosen by it, too. */

export const LANGUAGES = ["en", "de", "ar"] as const;

export type Language = (typeof LANGUAGES)[number];

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

/** The language that this visit begins in. */
export function wantedLanguage(): Language {
  return chooseLanguage({
    search: location.search,
    kept: keptLanguage(),
    languages: navigator.languages,
  });
}

/** The person's choice of an earlier visit; null where there is none, or the browser keeps nothing. */
function keptLanguage(): string | null {
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
