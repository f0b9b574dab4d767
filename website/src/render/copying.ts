/** To the clipboard, or by hand where the browser has none for this page. */
import { find } from "./find.js";

export interface Clipboard {
  /**
   * @param done   what a screen reader and the person are told.
   * @param beside where they are told it.
   */
  copy(text: string, done: string, beside: Element): void;
  /** Hides what was shown to be copied by hand. */
  clear(): void;
}

/** @param say shows and announces a short notice. */
export function createClipboard(say: (text: string, beside: Element) => void): Clipboard {
  const byHand = find("by-hand", HTMLElement);
  const text = find("by-hand-text", HTMLTextAreaElement);
  const showByHand = (content: string) => {
    byHand.hidden = false;
    text.value = content;
    text.focus();
    text.select();
  };
  return {
    copy(content, done, beside) {
      byHand.hidden = true;
      // Pages over http from another machine have no clipboard, whatever the types say.
      const clipboard = "clipboard" in navigator ? navigator.clipboard : undefined;
      if (clipboard === undefined) {
        showByHand(content);
        return;
      }
      clipboard.writeText(content).then(
        () => say(done, beside),
        () => showByHand(content),
      );
    },
    clear() {
      byHand.hidden = true;
    },
  };
}
