/** A panel that asks the gateway for more about an answer when a person opens it, and not before. */
import "./fold.css";
import type { Fault } from "../fault.js";
import type { Asked } from "../gateway/gateway.js";
import type { AnsweredItem, Panel, PanelParts } from "../panel.js";
import { make, setText } from "../render/find.js";

interface FoldWords {
  readonly title: string;
  /** What is done while the person waits. */
  readonly asking: string;
  readonly cancel: string;
  readonly retry: string;
}

/** What was sent, and what came back. */
export interface Shown<Value> {
  readonly item: AnsweredItem;
  readonly value: Value;
  /** Of each photo the file as it was sent; undefined for a link. */
  readonly files: readonly (Blob | undefined)[];
  readonly asked: Extract<Asked, { ok: true }>;
}

export interface FoldParts<Value> {
  readonly parts: PanelParts;
  /** With the query of what is asked for. */
  readonly path: string;
  isOffered(item: AnsweredItem): boolean;
  /** undefined: the answer holds no such thing. */
  read(json: unknown): Value | undefined;
  words(): FoldWords;
  /** What a screen reader hears when it is there. */
  ready(shown: Shown<Value>): string;
  /** Fills the panel; called anew when the language changes. `signal` aborts when what it made is to go. */
  fill(body: HTMLElement, shown: Shown<Value>, signal: AbortSignal): void;
}

type State<Value> =
  | { readonly name: "closed" }
  | { readonly name: "asking"; readonly end: AbortController }
  | { readonly name: "failed"; readonly fault: Fault }
  | { readonly name: "shown"; readonly shown: Shown<Value> };

export function createFold<Value>({
  parts,
  path,
  isOffered,
  read,
  words,
  ready,
  fill,
}: FoldParts<Value>): Panel {
  const { root } = parts;
  let item: AnsweredItem | undefined;
  let state: State<Value> = { name: "closed" };
  /** Of what `fill` made last. */
  let filled = new AbortController();

  const details = make("details", "fold");
  const summary = make("summary");
  const title = make("h2");
  const wait = make("div", "fold-wait");
  const said = make("p", "fold-said");
  const progress = make("progress");
  const actions = make("div", "actions");
  const retry = make("button", "button quiet small");
  const cancel = make("button", "button quiet small");
  const body = make("div", "fold-body");
  for (const button of [retry, cancel]) button.type = "button";
  said.id = `${root.id}-said`;
  progress.setAttribute("aria-labelledby", said.id);
  actions.append(retry, cancel);
  summary.append(title);
  wait.append(said, progress, actions);
  details.append(summary, wait, body);
  root.replaceChildren(details);
  root.hidden = true;

  details.addEventListener("toggle", () => {
    if (details.open && state.name === "closed") void ask();
    if (!details.open && state.name !== "shown") end();
  });
  retry.addEventListener("click", () => {
    // The button goes away; the focus stays in the panel.
    summary.focus();
    void ask();
  });
  cancel.addEventListener("click", () => {
    details.open = false;
    end();
    summary.focus();
  });

  async function ask(): Promise<void> {
    if (item === undefined) return;
    const asking = { name: "asking", end: new AbortController() } as const;
    const about = item;
    become(asking);
    parts.announce(words().asking);
    const { body: sent, headers } = await about.request();
    if (state !== asking) return;
    const { signal } = asking.end;
    const asked = await parts.gateway.ask(path, { method: "POST", body: sent, headers, signal });
    if (state !== asking) return;
    const value = asked.ok ? read(asked.json) : undefined;
    if (!asked.ok || value === undefined) {
      const fault: Fault = asked.ok ? { reason: "ANSWER_UNREADABLE" } : asked.fault;
      become({ name: "failed", fault });
      const { title: what, text } = parts.sayFault(fault);
      parts.announce(`${what}. ${text}`);
      return;
    }
    const files =
      typeof sent === "string"
        ? []
        : [...sent.values()].map((part) => (part instanceof Blob ? part : undefined));
    // The item as it is by now: a linked photo's picture may have come meanwhile.
    const shown = { item: item ?? about, value, files, asked };
    become({ name: "shown", shown });
    parts.announce(ready(shown));
  }

  /** Stops what runs and forgets what was said. */
  function end(): void {
    become({ name: "closed" });
  }

  function become(next: State<Value>): void {
    if (state.name === "asking") state.end.abort();
    state = next;
    render();
  }

  function render(): void {
    if (item === undefined) return;
    const { title: name, asking, retry: again, cancel: stop } = words();
    setText(title, name);
    setText(retry, again);
    setText(cancel, stop);
    const faultWords = state.name === "failed" ? parts.sayFault(state.fault) : undefined;
    wait.hidden = state.name === "closed" || state.name === "shown";
    setText(said, faultWords === undefined ? asking : `${faultWords.title}. ${faultWords.text}`);
    progress.hidden = state.name !== "asking";
    cancel.hidden = state.name !== "asking";
    retry.hidden = faultWords?.canRetry !== true;
    body.hidden = state.name !== "shown";
    filled.abort();
    filled = new AbortController();
    if (state.name === "shown") fill(body, state.shown, filled.signal);
    else body.replaceChildren();
  }

  return {
    show(next) {
      const isSame = item?.answer === next.answer && item.photos === next.photos;
      item = next;
      root.hidden = !isOffered(next);
      if (!isSame || root.hidden) {
        details.open = false;
        end();
      } else if (state.name === "shown") {
        // A linked picture has come, which may be shown here.
        become({ name: "shown", shown: { ...state.shown, item: next } });
      }
    },
    clear() {
      root.hidden = true;
      details.open = false;
      end();
      item = undefined;
    },
    setWords: render,
  };
}
