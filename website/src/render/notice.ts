/** What the page says aside: seen for a while, and heard. */
import { find, setText } from "./find.js";

const SHOWN_MS = 8_000;

export interface Notice {
  /** Shows a short text for a while, and tells it to a screen reader. */
  show(text: string): void;
  /** Hides what is shown. */
  clear(): void;
  /** Tells it to a screen reader only. */
  announce(text: string): void;
}

export function createNotice(): Notice {
  const shown = find("notice", HTMLElement);
  const heard = find("announcer", HTMLElement);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const announce = (text: string) => {
    if (heard.textContent !== text) heard.textContent = text;
  };
  return {
    announce,
    clear: () => setText(shown, ""),
    show(text) {
      clearTimeout(timer);
      setText(shown, text);
      announce(text);
      timer = setTimeout(() => setText(shown, ""), SHOWN_MS);
    },
  };
}
