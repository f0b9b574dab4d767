/** Words that only the build needs, for a page that is read before its script, or without one. */
import type { Language } from "./choice.js";

export interface HeadWords {
  /** Of the page, as search engines and links to it show it. */
  readonly description: string;
  /** For a browser without JavaScript; before a link to the API. */
  readonly noScript: string;
}

export const HEAD_WORDS: Readonly<Record<Language, HeadWords>> = {
  en: {
    description: "Show photos of an item and read the category to list it under.",
    noScript: "This page needs JavaScript to send your photo. Without it there is the",
  },
  de: {
    description: "Zeig Fotos eines Artikels und lies die Kategorie, in die er gehört.",
    noScript: "Diese Seite braucht JavaScript, um dein Foto zu senden. Ohne gibt es die",
  },
  ar: {
    description: "اعرض صور سلعة واقرأ الفئة التي تُدرج تحتها.",
    noScript: "تحتاج هذه الصفحة إلى JavaScript لإرسال صورتك. وبدونه توجد",
  },
};
