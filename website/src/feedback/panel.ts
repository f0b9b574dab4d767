/** "Help the model learn": keeps a photo and its right category on the server, when the person agrees to exactly that. */
import "./feedback.css";
import "../on-demand/fold.css";
import type { Fault } from "../fault.js";
import type { AnsweredItem, CreatePanel } from "../panel.js";
import { make, setText } from "../render/find.js";
import { categoryName } from "../words/language.js";
import { correctionOf, type KeptCorrection, keptCorrectionOf } from "./correction.js";
import { keptHere } from "./kept-corrections.js";
import { feedbackWords } from "./words.js";

type State =
  /** `note` names what happened last, `fault` what went wrong; both are put into words when they are shown. */
  | { readonly name: "asking"; readonly note: "" | "tick" | "removed"; readonly fault?: Fault }
  /**
   * A request that was sent is never broken off: the server may have kept the photo already, and nobody would know its id.
   * Where the person stops it, what it keeps all the same is removed.
   */
  | { readonly name: "sending"; readonly before: KeptCorrection | undefined; isStopped: boolean }
  | { readonly name: "kept"; readonly kept: KeptCorrection; readonly failure?: Failure }
  | { readonly name: "removing"; readonly kept: KeptCorrection };

/** What was wished next and went wrong. */
interface Failure {
  readonly wish: "removal" | "sending";
  readonly fault: Fault;
  /** What is there still although another one was kept in its place. */
  readonly before?: KeptCorrection;
}

const NO_ROOM: ReadonlySet<Fault["reason"]> = new Set(["FEEDBACK_FULL", "FEEDBACK_UNWRITABLE"]);

export const createFeedbackPanel: CreatePanel = (parts) => {
  const { root, gateway } = parts;
  const corrections = keptHere();
  let item: AnsweredItem | undefined;
  let state: State = { name: "asking", note: "" };

  const details = make("details", "fold");
  const summary = make("summary");
  const title = make("h2");
  const body = make("div", "fold-body");
  const keptText = make("p", "feedback-kept");
  const removeRow = make("div", "actions");
  const remove = make("button", "button quiet small");
  const form = make("form", "feedback-form");
  const what = make("p");
  const consent = make("label", "feedback-consent");
  const box = make("input");
  const sentence = make("span");
  const more = make("p", "fine");
  const note = make("p", "field-error");
  const actions = make("div", "actions");
  const keep = make("button", "button quiet");
  const cancel = make("button", "button quiet");

  form.noValidate = true;
  box.type = "checkbox";
  box.id = `${root.id}-consent`;
  box.autocomplete = "off";
  more.id = `${root.id}-more`;
  note.id = `${root.id}-note`;
  box.setAttribute("aria-describedby", `${more.id} ${note.id}`);
  for (const button of [remove, cancel]) button.type = "button";
  keep.type = "submit";
  keptText.tabIndex = -1;
  consent.append(box, sentence);
  actions.append(keep, cancel);
  form.append(what, consent, more, note, actions);
  removeRow.append(remove);
  body.append(keptText, removeRow, form);
  summary.append(title);
  details.append(summary, body);
  root.replaceChildren(details);
  root.hidden = true;

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (state.name === "sending" || state.name === "removing") return;
    if (box.checked) void send();
    else {
      become({ name: "asking", note: "tick" });
      parts.announce(wordsOf().tickFirst);
      box.focus();
    }
  });
  box.addEventListener("change", () => {
    if (state.name === "asking" && state.note === "tick") become({ name: "asking", note: "" });
  });
  remove.addEventListener("click", () => void takeBack());
  cancel.addEventListener("click", () => {
    keep.focus();
    if (state.name !== "sending") return;
    state.isStopped = true;
    becomeUnsent(state.before, { reason: "CANCELLED" });
  });

  const wordsOf = () => feedbackWords[parts.language()];
  const idsOf = ({ photos }: AnsweredItem) => photos.map(({ id }) => id);

  async function send(): Promise<void> {
    if (item === undefined) return;
    const about = item;
    const before = state.name === "kept" ? state.kept : undefined;
    const sending: State & { name: "sending" } = { name: "sending", before, isStopped: false };
    become(sending);
    parts.announce(wordsOf().sending);
    const upload = await about.request();
    if (!isStill(sending)) return;
    const { answer, chosenLabel } = about;
    const { body: sent, headers } = correctionOf(upload, {
      label: chosenLabel,
      predicted: answer.top_class,
      model_version: answer.model.version,
      contract: answer.contract,
    });
    const asked = await gateway.ask("/feedback", { method: "POST", body: sent, headers });
    const kept = asked.ok ? keptCorrectionOf(asked.json) : undefined;
    // Kept in any case, also when the person has gone on to another photo meanwhile: they may come back.
    const earlier = corrections.allOf(idsOf(about));
    if (kept !== undefined) corrections.add(idsOf(about), kept);
    const left = kept === undefined ? undefined : await forgetAll(sending.isStopped ? [kept] : earlier);
    if (!isStill(sending)) {
      // Stopped, or another category was chosen meanwhile: what is kept all the same is said.
      const isIdle = state.name === "asking" || state.name === "kept";
      if (item?.photos !== about.photos || !isIdle) return;
      const latest = corrections.of(idsOf(about));
      const failure = left && ({ wish: "removal", fault: left.fault } as const);
      // What is said already stays said, where nothing went wrong.
      if (state.name === "kept" && failure === undefined) return;
      if (latest !== undefined) become({ name: "kept", kept: latest, ...(failure && { failure }) });
      return;
    }
    if (kept === undefined) {
      becomeUnsent(before, asked.ok ? { reason: "ANSWER_UNREADABLE" } : asked.fault);
      return;
    }
    box.checked = false;
    become({
      name: "kept",
      kept,
      ...(left && { failure: { wish: "removal", fault: left.fault, before: left.kept } }),
    });
    parts.announce(`${keptTextOf(kept)} ${noteText()}`.trim());
    keptText.focus();
  }

  async function takeBack(): Promise<void> {
    if (state.name !== "kept" || item === undefined) return;
    const { kept } = state;
    const removing = { name: "removing", kept } as const;
    const earlier = corrections.allOf(idsOf(item)).filter(({ id }) => id !== kept.id);
    become(removing);
    const left = await forgetAll([kept, ...earlier]);
    if (!isStill(removing)) return;
    become(
      left === undefined
        ? { name: "asking", note: "removed" }
        : { name: "kept", kept: left.kept, failure: { wish: "removal", fault: left.fault } },
    );
    parts.announce(noteText());
    if (left === undefined) summary.focus();
  }

  /** Removes corrections one after the other. @returns the first that could not be removed, where there is one. */
  async function forgetAll(
    kept: readonly KeptCorrection[],
  ): Promise<{ readonly kept: KeptCorrection; readonly fault: Fault } | undefined> {
    for (const each of kept) {
      const fault = await forget(each);
      if (fault !== undefined) return { kept: each, fault };
    }
    return undefined;
  }

  /** Removes a correction from the server; one that is not there any more counts as removed. */
  async function forget({ id, withdraw }: KeptCorrection): Promise<Fault | undefined> {
    const asked = await gateway.ask(withdraw, { method: "DELETE" });
    if (!asked.ok && asked.fault.reason !== "FEEDBACK_NOT_FOUND") return asked.fault;
    corrections.remove(id);
    return undefined;
  }

  /** Nothing new is kept; what was kept before is kept still. */
  function becomeUnsent(before: KeptCorrection | undefined, fault: Fault): void {
    become(
      before === undefined
        ? { name: "asking", note: "", fault }
        : { name: "kept", kept: before, failure: { wish: "sending", fault } },
    );
    parts.announce(noteText());
  }

  function isStill(earlier: State): boolean {
    return state === earlier;
  }

  function become(next: State): void {
    state = next;
    render();
  }

  function keptTextOf({ count, label, deleteAfter }: KeptCorrection): string {
    const until = new Intl.DateTimeFormat(parts.language(), { dateStyle: "long" });
    return wordsOf().kept(count, categoryName(parts.words(), label), until.format(new Date(deleteAfter)));
  }

  /** What went wrong, or what was done. */
  function noteText(): string {
    const words = wordsOf();
    if (state.name !== "asking" && state.name !== "kept") return "";
    if (state.name === "asking" && state.note === "tick") return words.tickFirst;
    if (state.name === "asking" && state.note === "removed") return words.removed;
    const failure = state.name === "kept" ? state.failure : undefined;
    const fault = state.name === "kept" ? failure?.fault : state.fault;
    if (fault === undefined) return "";
    if (NO_ROOM.has(fault.reason)) return words.noRoom;
    if (fault.reason === "CANCELLED") return words.stopped;
    if (failure?.wish !== "removal") return faultText(fault);
    const { before } = failure;
    const what =
      before === undefined ? words.notRemoved : words.notReplaced(categoryName(parts.words(), before.label));
    // Without its text, which speaks of a photo that is to be read.
    return `${what} ${parts.sayFault(fault).title}.`;
  }

  /** Something went wrong, other than as the person wished. */
  function isAmiss(): boolean {
    if (state.name === "kept") return state.failure?.fault.reason !== "CANCELLED";
    return state.name === "asking" && state.note !== "removed" && state.fault?.reason !== "CANCELLED";
  }

  function faultText(fault: Fault): string {
    const { title: name, text } = parts.sayFault(fault);
    return `${name}. ${text}`;
  }

  function render(): void {
    if (item === undefined) return;
    const words = wordsOf();
    const { answer, chosenLabel, photos, info } = item;
    const isBusy = state.name === "sending" || state.name === "removing";
    const kept = state.name === "kept" || state.name === "removing" ? state.kept : undefined;
    const category = categoryName(parts.words(), chosenLabel);
    const isCorrected = chosenLabel !== answer.top_class;
    setText(title, isCorrected ? words.titleCorrected : words.title);
    setText(keptText, kept === undefined ? "" : keptTextOf(kept));
    removeRow.hidden = kept === undefined;
    setText(remove, state.name === "removing" ? words.removing : words.remove);
    // What is kept under the same category needs no second asking.
    form.hidden = kept?.label === chosenLabel;
    setText(
      what,
      isCorrected
        ? words.corrected(category, categoryName(parts.words(), answer.top_class))
        : words.agreed(category),
    );
    setText(more, words.more);
    // Said before, when the other category was kept.
    for (const element of [what, more]) element.hidden = kept !== undefined;
    setText(sentence, words.consent(photos.length, category, info.feedback.keep_days ?? 0));
    setText(note, noteText());
    note.classList.toggle("field-error", isAmiss());
    // A note about what is kept stands with it, also where there is no form.
    if (form.hidden) body.insertBefore(note, form);
    else form.insertBefore(note, actions);
    setText(
      keep,
      state.name === "sending" ? words.sending : kept === undefined ? words.keep : words.keepInstead,
    );
    setText(cancel, parts.words().reading.cancel);
    cancel.hidden = state.name !== "sending";
    for (const button of [keep, remove]) button.setAttribute("aria-disabled", String(isBusy));
    box.disabled = isBusy;
    if (state.name === "asking" && state.note === "tick") box.setAttribute("aria-invalid", "true");
    else box.removeAttribute("aria-invalid");
  }

  return {
    show(next) {
      const isSame = item?.answer === next.answer && item.photos === next.photos;
      const isOtherLabel = item?.chosenLabel !== next.chosenLabel;
      item = next;
      root.hidden = !next.info.feedback.enabled;
      if (root.hidden) return;
      if (!isSame || isOtherLabel) {
        // They agreed to something else.
        box.checked = false;
        if (state.name === "sending" && isSame) state.isStopped = true;
        const kept = corrections.of(idsOf(next));
        state = kept === undefined ? { name: "asking", note: "" } : { name: "kept", kept };
        details.open = kept !== undefined || next.chosenLabel !== next.answer.top_class;
      }
      render();
    },
    clear() {
      root.hidden = true;
      details.open = false;
      box.checked = false;
      state = { name: "asking", note: "" };
      item = undefined;
    },
    setWords: render,
  };
};
