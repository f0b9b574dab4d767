/** Unary calls spread over all servers behind one or several names. */
import type { MethodDefinition } from "../services.js";
import { ServeError } from "../status.js";
import { type Address, AddressWatch, type LookupAddresses, type Target } from "./address-watch.js";
import { type CallOptions, type GrpcChannelOptions, waitUnlessAborted } from "./channel.js";
import { Endpoint } from "./endpoint.js";
import { createRetryBudget, type RetryBudget } from "./retry-budget.js";

export interface BalancedChannelOptions {
  readonly targets: readonly Target[];
  /** Between two lookups of the names; 0: only at the start and after failures. Default 5 s. */
  readonly resolveMs?: number;
  /** A call without an answer after so long is made a second time on another server; the first answer counts. */
  readonly hedgeAfterMs?: number | undefined;
  /** Of each connection. */
  readonly channel?: GrpcChannelOptions;
  readonly lookup?: LookupAddresses;
  /** Default 1 s, doubled at each failure in a row up to 30 s. */
  readonly ejectionMs?: { readonly first: number; readonly greatest: number };
  /** Default 10 s. */
  readonly slowStartMs?: number;
  readonly observer?: BalancerObserver;
}

export interface BalancerObserver {
  endpointsChanged(addresses: readonly Address[]): void;
  /** A server is out of turn, or back. */
  endpointMoved(address: Address, isOut: boolean): void;
  lookupFailed(host: string, error: unknown): void;
  retried(): void;
  hedged(): void;
}

const MAX_ATTEMPTS = 3;
const MAX_FAILURES = 5;
const DEFAULT_EJECTION_MS = { first: 1000, greatest: 30_000 };
const SILENT: BalancerObserver = {
  endpointsChanged() {},
  endpointMoved() {},
  lookupFailed() {},
  retried() {},
  hedged() {},
};

/**
 * Each call goes to the server with the fewest calls in flight. A server that is lost, drains, or fails five times in a
 * row is out of turn until a health check succeeds, and then gets its share slowly. A call that failed as UNAVAILABLE
 * is made again on another server, as long as its deadline and the budget of retries allow: every call through this
 * channel must be one that may be made twice, as predictions and questions are.
 */
export class BalancedChannel {
  readonly #options: BalancedChannelOptions;
  readonly #observer: BalancerObserver;
  readonly #watch: AddressWatch;
  readonly #budget: RetryBudget = createRetryBudget({ most: 100, perCall: 0.1 });
  #endpoints: readonly Endpoint[] = [];
  /** Where the search for the least busy begins, so that equals take turns. */
  #turn = 0;

  constructor(options: BalancedChannelOptions) {
    this.#options = options;
    this.#observer = options.observer ?? SILENT;
    this.#watch = new AddressWatch({
      targets: options.targets,
      everyMs: options.resolveMs ?? 5000,
      ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
      changed: (addresses) => this.#update(addresses),
      failed: (host, error) => this.#observer.lookupFailed(host, error),
    });
  }

  /** For metrics. */
  get endpoints(): { readonly ready: number; readonly out: number } {
    const out = this.#endpoints.filter(({ isOut }) => isOut).length;
    return { ready: this.#endpoints.length - out, out };
  }

  /**
   * Makes a unary call, if need be several times.
   *
   * @throws {ServeError} of the last attempt, as `GrpcChannel.unary`; MODEL_UNAVAILABLE when no name can be looked up.
   */
  async unary<Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): Promise<Response> {
    const endsAtMs = performance.now() + (options.timeoutMs ?? Number.POSITIVE_INFINITY);
    const left = (): CallOptions => {
      const timeoutMs = endsAtMs - performance.now();
      return timeoutMs === Number.POSITIVE_INFINITY
        ? options
        : { ...options, timeoutMs: Math.max(1, timeoutMs) };
    };
    const ready = this.#watch.ready();
    await (options.signal === undefined ? ready : waitUnlessAborted(ready, options.signal));
    const tried = new Set<Endpoint>();
    for (let attempt = 1; ; attempt += 1) {
      try {
        const response = await this.#attempt(method, request, left, tried);
        this.#budget.earn();
        return response;
      } catch (error) {
        const mayRetry =
          isRetryable(error) &&
          attempt < MAX_ATTEMPTS &&
          performance.now() < endsAtMs &&
          this.#hasOther(tried, error);
        if (!mayRetry || options.signal?.aborted === true || !this.#budget.spend()) throw error;
        this.#observer.retried();
      }
    }
  }

  close(): void {
    this.#watch.close();
    for (const endpoint of this.#endpoints) endpoint.close();
  }

  #update(addresses: readonly Address[]): void {
    const isFirst = this.#endpoints.length === 0;
    const kept = new Map(this.#endpoints.map((endpoint) => [keyOf(endpoint.address), endpoint]));
    const wanted = new Map(addresses.map((address) => [keyOf(address), address]));
    this.#endpoints = [...wanted].map(([key, address]) => kept.get(key) ?? this.#open(address, !isFirst));
    for (const [key, endpoint] of kept) if (!wanted.has(key)) endpoint.leave();
    for (const endpoint of this.#endpoints) endpoint.prepare();
    this.#observer.endpointsChanged(addresses);
  }

  #open(address: Address, startsSlowly: boolean): Endpoint {
    return new Endpoint({
      address,
      channel: this.#options.channel ?? {},
      maxFailures: MAX_FAILURES,
      ejectionMs: this.#options.ejectionMs ?? DEFAULT_EJECTION_MS,
      slowStartMs: this.#options.slowStartMs ?? 10_000,
      startsSlowly,
      changed: (endpoint, isOut) => {
        this.#observer.endpointMoved(endpoint.address, isOut);
        if (isOut) this.#watch.suspect();
      },
    });
  }

  /** One attempt, and with hedging a second one beside it. Adds the servers asked to `tried`. */
  async #attempt<Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
    left: () => CallOptions,
    tried: Set<Endpoint>,
  ): Promise<Response> {
    const { hedgeAfterMs } = this.#options;
    const first = this.#pick(tried);
    if (hedgeAfterMs === undefined || this.#endpoints.length < 2)
      return await first.unary(method, request, left());

    const loser = new AbortController();
    const start = (endpoint: Endpoint): Promise<Response> => {
      const options = left();
      const signal =
        options.signal === undefined ? loser.signal : AbortSignal.any([options.signal, loser.signal]);
      return endpoint.unary(method, request, { ...options, signal });
    };
    let timer: NodeJS.Timeout | undefined;
    try {
      const calls = [start(first)];
      const late = new Promise<"late">((resolve) => {
        timer = setTimeout(resolve, hedgeAfterMs, "late");
      });
      const outcome = await Promise.race([calls[0], late]);
      if (outcome !== "late" && outcome !== undefined) return outcome;
      if (this.#hasOther(tried) && this.#budget.spend()) {
        this.#observer.hedged();
        calls.push(start(this.#pick(tried)));
      }
      return await Promise.any(calls).catch((errors: AggregateError) => {
        throw errors.errors[0];
      });
    } finally {
      clearTimeout(timer);
      loser.abort();
    }
  }

  /** The least busy of those that may be asked, were not asked yet, and are connected, as far as there are such. */
  #pick(tried: Set<Endpoint>): Endpoint {
    for (const endpoint of this.#endpoints) endpoint.prepare();
    const candidates = narrowed(this.#endpoints, [
      (endpoint) => !tried.has(endpoint),
      ({ isOut }) => !isOut,
      ({ isConnected }) => isConnected,
    ]);
    const nowMs = performance.now();
    this.#turn += 1;
    let best: Endpoint | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (let index = 0; index < candidates.length; index++) {
      const endpoint = candidates[(index + this.#turn) % candidates.length];
      const load = endpoint?.load(nowMs) ?? least;
      if (load >= least) continue;
      best = endpoint;
      least = load;
    }
    if (best === undefined) throw new ServeError("MODEL_UNAVAILABLE", "the model tier has no server");
    tried.add(best);
    return best;
  }

  /**
   * Whether a further attempt has somewhere to go: to a server in turn that was not asked yet; after a lost connection
   * also to the same name again where no server is in turn, since behind one address there may be many servers.
   */
  #hasOther(tried: ReadonlySet<Endpoint>, error?: unknown): boolean {
    if (this.#endpoints.some((endpoint) => !tried.has(endpoint) && !endpoint.isOut)) return true;
    const isLost = error instanceof ServeError && error.reason === "MODEL_UNAVAILABLE";
    return isLost && this.#endpoints.every(({ isOut }) => isOut);
  }
}

/** Applies each filter that leaves anything. */
function narrowed<Item>(
  items: readonly Item[],
  filters: readonly ((item: Item) => boolean)[],
): readonly Item[] {
  return filters.reduce((left, filter) => {
    const fewer = left.filter(filter);
    return fewer.length === 0 ? left : fewer;
  }, items);
}

function keyOf({ address, port }: Address): string {
  return `${address} ${port}`;
}

/** Not RESOURCE_EXHAUSTED: a server that asks for less must not get more. */
function isRetryable(error: unknown): boolean {
  return error instanceof ServeError && error.code === "UNAVAILABLE";
}
