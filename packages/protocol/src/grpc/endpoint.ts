/** One server among several: how busy it is, whether it may be asked, and its way back after a failure. */
import { HEALTH_CHECK, type MethodDefinition } from "../services.js";
import { ServeError } from "../status.js";
import type { Address } from "./address-watch.js";
import { type CallOptions, GrpcChannel, type GrpcChannelOptions } from "./channel.js";

export interface EndpointOptions {
  readonly address: Address;
  readonly channel: GrpcChannelOptions;
  /** Failures in a row that end trust in a server that still answers; a lost connection ends it at once. */
  readonly maxFailures: number;
  /** First and longest time without requests, before the server is tried by a health check. */
  readonly ejectionMs: { readonly first: number; readonly greatest: number };
  /** Time over which a server that is new or back gets its full share. */
  readonly slowStartMs: number;
  /** True for a server that comes to others which are at work already. */
  readonly startsSlowly: boolean;
  /** It is out, or back. */
  changed(endpoint: Endpoint, isOut: boolean): void;
}

/** Share of a server that has just come back. */
const FIRST_SHARE = 0.1;
const PROBE_TIMEOUT_MS = 2000;
const SERVING = 1;

export class Endpoint {
  readonly address: Address;
  readonly #options: EndpointOptions;
  readonly #channel: GrpcChannel;
  #inFlight = 0;
  #failures = 0;
  #ejections = 0;
  #isOut = false;
  #sinceMs: number;
  #probe: NodeJS.Timeout | undefined;
  #isLeaving = false;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.address = options.address;
    const { host, port, address } = options.address;
    this.#channel = new GrpcChannel(host, port, { ...options.channel, address });
    this.#sinceMs = options.startsSlowly ? performance.now() : Number.NEGATIVE_INFINITY;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Out of turn until a health check succeeds. */
  get isOut(): boolean {
    return this.#isOut;
  }

  get isConnected(): boolean {
    return this.#channel.isConnected;
  }

  /** Calls that one more would make it, in terms of a server with its full share. */
  load(nowMs: number): number {
    const { slowStartMs } = this.#options;
    const grown = slowStartMs === 0 ? 1 : (nowMs - this.#sinceMs) / slowStartMs;
    return (this.#inFlight + 1) / Math.min(1, FIRST_SHARE + (1 - FIRST_SHARE) * grown);
  }

  /** Connects ahead of the first call; a failure counts as one of a call. */
  prepare(): void {
    if (this.#isOut || this.#isLeaving || this.#channel.isConnected) return;
    this.#channel.connect().catch(() => this.#eject());
  }

  /** Makes a call. @throws {ServeError} as {@link GrpcChannel.unary}. */
  async unary<Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
    options: CallOptions,
  ): Promise<Response> {
    this.#inFlight += 1;
    try {
      const response = await this.#channel.unary(method, request, options);
      this.#failures = 0;
      if (this.#isOut) this.#comeBack();
      this.#ejections = 0;
      return response;
    } catch (error) {
      this.#note(ServeError.from(error));
      throw error;
    } finally {
      this.#inFlight -= 1;
      if (this.#isLeaving && this.#inFlight === 0) this.#channel.close();
    }
  }

  /** Takes no more calls; ends when its last one has. */
  leave(): void {
    this.#isLeaving = true;
    clearTimeout(this.#probe);
    if (this.#inFlight === 0) this.#channel.close();
  }

  /** Ends at once. */
  close(): void {
    this.#isLeaving = true;
    clearTimeout(this.#probe);
    this.#channel.close();
  }

  #note(error: ServeError): void {
    if (isAnswer(error)) {
      this.#failures = 0;
      return;
    }
    if (error.reason === "QUEUE_FULL" || error.code === "CANCELLED") return;
    this.#failures += 1;
    const isGone =
      error.code === "UNAVAILABLE" && (error.reason === "DRAINING" || !this.#channel.isConnected);
    if (isGone || this.#failures >= this.#options.maxFailures) this.#eject();
  }

  #eject(): void {
    if (this.#isOut || this.#isLeaving) return;
    this.#isOut = true;
    this.#probeLater();
    this.#options.changed(this, true);
  }

  #probeLater(): void {
    const { first, greatest } = this.#options.ejectionMs;
    const waitMs = Math.min(greatest, first * 2 ** this.#ejections) * (0.8 + 0.4 * Math.random());
    this.#ejections += 1;
    this.#probe = setTimeout(() => void this.#tryAgain(), waitMs);
    this.#probe.unref();
  }

  async #tryAgain(): Promise<void> {
    const isWell = await this.#isWell();
    if (this.#isLeaving || !this.#isOut) return;
    if (isWell) this.#comeBack();
    else this.#probeLater();
  }

  #comeBack(): void {
    clearTimeout(this.#probe);
    this.#isOut = false;
    this.#failures = 0;
    this.#sinceMs = performance.now();
    this.#options.changed(this, false);
  }

  /** A server without the health service, as TensorFlow Serving is by default, is well when it answers at all. */
  async #isWell(): Promise<boolean> {
    try {
      const { status } = await this.#channel.unary(
        HEALTH_CHECK,
        { service: "" },
        { timeoutMs: PROBE_TIMEOUT_MS },
      );
      return status === SERVING;
    } catch (error) {
      const { code } = ServeError.from(error);
      return code === "UNIMPLEMENTED" || code === "NOT_FOUND";
    }
  }
}

/** The server is well and refuses the request itself. */
function isAnswer({ code }: ServeError): boolean {
  switch (code) {
    case "INVALID_ARGUMENT":
    case "NOT_FOUND":
    case "ALREADY_EXISTS":
    case "PERMISSION_DENIED":
    case "UNAUTHENTICATED":
    case "RESOURCE_EXHAUSTED":
    case "FAILED_PRECONDITION":
    case "ABORTED":
    case "OUT_OF_RANGE":
    case "UNIMPLEMENTED":
      return true;
    default:
      return false;
  }
}
