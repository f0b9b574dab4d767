/** The page's end of the thread that makes photos smaller. */
import type { ShrinkOptions } from "./shrink.js";
import type { ShrinkResult, ShrinkTask } from "./shrink-worker.js";
import workerUrl from "./shrink-worker.ts?worker&url";

export interface Shrunk {
  /** undefined: the photo is better sent as it is. */
  readonly photo: Blob | undefined;
  readonly isUndecodable: boolean;
}

export type Shrinker = (photo: Blob, options: ShrinkOptions) => Promise<Shrunk>;

const UNTOUCHED: Shrunk = { photo: undefined, isUndecodable: false };

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): {
    createScriptURL(url: string): string;
  };
}

declare const trustedTypes: TrustedTypes | undefined;

let trustedUrl: string | undefined;

/**
 * The only address that the page's security policy lets become a script: that of the thread. Made once, as browsers
 * refuse a second policy of the same name.
 */
function trustedWorkerUrl(): string {
  trustedUrl ??=
    typeof trustedTypes === "undefined"
      ? workerUrl
      : trustedTypes.createPolicy("vitrine", { createScriptURL: () => workerUrl }).createScriptURL(workerUrl);
  return trustedUrl;
}

/**
 * Starts the thread with the first photo, and keeps it until it breaks: its photos are then sent as they are, and
 * the next one starts another. A browser without threads sends all photos as they are.
 */
export function createShrinker(): Shrinker {
  const waiting = new Map<number, (shrunk: Shrunk) => void>();
  let count = 0;
  let worker: Worker | undefined;

  function start(): Worker {
    const started = new Worker(trustedWorkerUrl(), { type: "module" });
    started.addEventListener("message", ({ data }: MessageEvent<ShrinkResult>) => {
      waiting.get(data.id)?.(data);
      waiting.delete(data.id);
    });
    // Its script did not come, or it ended: it would answer nothing that it is given from here on.
    started.addEventListener("error", () => {
      started.terminate();
      worker = undefined;
      for (const settle of waiting.values()) settle(UNTOUCHED);
      waiting.clear();
    });
    return started;
  }

  return (photo, options) => {
    if (typeof OffscreenCanvas === "undefined" || typeof Worker === "undefined") {
      return Promise.resolve(UNTOUCHED);
    }
    worker ??= start();
    count += 1;
    const task: ShrinkTask = { id: count, photo, options };
    const result = new Promise<Shrunk>((resolve) => waiting.set(task.id, resolve));
    worker.postMessage(task);
    return result;
  };
}
