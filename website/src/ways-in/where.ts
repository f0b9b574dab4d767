/** The question where photos belong that came in while an item was on the page. */
import { find } from "../render/find.js";
import type { Say } from "../say.js";
import type { Gift } from "./ways-in.js";

export interface WhereAnswers {
  onAdd(gift: Gift): void;
  onAnother(gift: Gift): void;
}

/** A modal dialog: the browser keeps the focus in it, Escape leaves the photos out, and the focus goes back. */
export function createWhere(answers: WhereAnswers) {
  const dialog = find("where", HTMLDialogElement);
  const title = find("where-title", HTMLElement);
  let gift: Gift | undefined;
  const answerWith = (use: (gift: Gift) => void) => () => {
    const given = gift;
    gift = undefined;
    dialog.close();
    if (given !== undefined) use(given);
  };
  find("where-add", HTMLButtonElement).addEventListener("click", answerWith(answers.onAdd));
  find("where-another", HTMLButtonElement).addEventListener("click", answerWith(answers.onAnother));
  find("where-cancel", HTMLButtonElement).addEventListener(
    "click",
    answerWith(() => {}),
  );
  return {
    ask(given: Gift, { words }: Say): void {
      gift = given;
      title.textContent =
        given.photos.length === 1 && given.photos[0].kind === "link"
          ? words.where.titleLink
          : words.where.title(given.photos.length);
      if (!dialog.open) dialog.showModal();
      title.focus();
    },
    /** Leaves the photos out. */
    close(): void {
      gift = undefined;
      dialog.close();
    },
  };
}
