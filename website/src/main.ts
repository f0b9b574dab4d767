import type { InfoResponse } from "@vitrine/gateway/api";
import { fetchInfo, predict } from "./api-client.js";
import { listenForPhotos } from "./inputs.js";
import { findPageElements } from "./page-elements.js";
import type { PageEvent, PageState } from "./page-state.js";
import { attemptOf, photoOf, step } from "./page-state.js";
import type { Photo } from "./photo.js";
import { faultOfFile } from "./photo.js";
import { render } from "./render.js";
import { limitsText, viewOf } from "./view.js";

/** After this long without an answer the page says that it takes longer than usual. */
const SLOW_MS = 4_000;

/** A request is given up when no byte has moved for this long, or for longer than the gateway may think. */
const STALL_MS = 30_000;
const STALL_BEYOND_DEADLINE_MS = 5_000;

const elements = findPageElements();
let state: PageState = { name: "empty" };
let info: InfoResponse | undefined;
let running = new AbortController();

function show(): void {
  render(elements, viewOf(state, info));
}

function send(event: PageEvent): void {
  const before = state;
  state = step(before, event);
  if (state === before) {
    return;
  }
  show();
  const photo = photoOf(before);
  if (photo?.kind === "file" && photoOf(state) !== photo) {
    URL.revokeObjectURL(photo.previewUrl);
  }
  if (attemptOf(state) !== attemptOf(before)) {
    running.abort();
    running = new AbortController();
  } else if (state.name === before.name) {
    return;
  }
  // The controls of the state before are gone or changed; the heading says what is there instead.
  elements.heading.focus({ preventScroll: true });
  showHeading();
  if (state.name === "reading") {
    void read(state.photo, state.attempt, running.signal);
  } else if (state.name === "failed") {
    waitForTheWayToClear(state.attempt, state.fault.retryAfterSeconds, running.signal);
  }
}

/** Apart from focus(), which does not scroll to what already has the focus. */
function showHeading(): void {
  elements.heading.scrollIntoView({ block: "nearest" });
}

async function read(photo: Photo, attempt: number, signal: AbortSignal): Promise<void> {
  const slowTimer = setTimeout(() => send({ name: "slowed", attempt }), SLOW_MS);
  signal.addEventListener("abort", () => clearTimeout(slowTimer), { once: true });
  const onSent = (share: number) => send({ name: "sent", attempt, share });
  const stallMs = Math.max(STALL_MS, (info?.limits.timeout_ms ?? 0) + STALL_BEYOND_DEADLINE_MS);
  const outcome = await predict(photo, { signal, stallMs, onSent });
  clearTimeout(slowTimer);
  send({ ...outcome, attempt });
  if (info === undefined) {
    // The gateway had no model yet when the page was opened.
    await showInfo();
  }
}

function waitForTheWayToClear(attempt: number, seconds: number | undefined, signal: AbortSignal): void {
  const clear = () => send({ name: "waited", attempt });
  if (seconds !== undefined) {
    const timer = setTimeout(clear, seconds * 1000);
    signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  } else if (!navigator.onLine) {
    window.addEventListener("online", clear, { once: true, signal });
  }
}

async function showInfo(): Promise<void> {
  info = await fetchInfo();
  if (info !== undefined) {
    elements.limits.textContent = limitsText(info);
    elements.choose.accept = info.limits.media_types.join(",");
    show();
  }
}

function complain(text: string, isLinkField: boolean): void {
  elements.linkError.textContent = text;
  elements.linkError.hidden = text === "";
  elements.link.setAttribute("aria-invalid", String(isLinkField && text !== ""));
  elements.announcer.textContent = text;
  if (isLinkField) {
    elements.link.focus();
  }
}

listenForPhotos(elements, {
  onFiles(files) {
    const file = files.find((candidate) => candidate.type.startsWith("image/")) ?? files[0];
    if (file === undefined) {
      return;
    }
    complain("", false);
    const photo: Photo = {
      kind: "file",
      file,
      previewUrl: URL.createObjectURL(file),
      givenCount: files.length,
    };
    const fault = faultOfFile(file, info?.limits);
    send(fault === undefined ? { name: "given", photo } : { name: "refused", photo, fault });
  },
  onLink(url) {
    complain("", false);
    elements.link.value = url;
    send({ name: "given", photo: { kind: "link", url } });
  },
  onNothing: complain,
});
elements.picture.addEventListener("load", () => {
  // The picture has taken its room, maybe after the answer came, and pushed the heading down.
  if (document.activeElement === elements.heading) {
    showHeading();
  }
});
elements.retry.addEventListener("click", () => send({ name: "retried" }));
elements.cancel.addEventListener("click", () => send({ name: "cancelled" }));

show();
await showInfo();
