/** The panels below an answer. They are loaded with the first answer: the first paint does not pay for them. */
import type { AnsweredItem, Panel, PanelParts } from "./panel.js";
import type { Picture } from "./pictures.js";
import { find } from "./render/find.js";

export interface Panels {
  /** Told of every change of the page; passes on only what concerns the panels. */
  show(item: AnsweredItem | undefined): void;
  setWords(): void;
}

async function loadPanels(parts: Omit<PanelParts, "root">): Promise<readonly Panel[]> {
  const [why, how, feedback] = await Promise.all([
    import("./why/panel.js"),
    import("./how/panel.js"),
    import("./feedback/panel.js"),
  ]);
  return [
    why.createWhyPanel({ ...parts, root: find("why", HTMLElement) }),
    how.createHowPanel({ ...parts, root: find("how", HTMLElement) }),
    feedback.createFeedbackPanel({ ...parts, root: find("feedback", HTMLElement) }),
  ];
}

/** How much of it has come is nothing to a panel. */
function isSamePicture(picture: Picture, other: Picture | undefined): boolean {
  const urlOf = (each: Picture | undefined) => (each?.name === "ready" ? each.url : undefined);
  return picture.name === other?.name && urlOf(picture) === urlOf(other);
}

export function createPanels(parts: Omit<PanelParts, "root">): Panels {
  /** Undefined also where they did not come: the next answer asks for them again. */
  let loading: Promise<readonly Panel[] | undefined> | undefined;
  let shown: AnsweredItem | undefined;

  function isSame(item: AnsweredItem | undefined): boolean {
    if (item === undefined || shown === undefined) return item === shown;
    return (
      item.answer === shown.answer &&
      item.photos === shown.photos &&
      item.info === shown.info &&
      item.pictures.every((picture, index) => isSamePicture(picture, shown?.pictures[index])) &&
      item.chosenLabel === shown.chosenLabel
    );
  }

  function load(): Promise<readonly Panel[] | undefined> {
    loading ??= loadPanels(parts).catch(() => {
      loading = undefined;
      return undefined;
    });
    return loading;
  }

  return {
    show(item) {
      if (isSame(item)) return;
      shown = item;
      if (item !== undefined) void load();
      void loading?.then((panels) => {
        // Another answer may have come while they were on their way.
        if (shown !== item) return;
        for (const panel of panels ?? []) {
          if (item === undefined) panel.clear();
          else panel.show(item);
        }
      });
    },
    setWords() {
      void loading?.then((panels) => {
        for (const panel of panels ?? []) panel.setWords();
      });
    },
  };
}
