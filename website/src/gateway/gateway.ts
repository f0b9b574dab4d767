/** What the page and its panels ask of the gateway. */
import type { Fault } from "../fault.js";

export interface AskOptions {
  readonly method?: "GET" | "POST" | "DELETE";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: FormData | string;
  readonly signal?: AbortSignal;
}

/** An answer with a status of 200 to 299, or why there is none. `json` is undefined where the body is no JSON. */
export type Asked =
  | {
      readonly ok: true;
      readonly status: number;
      readonly headers: Headers;
      readonly json: unknown;
      /** Between sending and the last byte of the answer, measured here. */
      readonly durationMs: number;
    }
  | { readonly ok: false; readonly fault: Fault };

export interface Gateway {
  /**
   * Asks under the person's key, where the site wants one. Never rejects: an abort of the signal is the fault
   * CANCELLED, no network OFFLINE, a broken connection UNREACHABLE.
   *
   * @param path with its query, such as "/predict?explain=1".
   */
  ask(path: string, options?: AskOptions): Promise<Asked>;
}
