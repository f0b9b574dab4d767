/** A button that copies a text, and the text itself where the browser lets no page copy. */
import { make, setText } from "../render/find.js";

interface CopyWords {
  readonly copy: string;
  readonly copied: string;
  readonly copyByHand: string;
}

export function copyReport(
  text: string,
  words: CopyWords,
  announce: (done: string) => void,
): readonly HTMLElement[] {
  const button = make("button", "button quiet small", words.copy);
  const done = make("p", "fine");
  const field = make("textarea", "field how-report");
  button.type = "button";
  done.hidden = true;
  field.hidden = true;
  field.readOnly = true;
  field.rows = 8;
  field.dir = "ltr";
  field.value = text;
  field.setAttribute("aria-label", words.copyByHand);
  const byHand = () => {
    field.hidden = false;
    setText(done, words.copyByHand);
    field.focus();
    field.select();
  };
  button.addEventListener("click", () => {
    // Pages over http from another machine have no clipboard, whatever the types say.
    const clipboard = "clipboard" in navigator ? navigator.clipboard : undefined;
    if (clipboard === undefined) {
      byHand();
      return;
    }
    clipboard.writeText(text).then(() => {
      setText(done, words.copied);
      announce(words.copied);
    }, byHand);
  });
  return [button, done, field];
}
