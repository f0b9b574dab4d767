/** The words that stand in index.html, in the language of the moment. */

import type { Say } from "../say.js";
import { directionOf, LANGUAGES } from "../words/choice.js";
import { LANGUAGE_NAMES, type Words } from "../words/language.js";
import { find, make } from "./find.js";

/** The text at a path such as "start.heading". */
export function wordsAt(words: Words, path: string): string {
  let found: unknown = words;
  for (const name of path.split(".")) {
    found = typeof found === "object" && found !== null ? Reflect.get(found, name) : undefined;
  }
  if (typeof found !== "string") throw new Error(`there are no words "${path}"`);
  return found;
}

/** Says everything that index.html marks with `data-words` and `data-words-aria-label`. */
export function renderStaticWords({ language, words }: Say): void {
  document.documentElement.lang = language;
  document.documentElement.dir = directionOf(language);
  for (const element of document.querySelectorAll<HTMLElement>("[data-words]")) {
    const text = wordsAt(words, element.dataset.words ?? "");
    // Most of it stands there from the first byte on, and need not be laid out again.
    if (element.textContent !== text) element.textContent = text;
  }
  for (const element of document.querySelectorAll<HTMLElement>("[data-words-aria-label]")) {
    element.ariaLabel = wordsAt(words, element.dataset.wordsAriaLabel ?? "");
  }
  const menu = find("language", HTMLSelectElement);
  if (menu.options.length < LANGUAGES.length) {
    menu.replaceChildren(
      ...LANGUAGES.map((each) => {
        const option = make("option", "", LANGUAGE_NAMES[each]);
        option.value = each;
        option.lang = each;
        return option;
      }),
    );
  }
  menu.value = language;
}
