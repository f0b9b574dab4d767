/** What the page says aside: in the flow of the page, where it covers nothing, until it is read. */
import { find, setText } from "./find.js";

export interface Notice {
  /**
   * Shows a short text until another one comes, the person closes it or goes on, and tells it to a screen reader.
   *
   * @param beside what it is about; else it stands at the end of the tag.
   */
  show(text: string, beside?: Element): void;
  /** Hides what is shown. */
  clear(): void;
  /** Tells it to a screen reader only. */
  announce(text: string): void;
}

export function createNotice(): Notice {
  const shown = find("notice", HTMLElement);
  const words = find("notice-text", HTMLElement);
  const close = find("notice-close", HTMLButtonElement);
  const heard = find("announcer", HTMLElement);
  const heading = find("heading", HTMLElement);
  const home = shown.parentElement;
  /** Where the person was when it appeared. */
  let cause: Element | null = null;
  const announce = (text: string) => {
    if (heard.textContent !== text) heard.textContent = text;
  };
  const clear = () => {
    shown.hidden = true;
    setText(words, "");
  };
  close.addEventListener("click", () => {
    clear();
    // The button that had the focus is gone.
    const isThere = cause !== document.body && cause?.checkVisibility() === true;
    (isThere && cause instanceof HTMLElement ? cause : heading).focus({ preventScroll: true });
  });
  return {
    announce,
    clear,
    show(text, beside) {
      if (document.activeElement !== close) cause = document.activeElement;
      if (beside === undefined) home?.append(shown);
      else beside.after(shown);
      setText(words, text);
      shown.hidden = false;
      shown.scrollIntoView({ block: "nearest" });
      announce(text);
    },
  };
}
