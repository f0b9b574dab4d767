/** The tag: what is being asked, read or answered. */
import { capitalised } from "../say.js";
import type { Choice, TagView } from "../tag-view.js";
import { find, make, setText } from "./find.js";

export interface TagActions {
  onChoose(label: string): void;
  onUndo(): void;
  onRetry(): void;
  onRemoveFaulty(): void;
  onCancel(): void;
}

export function createTag(actions: TagActions) {
  const eyebrow = find("eyebrow", HTMLElement);
  const heading = find("heading", HTMLElement);
  const verdict = find("verdict", HTMLElement);
  const certainty = find("words", HTMLElement);
  const percent = find("percent", HTMLElement);
  const lead = find("lead", HTMLElement);
  const progress = find("progress", HTMLProgressElement);
  const choice = find("choice", HTMLElement);
  const choicesTitle = find("choices-title", HTMLElement);
  const choices = find("choices", HTMLElement);
  const retry = find("retry", HTMLButtonElement);
  const removeFaulty = find("remove-faulty", HTMLButtonElement);
  const cancel = find("cancel", HTMLButtonElement);
  const undo = find("undo", HTMLButtonElement);
  const row = find("actions", HTMLElement);
  const fine = find("fine", HTMLElement);
  let shown: readonly Choice[] = [];

  retry.addEventListener("click", actions.onRetry);
  removeFaulty.addEventListener("click", actions.onRemoveFaulty);
  cancel.addEventListener("click", actions.onCancel);
  undo.addEventListener("click", actions.onUndo);

  function choiceItem({ label, name, percent: number, share }: Choice): HTMLLIElement {
    const item = make("li");
    const button = make("button", "choice");
    button.type = "button";
    const bar = make("span", "bar");
    bar.style.setProperty("--share", String(share));
    // A space between the two, for what reads or copies the text of the row.
    button.append(
      make("span", "choice-name", capitalised(name)),
      " ",
      make("span", "choice-percent", number),
      bar,
    );
    button.addEventListener("click", () => actions.onChoose(label));
    item.append(button);
    return item;
  }

  return {
    heading,
    render(view: TagView): void {
      document.title = view.documentTitle;
      document.body.dataset.tone = view.tone;
      setText(eyebrow, view.eyebrow);
      setText(heading, isCategory(view) ? capitalised(view.heading) : view.heading);
      const longestWord = Math.max(...view.heading.split(/\s/).map((word) => word.length));
      heading.style.setProperty("--letters", String(longestWord));
      setText(certainty, view.certainty);
      setText(percent, view.percent);
      verdict.hidden = view.certainty === "";
      setText(lead, view.lead);
      progress.hidden = view.progress === undefined;
      if (typeof view.progress === "number") progress.value = view.progress;
      else progress.removeAttribute("value");
      setText(choicesTitle, view.choicesTitle);
      if (!isSame(shown, view.choices)) {
        shown = view.choices;
        choices.replaceChildren(...view.choices.map(choiceItem));
      }
      choices.hidden = view.choices.length === 0;
      choice.hidden = !view.canSearch;
      retry.hidden = !view.canRetry;
      setText(removeFaulty, view.removal);
      cancel.hidden = !view.canCancel;
      undo.hidden = !view.canUndo;
      row.hidden = !view.canRetry && !view.canCancel && !view.canUndo && view.removal === "";
      setText(fine, view.fine);
    },
  };
}

function isCategory({ tone }: TagView): boolean {
  return tone === "sure" || tone === "unsure" || tone === "chosen";
}

/** Buttons that stay the same stay where they are, with the focus that they may have. */
function isSame(one: readonly Choice[], other: readonly Choice[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
