/** What this browser knows to be kept on the server. Its list is loaded only where there is something to list. */
import type { PanelParts } from "../panel.js";
import { find } from "../render/find.js";
import type { GivenList } from "./given-list.js";
import { keptHere } from "./kept-corrections.js";

export interface Given {
  /** Shows the list, or hides it. */
  show(isShown: boolean): void;
  /** The language has changed. */
  setWords(): void;
  /** Says which of these photos are still kept on the server, and until when; "" where none is. */
  stillKept(photoIds: readonly string[]): Promise<string>;
}

export function createGiven(parts: Omit<PanelParts, "root">): Given {
  const corrections = keptHere();
  let loading: Promise<GivenList | undefined> | undefined;
  let isShown = false;

  function load(): Promise<GivenList | undefined> {
    loading ??= import("./given-list.js").then(
      ({ createGivenList }) => createGivenList({ ...parts, root: find("given", HTMLElement) }, corrections),
      () => {
        // It did not come; the next start page asks again.
        loading = undefined;
        return undefined;
      },
    );
    return loading;
  }

  const render = () => void loading?.then((list) => list?.render(isShown));

  return {
    show(next) {
      isShown = next;
      if (isShown && corrections.all().length > 0) void load();
      render();
    },
    setWords: render,
    async stillKept(photoIds) {
      const kept = corrections.of(photoIds);
      return kept === undefined ? "" : ((await load())?.stillKept(kept) ?? "");
    },
  };
}
