/** Drafts of earlier visits, to go on with. */
import { suggestedTitle, titleOf } from "../draft.js";
import type { Item } from "../item.js";
import { categoryOf } from "../item.js";
import type { Say } from "../say.js";
import { find, make } from "./find.js";

const MOST_SHOWN = 4;

export function createDraftList(onOpen: (itemId: string) => void) {
  const section = find("drafts", HTMLElement);
  const list = find("draft-list", HTMLElement);
  return {
    /** @param items latest first. */
    render(items: readonly Item[], say: Say): void {
      const drafts = items.filter((item) => categoryOf(item) !== undefined).slice(0, MOST_SHOWN);
      section.hidden = drafts.length === 0;
      list.replaceChildren(
        ...drafts.map((item) => {
          const entry = make("li");
          const button = make(
            "button",
            "link-button",
            titleOf(item, say).trim() || suggestedTitle(item, say),
          );
          button.type = "button";
          button.addEventListener("click", () => onOpen(item.id));
          entry.append(button);
          return entry;
        }),
      );
    },
  };
}
