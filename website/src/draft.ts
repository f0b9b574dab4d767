/** The draft of a listing: its title, as suggested or as written. */
import type { Item } from "./item.js";
import { categoryOf } from "./item.js";
import { capitalised, type Say } from "./say.js";
import { categoryName } from "./words/language.js";

/** The title that the page proposes: the person's words and the category. */
export function suggestedTitle(item: Item, { words }: Say): string {
  const label = categoryOf(item);
  const category = label === undefined ? "" : categoryName(words, label);
  return capitalised(words.draft.suggestion(item.draft.words.trim(), category));
}

/** The title as it stands: the person's own, else the proposed one. */
export function titleOf(item: Item, say: Say): string {
  return item.draft.title ?? suggestedTitle(item, say);
}

/** Title and category, to be pasted into the form of a marketplace. */
export function draftText(item: Item, say: Say): string {
  const label = categoryOf(item);
  const category = label === undefined ? "" : capitalised(categoryName(say.words, label));
  return say.words.draft.asText(titleOf(item, say), category);
}
