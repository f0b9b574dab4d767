/** "None of these": a search over all labels, as a combobox with a list (ARIA Authoring Practices, "Combobox"). */
import type { Say } from "../say.js";
import { capitalised } from "../say.js";
import { categoryName } from "../words/language.js";
import { find, make, setText } from "./find.js";

/** More are not listed: a model may have thousands of labels. */
const MOST_LISTED = 40;

interface Entry {
  readonly label: string;
  readonly name: string;
}

/** Labels that hold every word of the text in their name or in themselves, those that begin with it first. */
export function searchLabels(labels: readonly Entry[], text: string): readonly Entry[] {
  const plain = (each: string) => each.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();
  const wanted = plain(text.trim());
  const terms = wanted.split(/\s+/);
  const found = labels.filter(({ label, name }) => {
    const both = plain(`${name} ${label}`);
    return terms.every((term) => both.includes(term));
  });
  const isFirst = ({ name }: Entry) => wanted !== "" && plain(name).startsWith(wanted);
  return [...found.filter(isFirst), ...found.filter((entry) => !isFirst(entry))];
}

export interface SearchActions {
  onChoose(label: string): void;
  announce(text: string): void;
}

export function createSearchBox(actions: SearchActions) {
  const opener = find("none", HTMLButtonElement);
  const box = find("search", HTMLElement);
  const input = find("search-text", HTMLInputElement);
  const list = find("search-list", HTMLElement);
  const hint = find("search-hint", HTMLElement);
  let labels: readonly string[] = [];
  let say: Say | undefined;
  let active = -1;

  const options = () => [...list.children].filter((child) => child instanceof HTMLElement);

  function setActive(index: number): void {
    const all = options();
    active = all.length === 0 ? -1 : (index + all.length) % all.length;
    all.forEach((option, place) => {
      option.ariaSelected = String(place === active);
    });
    const option = all[active];
    if (option === undefined) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", option.id);
    option?.scrollIntoView({ block: "nearest" });
  }

  function showList(isShown: boolean): void {
    list.hidden = !isShown;
    input.ariaExpanded = String(isShown);
    if (!isShown) setActive(-1);
  }

  function optionFor({ label, name }: Entry, index: number): HTMLElement {
    const option = make("div", "search-option", capitalised(name));
    option.id = `search-option-${index}`;
    option.role = "option";
    option.ariaSelected = "false";
    option.dataset.label = label;
    // Before the field loses the focus, which would close the list.
    option.addEventListener("pointerdown", (event) => event.preventDefault());
    option.addEventListener("click", () => choose(label));
    return option;
  }

  function search(): void {
    if (say === undefined) return;
    const { words } = say;
    const entries = labels.map((label) => ({ label, name: categoryName(words, label) }));
    const found = searchLabels(entries, input.value);
    const listed = found.slice(0, MOST_LISTED);
    list.replaceChildren(...listed.map(optionFor));
    active = -1;
    input.removeAttribute("aria-activedescendant");
    showList(listed.length > 0);
    const more = found.length - listed.length;
    setText(hint, found.length === 0 ? words.answer.noneFound : more > 0 ? words.answer.moreFound(more) : "");
    actions.announce(found.length === 0 ? words.answer.noneFound : words.answer.found(found.length));
  }

  function setOpen(isOpen: boolean): void {
    box.hidden = !isOpen;
    opener.ariaExpanded = String(isOpen);
    if (!isOpen) {
      input.value = "";
      setText(hint, "");
      showList(false);
    }
  }

  function choose(label: string): void {
    setOpen(false);
    actions.onChoose(label);
  }

  opener.addEventListener("click", () => {
    const isOpen = box.hasAttribute("hidden");
    setOpen(isOpen);
    if (isOpen) {
      input.focus();
      search();
    }
  });
  input.addEventListener("input", search);
  input.addEventListener("click", () => {
    if (list.hidden) search();
  });
  input.addEventListener("blur", () => showList(false));
  input.addEventListener("keydown", (event) => {
    switch (event.key) {
      case "ArrowDown":
      case "ArrowUp": {
        event.preventDefault();
        if (list.hidden) search();
        const isDown = event.key === "ArrowDown";
        setActive(active === -1 && !isDown ? -1 : active + (isDown ? 1 : -1));
        return;
      }
      case "Enter": {
        const all = options();
        const option = all[active] ?? (all.length === 1 ? all[0] : undefined);
        const label = option instanceof HTMLElement ? option.dataset.label : undefined;
        if (label !== undefined && !list.hidden) {
          event.preventDefault();
          choose(label);
        }
        return;
      }
      case "Escape":
        event.preventDefault();
        if (list.hidden) {
          setOpen(false);
          opener.focus();
        } else {
          showList(false);
        }
    }
  });

  return {
    /**
     * @param known all labels of the model.
     * @param opening what the button that opens the search is called.
     */
    render(known: readonly string[], canSearch: boolean, opening: string, current: Say): void {
      labels = known;
      say = current;
      opener.textContent = opening;
      opener.hidden = !canSearch || known.length === 0;
      if (opener.hidden && !box.hidden) setOpen(false);
    },
    /** Another item: what was typed for the one before is of no use. */
    close: () => setOpen(false),
  };
}
