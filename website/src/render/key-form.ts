/** The key of a site that asks for one. */
import type { Say } from "../say.js";
import { find, setText } from "./find.js";

const STORED = "vitrine.key";

export interface SiteKey {
  /** The key that the person gave in this tab. */
  current(): string | undefined;
  keep(key: string): void;
}

/** Kept until the tab is closed; where the browser keeps nothing, until the page is left. */
export function createSiteKey(): SiteKey {
  let key: string | undefined;
  try {
    key = sendable(sessionStorage.getItem(STORED) ?? "") || undefined;
  } catch {
    key = undefined;
  }
  return {
    current: () => key,
    keep(next) {
      key = next;
      try {
        sessionStorage.setItem(STORED, next);
      } catch {
        // Storage is blocked: the key holds until the page is left.
      }
    },
  };
}

/** What of a key can stand in a header: typed and pasted ones may hold spaces that nobody sees, and typographic marks. */
function sendable(text: string): string {
  return text.replaceAll(/[^\x21-\x7e]/g, "");
}

export function createKeyForm(onKey: (key: string) => void) {
  const form = find("key", HTMLFormElement);
  const input = find("key-text", HTMLInputElement);
  const error = find("key-error", HTMLElement);
  let say: Say | undefined;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const key = sendable(input.value);
    const isEmpty = key === "";
    setText(error, isEmpty ? (say?.words.key.empty ?? "") : "");
    input.ariaInvalid = String(isEmpty);
    if (isEmpty) {
      input.focus();
    } else {
      input.value = "";
      onKey(key);
    }
  });
  return {
    render(isAsked: boolean, current: Say): void {
      say = current;
      form.hidden = !isAsked;
    },
  };
}
