/** One model of the configuration: which of its versions on disk shall be served, and the way there. */
import { setTimeout as delay } from "node:timers/promises";
import { ServeError } from "@vitrine/protocol/status";
import type { Logger } from "@vitrine/runtime/logger";
import type { Servable } from "../servable.js";
import type { LoadSlots } from "./load-slots.js";
import type { ModelConfig } from "./model-config.js";
import type { ModelRegistry } from "./model-registry.js";
import {
  type DiskView,
  type VersionSource,
  VersionWatch,
  type WantedVersion,
  type WatchOptions,
} from "./version-watch.js";

export interface LoadOptions extends WatchOptions {
  /** Makes a servable, warm. @param broken is called when it cannot answer any more, such as after a crash loop. */
  load(
    model: ModelConfig,
    source: VersionSource,
    broken: (error: ServeError) => void,
    signal: AbortSignal,
  ): Promise<Servable>;
  /** Limits how many versions load at once, over all models. */
  readonly slots: LoadSlots;
  /** A version was unloaded and its sessions have ended. */
  unloaded(): void;
  /** A version that served broke down. */
  broke(error: ServeError): void;
  /** Further attempts after a failure that may pass, such as no memory. */
  readonly maxLoadRetries: number;
  readonly loadRetryIntervalMs: number;
}

/** What a model has become since it was configured. */
export type Outcome = "available" | ServeError;

/** These say that the files are wrong: another attempt would read the same. */
const LASTING_REASONS: ReadonlySet<string> = new Set(["MODEL_INVALID", "MODEL_UNSUPPORTED"]);

/** Who has served for so long is sound. Kubernetes forgets the restarts of a container after as long. */
const SOUND_MS = 10 * 60_000;

export class ModelVersions {
  readonly #registry: ModelRegistry;
  readonly #options: LoadOptions;
  readonly #logger: Logger;
  readonly #ending = new AbortController();
  #config: ModelConfig;
  readonly #watch: VersionWatch;
  /** The last look at the disk. */
  #disk: DiskView = { wanted: new Map(), there: new Set(), incomplete: [] };
  /** Fingerprints of versions that failed: they are tried again once their files change. */
  readonly #failed = new Map<number, string>();
  #looking: Promise<void> = Promise.resolve();
  #working: Promise<void> | undefined;
  readonly #unloads = new Set<Promise<void>>();
  #waitsFor: string | undefined;
  #missing = "";
  /** How often versions that served broke down, one time after the other without a sound period between. */
  readonly #breaks = new Map<number, { readonly fingerprint: string; readonly count: number }>();
  /** When versions began to serve. */
  readonly #servesSinceMs = new Map<number, number>();
  #dirty = false;
  #decided = false;
  #decide: (outcome: Outcome) => void = () => {};

  /** Resolves when the model has a version that answers, or each of its versions has failed. */
  readonly outcome: Promise<Outcome>;

  /** @param isAwaited see {@link ModelRegistry.add}. */
  constructor(
    config: ModelConfig,
    isAwaited: boolean,
    registry: ModelRegistry,
    options: LoadOptions,
    logger: Logger,
  ) {
    this.#config = config;
    this.#registry = registry;
    this.#options = options;
    this.#watch = new VersionWatch(options);
    this.#logger = logger.child({ model: config.name });
    this.outcome = new Promise((resolve) => {
      this.#decide = resolve;
    });
    registry.add(config.name, isAwaited);
  }

  get config(): ModelConfig {
    return this.#config;
  }

  set config(config: ModelConfig) {
    if (config.basePath !== this.#config.basePath) {
      this.#logger.warn(
        { basePath: config.basePath },
        "the base path changed: a version that serves stays as it is, also where the new path has its number",
      );
    }
    this.#config = config;
  }

  /** Versions that shall be served and that nothing is known against. */
  get wantedVersions(): readonly number[] {
    return [...this.#disk.wanted.keys()];
  }

  /** Reads the disk and starts what follows from it: loads, and unloads of what is there no more. */
  look(): Promise<void> {
    // One after the other: an older view of the disk must not replace a newer one.
    this.#looking = this.#looking.then(() => this.#lookOnce());
    return this.#looking;
  }

  async #lookOnce(): Promise<void> {
    if (this.#ending.signal.aborted) return;
    const { basePath } = this.#config;
    try {
      this.#disk = await this.#watch.look(this.#config, (version) => this.#served(version));
      const { wanted, there, incomplete } = this.#disk;
      // One that is gone and comes back is another try, though its files be the same.
      for (const version of this.#failed.keys()) if (!there.has(version)) this.#failed.delete(version);
      this.#warnOfMissing(there);
      this.#wait(
        wanted.size > 0
          ? undefined
          : incomplete.join(", ") ||
              `${basePath} had neither version folders nor config.json with a model, expected ${basePath}/1/model.onnx or a SavedModel`,
      );
    } catch (error) {
      // Nothing is unloaded because a disk cannot be read for a while.
      this.#wait(ServeError.from(error).message);
      if (!(error instanceof ServeError))
        this.#logger.error({ err: error }, "the base path could not be read");
    }
    this.#work();
  }

  /** Resolves when nothing loads any more. */
  async settled(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  /** Gives the model up: what loads is abandoned, what serves answers what it has accepted and is unloaded. */
  async remove(): Promise<void> {
    this.#ending.abort(new ServeError("MODEL_UNAVAILABLE", `model ${this.#config.name} was removed`));
    this.#registry.remove(this.#config.name);
    this.#decide(new ServeError("MODEL_UNAVAILABLE", `model ${this.#config.name} was removed`));
    const { name } = this.#config;
    const unloadAvailable = () =>
      this.#registry.availableVersions(name).map((version) => this.#registry.unload(name, version));
    const unloads = unloadAvailable();
    await this.settled();
    // One may have become available in the moment that it was called off.
    await Promise.all([...unloads, ...unloadAvailable(), ...this.#unloads]);
    this.#options.unloaded();
  }

  /** A version that serves stays chosen while its folder is there; its files are not looked at again. */
  #served(version: number): WantedVersion | undefined {
    const state = this.#registry.stateOf(this.#config.name, version);
    return state === "AVAILABLE" || state === "LOADING" || state === "START"
      ? this.#disk.wanted.get(version)
      : undefined;
  }

  /** Warns once of versions that the policy names and that are not there. */
  #warnOfMissing(there: ReadonlySet<number>): void {
    const { policy } = this.#config;
    const missing =
      policy.kind === "specific" ? policy.versions.filter((version) => !there.has(version)).join(", ") : "";
    if (missing === this.#missing) return;
    this.#missing = missing;
    if (missing !== "") this.#logger.warn(`versions that the policy names are not there: ${missing}`);
  }

  #wait(waitsFor: string | undefined): void {
    if (waitsFor === this.#waitsFor) return;
    this.#waitsFor = waitsFor;
    this.#registry.setWaiting(this.#config.name, waitsFor);
    if (waitsFor !== undefined) this.#logger.warn(`waiting for a version: ${waitsFor}`);
  }

  #work(): void {
    this.#dirty = true;
    this.#working ??= this.#reconcile();
  }

  /** The highest version first; older ones go only when one of those that shall serve does. */
  async #reconcile(): Promise<void> {
    await undefined;
    while (this.#dirty && !this.#ending.signal.aborted) {
      this.#dirty = false;
      this.#unloadUnwanted();
      const next = this.#nextToLoad();
      if (next === undefined) continue;
      await this.#load(next);
      this.#dirty = true;
    }
    this.#working = undefined;
    this.#settle();
  }

  #settle(): void {
    if (this.#decided) return;
    const { name } = this.#config;
    const failed = [...this.#disk.wanted.values()].find(({ version }) => this.#failed.has(version));
    if (this.#registry.isAvailable(name)) this.#decideOnce("available");
    else if (failed !== undefined) {
      const status = this.#registry.statuses(name, failed.version)[0];
      this.#decideOnce(status?.error ?? new ServeError("MODEL_UNAVAILABLE", "the version did not load"));
    }
  }

  #decideOnce(outcome: Outcome): void {
    this.#decided = true;
    this.#decide(outcome);
  }

  #nextToLoad(): WantedVersion | undefined {
    return [...this.#disk.wanted.values()]
      .sort((a, b) => b.version - a.version)
      .find(({ version, fingerprint }) => {
        const state = this.#registry.stateOf(this.#config.name, version);
        return (state === undefined || state === "END") && this.#failed.get(version) !== fingerprint;
      });
  }

  #unloadUnwanted(): void {
    const { name } = this.#config;
    const available = this.#registry.availableVersions(name);
    const othersServe = available.some((version) => this.#disk.wanted.has(version));
    const nothingComes = this.#disk.wanted.size === 0 && this.#disk.incomplete.length === 0;
    if (!othersServe && !nothingComes) return;
    for (const version of available) {
      if (this.#disk.wanted.has(version)) continue;
      this.#logger.info({ version }, "unloading a version");
      const unload = this.#registry.unload(name, version).then(() => {
        this.#unloads.delete(unload);
        this.#options.unloaded();
        this.#logger.info({ version }, "unloaded a version");
        this.#work();
      });
      this.#unloads.add(unload);
    }
  }

  async #load(source: WantedVersion): Promise<void> {
    const { version, fingerprint } = source;
    const { name } = this.#config;
    const release = await this.#options.slots.take();
    try {
      if (this.#ending.signal.aborted || this.#disk.wanted.get(version) === undefined) return;
      this.#logger.info({ version }, "loading a version");
      await this.#registry.load(name, version, () => this.#loadWithRetries(source));
      this.#failed.delete(version);
      this.#servesSinceMs.set(version, this.#options.now());
    } catch (error) {
      this.#failed.set(version, fingerprint);
      if (!this.#ending.signal.aborted) {
        this.#logger.error({ err: error, version }, "a version did not load");
      }
    } finally {
      release();
    }
  }

  async #loadWithRetries(source: WantedVersion): Promise<Servable> {
    const { maxLoadRetries, loadRetryIntervalMs, load } = this.#options;
    const { signal } = this.#ending;
    for (let attempt = 0; ; attempt++) {
      try {
        return await load(this.#config, source, (error) => this.#broke(source, error), signal);
      } catch (error) {
        const lasts = error instanceof ServeError && LASTING_REASONS.has(error.reason);
        if (lasts || attempt === maxLoadRetries || signal.aborted) throw error;
        this.#registry.setWaiting(
          this.#config.name,
          `version ${source.version} is tried again after ${ServeError.from(error).message}`,
        );
        this.#logger.warn(
          { err: error, version: source.version, retryInMs: loadRetryIntervalMs },
          "a version did not load and will be tried again",
        );
        await delay(loadRetryIntervalMs, undefined, { signal });
      }
    }
  }

  /** A version that served cannot any more. It is tried again after a while; how often is limited until it is sound. */
  #broke({ version, fingerprint }: WantedVersion, error: ServeError): void {
    const { name } = this.#config;
    const { maxLoadRetries, loadRetryIntervalMs } = this.#options;
    if (this.#registry.stateOf(name, version) !== "AVAILABLE") return;
    this.#failed.set(version, fingerprint);
    this.#registry.fail(name, version, error);
    const before = this.#breaks.get(version);
    const servedMs = this.#options.now() - (this.#servesSinceMs.get(version) ?? 0);
    const isAnotherTime = before?.fingerprint === fingerprint && servedMs < SOUND_MS;
    const count = isAnotherTime ? before.count + 1 : 1;
    this.#breaks.set(version, { fingerprint, count });
    const willRetry = count <= maxLoadRetries;
    this.#logger.error(
      { err: error, version, ...(willRetry ? { retryInMs: loadRetryIntervalMs } : {}) },
      "a version broke down",
    );
    this.#options.broke(error);
    if (!willRetry) return;
    delay(loadRetryIntervalMs, undefined, { signal: this.#ending.signal }).then(
      () => {
        this.#failed.delete(version);
        this.#work();
      },
      () => {}, // The model was removed meanwhile.
    );
  }
}
