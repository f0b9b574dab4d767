/** The draft of the listing, which the person edits. */
import { draftText, suggestedTitle, titleOf } from "../draft.js";
import type { Draft, Item } from "../item.js";
import { categoryOf } from "../item.js";
import type { Say } from "../say.js";
import { capitalised } from "../say.js";
import { categoryName } from "../words/language.js";
import { find, make, setText } from "./find.js";

export interface DraftActions {
  onDraft(draft: Draft): void;
  onCategory(label: string): void;
  /** @param beside where it is said that it was copied. */
  onCopy(text: string, beside: Element): void;
  onDiscard(): void;
}

export interface DraftView {
  /** undefined: there is no draft to show. */
  readonly item: Item | undefined;
  readonly labels: readonly string[];
  /** Whether the browser keeps the draft. */
  readonly isKept: boolean;
  readonly say: Say;
}

export function createDraftForm(actions: DraftActions) {
  const form = find("draft", HTMLFormElement);
  const note = find("draft-note", HTMLElement);
  const words = find("draft-words", HTMLInputElement);
  const title = find("draft-text", HTMLInputElement);
  const suggest = find("draft-suggest", HTMLButtonElement);
  const category = find("draft-category", HTMLSelectElement);
  const buttons = find("draft-buttons", HTMLElement);
  let view: DraftView | undefined;
  let listed = "";

  function change(changes: Partial<Draft>): void {
    if (view?.item !== undefined) actions.onDraft({ ...view.item.draft, ...changes });
  }
  words.addEventListener("input", () => change({ words: words.value }));
  title.addEventListener("input", () => change({ title: title.value }));
  suggest.addEventListener("click", () => {
    change({ title: undefined });
    title.focus();
  });
  category.addEventListener("change", () => actions.onCategory(category.value));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (view?.item !== undefined) actions.onCopy(draftText(view.item, view.say), buttons);
  });
  find("discard", HTMLButtonElement).addEventListener("click", actions.onDiscard);

  return {
    render(next: DraftView): void {
      view = next;
      const { item, labels, isKept, say } = next;
      form.hidden = item === undefined;
      if (item === undefined) return;
      setText(note, isKept ? say.words.draft.note : say.words.draft.notKept);
      setValue(words, item.draft.words);
      setValue(title, titleOf(item, say));
      suggest.hidden = item.draft.title === undefined || item.draft.title === suggestedTitle(item, say);
      const chosen = categoryOf(item) ?? "";
      const all = labels.includes(chosen) ? labels : [chosen, ...labels];
      const wanted = JSON.stringify([say.language, all]);
      if (wanted !== listed) {
        listed = wanted;
        category.replaceChildren(
          ...all.map((label) => {
            const option = make("option", "", capitalised(categoryName(say.words, label)));
            option.value = label;
            return option;
          }),
        );
      }
      category.value = chosen;
    },
  };
}

/** Untouched when it is the same: a write would move the caret. */
function setValue(input: HTMLInputElement, value: string): void {
  if (input.value !== value) input.value = value;
}
