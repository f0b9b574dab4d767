/** One connection of a server: how long it lives, and how it ends without the loss of a call. */
import { constants, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { announceGoaway } from "./goaway-notice.js";
import { MAX_TIMER_MS } from "./timeout.js";
import { CONNECTION_WINDOW_BYTES } from "./windows.js";

export interface ConnectionLimits {
  /** Without a call for so long it ends. */
  readonly maxIdleMs: number;
  /** Age at which it ends, spread by a tenth so that clients do not all come back at once. */
  readonly maxAgeMs: number;
  /** What its open calls may take beyond that age. */
  readonly maxAgeGraceMs: number;
  /** Silent for so long, its peer is asked whether it lives. */
  readonly keepaliveMs: number;
  /** Without an answer in this time the peer is taken for dead, and its calls end. */
  readonly keepaliveTimeoutMs: number;
}

const [NODE_MAJOR = 0, NODE_MINOR = 0] = process.versions.node.split(".").map(Number);
const KNOWS_RESET_LIMITS = NODE_MAJOR > 22 || (NODE_MAJOR === 22 && NODE_MINOR >= 11);

/**
 * Node's limits: 1000 resets of a connection and then 33 a second, which callers who give up reach under load. Node 20 cannot
 * be told otherwise; our own channel stays below it.
 */
export const RESET_LIMITS = KNOWS_RESET_LIMITS
  ? { streamResetBurst: 10_000, streamResetRate: 1000 }
  : { streamResetBurst: 1000, streamResetRate: 33 };

/**
 * Of Node's limits, at which the connection is ended here. Node ends the session alone: the connection stays for as long as
 * its client goes on sending, with the calls that were open.
 */
const OWN_SHARE = 0.9;

/** How long a peer may take to have read what it was told; one that has vanished must not hold up a drain. */
const PING_TIMEOUT_MS = 5000;

/** How often a connection that is busy writing is asked again whether the notice may go out. */
const NOTICE_ATTEMPTS = 3;

export class ServerConnection {
  readonly #session: ServerHttp2Session;
  readonly #limits: ConnectionLimits;
  readonly #timers = new Map<"idle" | "age" | "grace" | "ping" | "notice", NodeJS.Timeout>();
  #openCalls = 0;
  #ending = false;
  #resetsLeft = OWN_SHARE * RESET_LIMITS.streamResetBurst;
  #resetAt = performance.now();

  constructor(session: ServerHttp2Session, limits: ConnectionLimits) {
    this.#session = session;
    this.#limits = limits;
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.once("close", () => {
      for (const timer of this.#timers.values()) clearTimeout(timer);
    });
    session.on("timeout", () => this.#askWhetherAlive());
    session.setTimeout(finiteMs(limits.keepaliveMs));
    this.#start("age", limits.maxAgeMs * (0.9 + 0.2 * Math.random()), () => {
      this.endInOrder();
      this.#start("grace", limits.maxAgeGraceMs, () => session.destroy());
    });
    this.#watchIdleness();
  }

  /** Notes that a call has begun. */
  callBegan(stream: ServerHttp2Stream): void {
    this.#openCalls++;
    this.#stop("idle");
    stream.once("close", () => {
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) this.#countReset();
      this.#openCalls--;
      this.#watchIdleness();
    });
  }

  #countReset(): void {
    const nowMs = performance.now();
    const earned = (OWN_SHARE * RESET_LIMITS.streamResetRate * (nowMs - this.#resetAt)) / 1000;
    this.#resetsLeft = Math.min(OWN_SHARE * RESET_LIMITS.streamResetBurst, this.#resetsLeft + earned) - 1;
    this.#resetAt = nowMs;
    if (this.#resetsLeft < 0) this.#session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  /**
   * Ends the connection when its calls have ended. The client is told first to open no more calls, and has read that
   * before those are named that will be answered; so a call on its way meanwhile is answered, too. Where it cannot be
   * told (goaway-notice.ts) calls on their way are refused as never seen, which clients make again if they still have
   * the request.
   */
  endInOrder(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#start("notice", PING_TIMEOUT_MS, () => this.#session.close());
    this.#announce(NOTICE_ATTEMPTS);
  }

  #announce(attempts: number): void {
    if (this.#session.destroyed) return;
    const outcome = announceGoaway(this.#session);
    if (outcome === "announced") {
      // gRPC's clients answer a ping before they write the calls that they hold ready, so the second one counts.
      this.#afterPing(() => this.#afterPing(() => this.#session.close()));
    } else if (outcome === "busy" && attempts > 1) {
      // The answer says that what was still to be written has been read.
      this.#afterPing(() => this.#announce(attempts - 1));
    } else {
      this.#session.close();
    }
  }

  #afterPing(next: () => void): void {
    if (this.#session.destroyed) return;
    if (!this.#session.ping(next)) this.#session.close();
  }

  #watchIdleness(): void {
    if (this.#openCalls > 0 || this.#session.destroyed) return;
    this.#start("idle", this.#limits.maxIdleMs, () => this.endInOrder());
  }

  #askWhetherAlive(): void {
    if (this.#session.destroyed || this.#timers.has("ping")) return;
    this.#start("ping", this.#limits.keepaliveTimeoutMs, () => this.#session.destroy());
    this.#session.ping(() => {
      this.#stop("ping");
      if (!this.#session.destroyed) this.#session.setTimeout(finiteMs(this.#limits.keepaliveMs));
    });
  }

  #start(name: "idle" | "age" | "grace" | "ping" | "notice", delayMs: number, onDue: () => void): void {
    this.#stop(name);
    if (delayMs > MAX_TIMER_MS) return;
    const timer = setTimeout(() => {
      this.#timers.delete(name);
      onDue();
    }, delayMs);
    this.#timers.set(name, timer);
  }

  #stop(name: "idle" | "age" | "grace" | "ping" | "notice"): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}

/** Node's "no timeout" is 0. */
function finiteMs(delayMs: number): number {
  return delayMs > MAX_TIMER_MS ? 0 : delayMs;
}
