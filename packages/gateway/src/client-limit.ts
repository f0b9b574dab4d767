/** How many predictions one client may have in a minute, whatever the requests are that they come in. */
import { ServeError } from "@vitrine/protocol/status";
import { LRUCache } from "lru-cache";

export interface ClientLimitOptions {
  /** Of one client in a minute. */
  readonly maxPredictions: number;
  /** Clients remembered; who was not seen for longest is forgotten first. */
  readonly maxClients?: number;
  /** Milliseconds of a clock that is never set back. */
  readonly now?: () => number;
}

/** One request in its client's account. */
export interface ClientAccount {
  /**
   * Counts so many predictions. A request that alone is more than a minute may have is let in when nothing else is counted,
   * and what it is beyond counts in the minutes after. What was counted before a refusal stays counted.
   *
   * @throws {ServeError} CLIENT_LIMIT when the minute has no room, with the time after which it has, for the request as far as it was
   *   counted.
   */
  add(predictions: number): void;
  state(): { readonly limit: number; readonly remaining: number; readonly resetSeconds: number };
}

export interface ClientLimit {
  accountOf(client: string): ClientAccount;
}

interface Spent {
  predictions: number;
  /** Of the minute that they are counted in. */
  endsAt: number;
}

const MINUTE_MS = 60_000;
const MAX_CLIENTS = 10_000;

export function createClientLimit(options: ClientLimitOptions): ClientLimit {
  const { maxPredictions: max, maxClients = MAX_CLIENTS, now = () => performance.now() } = options;
  const clients = new LRUCache<string, Spent>({ max: maxClients });

  /** Each minute that is over pays for as many as it may have. */
  function spentBy(client: string): Spent {
    const time = now();
    const known = clients.get(client);
    const spent = known ?? { predictions: 0, endsAt: time + MINUTE_MS };
    if (known === undefined) clients.set(client, spent);
    if (time < spent.endsAt) return spent;
    const minutes = 1 + Math.floor((time - spent.endsAt) / MINUTE_MS);
    spent.predictions = Math.max(0, spent.predictions - minutes * max);
    // A minute begins with its first prediction, unless there is a debt to pay.
    spent.endsAt = spent.predictions === 0 ? time + MINUTE_MS : spent.endsAt + minutes * MINUTE_MS;
    return spent;
  }

  function refusal(spent: Spent, cost: number): ServeError {
    const minutes = Math.ceil((cost > max ? spent.predictions : spent.predictions + cost - max) / max);
    const waitMs = spent.endsAt - now() + (Math.max(1, minutes) - 1) * MINUTE_MS;
    const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000));
    const size = cost > 1 ? `, and this request is ${cost}` : "";
    return new ServeError(
      "CLIENT_LIMIT",
      `client asked for more than ${max} predictions in a minute${size}, expected a pause of ${retryAfterSeconds} s`,
      { retryAfterSeconds },
    );
  }

  return {
    accountOf(client) {
      let cost = 0;
      /** Of that, in the minute that ends at `endsAt`. */
      let own = 0;
      let endsAt = 0;
      return {
        add(predictions) {
          // What was let in for all that it costs stays in, also in a minute that pays for it.
          if (predictions === 0) return;
          const spent = spentBy(client);
          if (spent.endsAt !== endsAt) own = 0;
          endsAt = spent.endsAt;
          const isAlone = spent.predictions <= own;
          if (!isAlone && spent.predictions + predictions > max) throw refusal(spent, cost + predictions);
          spent.predictions += predictions;
          own += predictions;
          cost += predictions;
        },
        state() {
          const { predictions, endsAt } = spentBy(client);
          const resetSeconds = Math.ceil((endsAt - now()) / 1000);
          return { limit: max, remaining: Math.max(0, max - predictions), resetSeconds };
        },
      };
    },
  };
}
