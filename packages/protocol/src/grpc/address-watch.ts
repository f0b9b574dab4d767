/** The addresses behind host names, looked up again and again, so that new servers are found without a failure. */
import { lookup as systemLookup } from "node:dns/promises";
import { isIP } from "node:net";
import { ServeError } from "../status.js";

/** `host:port` as a person writes it; the host is a name or an address. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** One server. */
export interface Address extends Target {
  /** IPv4 or IPv6. */
  readonly address: string;
}

/** All addresses of a name. */
export type LookupAddresses = (host: string) => Promise<readonly string[]>;

export interface AddressWatchOptions {
  readonly targets: readonly Target[];
  /** Between two lookups; 0 looks up once, and again after failures. Addresses are never looked up. */
  readonly everyMs: number;
  readonly lookup?: LookupAddresses;
  /** The servers there are; called first when the first lookup was answered, then at each change. */
  changed(addresses: readonly Address[]): void;
  /** A name that could not be looked up; what was known of it stays. */
  failed(host: string, error: unknown): void;
}

/** After a server was lost, names are looked up at once, but not more often than this. */
const MIN_INTERVAL_MS = 1000;

const lookupAll: LookupAddresses = async (host) =>
  (await systemLookup(host, { all: true, verbatim: true })).map(({ address }) => address);

export class AddressWatch {
  readonly #options: AddressWatchOptions;
  readonly #lookup: LookupAddresses;
  /** By host; what the last good answer said. */
  readonly #known = new Map<string, readonly string[]>();
  #round: Promise<void> | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #seen = "";
  #closed = false;

  constructor(options: AddressWatchOptions) {
    this.#options = options;
    this.#lookup = options.lookup ?? lookupAll;
    for (const { host } of options.targets) if (isIP(host) !== 0) this.#known.set(host, [host]);
  }

  /**
   * Resolves when every name was looked up once, or when that has been so all along.
   *
   * @throws {ServeError} MODEL_UNAVAILABLE when no address is known.
   */
  async ready(): Promise<void> {
    if (this.#seen !== "") return;
    await this.refresh();
    if (this.#seen !== "") return;
    const hosts = this.#options.targets.map(({ host }) => host).join(", ");
    throw new ServeError("MODEL_UNAVAILABLE", "the model tier's name could not be looked up", {
      cause: new Error(`no address of ${hosts}`),
    });
  }

  /** Looks the names up; calls meanwhile share one round. */
  refresh(): Promise<void> {
    this.#round ??= this.#lookUp().finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  /** A server was lost: the names may have other addresses by now. */
  suspect(): void {
    if (performance.now() - this.#lastMs >= MIN_INTERVAL_MS) void this.refresh();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #lookUp(): Promise<void> {
    this.#lastMs = performance.now();
    const names = new Set(this.#options.targets.map(({ host }) => host).filter((host) => isIP(host) === 0));
    await Promise.all([...names].map((host) => this.#lookUpName(host)));
    if (this.#closed) return;
    this.#tell();
    if (names.size > 0) this.#later();
  }

  async #lookUpName(host: string): Promise<void> {
    try {
      const addresses = await this.#lookup(host);
      if (addresses.length === 0) throw new Error(`${host} has no address`);
      this.#known.set(host, addresses);
    } catch (error) {
      this.#options.failed(host, error);
    }
  }

  #tell(): void {
    const addresses = this.#options.targets.flatMap(({ host, port }) =>
      (this.#known.get(host) ?? []).map((address) => ({ host, port, address })),
    );
    const seen = addresses
      .map(({ address, port }) => `${address} ${port}`)
      .sort()
      .join("\n");
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.#options.changed(addresses);
  }

  #later(): void {
    clearTimeout(this.#timer);
    const { everyMs } = this.#options;
    const isMissing = this.#seen === "";
    if (everyMs === 0 && !isMissing) return;
    // Jitter, so that gateways started together do not ask together.
    const waitMs = (isMissing ? MIN_INTERVAL_MS : everyMs) * (0.8 + 0.4 * Math.random());
    this.#timer = setTimeout(() => void this.refresh(), waitMs);
    this.#timer.unref();
  }
}
