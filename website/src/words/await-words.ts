/** No text is seen in a language that is not the person's: the page keeps still until its words are there. */
import { wantedLanguage } from "./choice.js";

/**
 * Before the first paint, from inside the page: the gateway chose the language of these bytes by the browser's languages,
 * and knows nothing of an earlier choice, which lies in this browser; another server has one language for everybody.
 * The style shows the page after a while in any case (styles/base.css).
 */
export function awaitWords(): void {
  const { documentElement: page } = document;
  if (wantedLanguage() !== page.lang) page.dataset.awaits = "words";
}

/** The words are on the page. */
export function showSpoken(): void {
  delete document.documentElement.dataset.awaits;
}
