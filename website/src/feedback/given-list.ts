/** "Photos that you gave to this server": each can be taken back, also when its item is gone from this browser. */
import "./given.css";
import type { Fault } from "../fault.js";
import type { PanelParts } from "../panel.js";
import { make, setText } from "../render/find.js";
import { categoryName } from "../words/language.js";
import type { KeptCorrection } from "./correction.js";
import { givenWords } from "./given-words.js";
import type { KeptCorrections } from "./kept-corrections.js";

export interface GivenList {
  /** Shows what is known to be kept, or nothing of it. */
  render(isShown: boolean): void;
  /** Says until when these photos are still kept; "" where they are not. */
  stillKept(kept: KeptCorrection): string;
}

/** What became of the removal of one entry. */
type Removal = "running" | Fault;

export function createGivenList(parts: PanelParts, corrections: KeptCorrections): GivenList {
  const { root, gateway } = parts;
  const removals = new Map<string, Removal>();
  const title = make("h2", "small-title");
  const list = make("ul", "given-list");
  let isShown = false;

  title.id = `${root.id}-title`;
  title.tabIndex = -1;
  root.setAttribute("aria-labelledby", title.id);
  root.replaceChildren(title, list);

  const wordsOf = () => givenWords[parts.language()];
  const dateOf = ({ deleteAfter }: KeptCorrection) =>
    new Intl.DateTimeFormat(parts.language(), { dateStyle: "long" }).format(new Date(deleteAfter));

  /** Without the text of the fault, which speaks of a photo that is to be read. */
  function failureOf(fault: Fault): string {
    return `${wordsOf().notRemoved} ${parts.sayFault(fault).title}.`;
  }

  async function takeBack({ id, withdraw }: KeptCorrection): Promise<void> {
    if (removals.get(id) === "running") return;
    removals.set(id, "running");
    render();
    parts.announce(wordsOf().removing);
    const asked = await gateway.ask(withdraw, { method: "DELETE" });
    // One that is not there any more counts as removed.
    const isGone = asked.ok || asked.fault.reason === "FEEDBACK_NOT_FOUND";
    if (!isGone) {
      removals.set(id, asked.fault);
      render();
      parts.announce(failureOf(asked.fault));
      return;
    }
    removals.delete(id);
    corrections.remove(id);
    const hadFocus = root.contains(document.activeElement);
    render();
    parts.announce(wordsOf().removed);
    // The button is gone; the focus stays in its neighbourhood.
    if (hadFocus && !root.hidden) title.focus();
    else if (hadFocus) document.getElementById("heading")?.focus({ preventScroll: true });
  }

  function entryOf(kept: KeptCorrection): HTMLLIElement {
    const words = wordsOf();
    const removal = removals.get(kept.id);
    const entry = make("li", "given-entry");
    const text = words.entry(kept.count, categoryName(parts.words(), kept.label), dateOf(kept));
    const isRunning = removal === "running";
    const remove = make("button", "button quiet small", isRunning ? words.removing : words.remove);
    remove.type = "button";
    remove.dataset.id = kept.id;
    remove.ariaLabel = words.removeOf(text);
    remove.setAttribute("aria-disabled", String(isRunning));
    remove.addEventListener("click", () => void takeBack(kept));
    entry.append(make("span", "", text), remove);
    if (removal !== undefined && !isRunning) {
      entry.append(make("p", "field-error", failureOf(removal)));
    }
    return entry;
  }

  /** Drawn anew as a whole; the button that had the focus has it again. */
  function render(): void {
    const known = isShown ? corrections.all() : [];
    root.hidden = known.length === 0;
    setText(title, wordsOf().title);
    const { activeElement } = document;
    const focused = activeElement instanceof HTMLElement && list.contains(activeElement);
    const id = focused ? activeElement.dataset.id : undefined;
    list.replaceChildren(...known.map(entryOf));
    if (id !== undefined) list.querySelector<HTMLElement>(`[data-id="${CSS.escape(id)}"]`)?.focus();
  }

  return {
    render(next) {
      isShown = next;
      render();
    },
    stillKept: (kept) => wordsOf().stillKept(kept.count, dateOf(kept)),
  };
}
