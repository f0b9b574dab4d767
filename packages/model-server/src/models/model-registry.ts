/** Name, version and label to servable, and the state of each version that was ever asked for. */
import { ServeError } from "@vitrine/protocol/status";
import type { Servable } from "../servable.js";

/** States and their meaning are TensorFlow Serving's: only AVAILABLE answers; END is unloaded or failed. */
export type VersionState = "START" | "LOADING" | "AVAILABLE" | "UNLOADING" | "END";

export interface VersionStatus {
  readonly version: number;
  readonly state: VersionState;
  /** Why the version ended, when it failed. */
  readonly error: ServeError | undefined;
}

/** Which model a request means. */
export interface ModelChoice {
  readonly name: string;
  readonly version?: number | undefined;
  readonly label?: string | undefined;
}

interface VersionEntry {
  state: VersionState;
  error: ServeError | undefined;
  servable: Servable | undefined;
}

interface ModelEntry {
  readonly versions: Map<number, VersionEntry>;
  labels: ReadonlyMap<string, number>;
  /** False once the configuration has it no more; its versions' states are still told. */
  configured: boolean;
  /** The server is ready only while this model is available. */
  isAwaited: boolean;
  /** What it waits for, in words for an operator. */
  waitsFor: string | undefined;
}

export class ModelRegistry {
  readonly #models = new Map<string, ModelEntry>();
  readonly #listeners = new Set<() => void>();

  /**
   * Notes that the configuration has the model.
   *
   * @param isAwaited the server is not ready before it has a version that answers. One that comes later counts from
   *   the time that it had one: a bad addition must not take the models beside it out of traffic.
   */
  add(name: string, isAwaited: boolean): void {
    const model = this.#model(name);
    model.configured = true;
    model.isAwaited = isAwaited;
    this.#changed();
  }

  /** Ends {@link add}; its versions are unloaded one by one. */
  remove(name: string): void {
    const model = this.#model(name);
    model.configured = false;
    model.isAwaited = false;
    model.labels = new Map();
    model.waitsFor = undefined;
    this.#changed();
  }

  /** Replaces the model's labels as a whole. */
  setLabels(name: string, labels: ReadonlyMap<string, number>): void {
    this.#model(name).labels = labels;
  }

  labelsOf(name: string): ReadonlyMap<string, number> {
    return this.#models.get(name)?.labels ?? new Map();
  }

  waitsFor(name: string): string | undefined {
    return this.#models.get(name)?.waitsFor;
  }

  /** Notes what a model waits for that has no version yet, for {@link unavailable}. */
  setWaiting(name: string, waitsFor: string | undefined): void {
    this.#model(name).waitsFor = waitsFor;
  }

  /**
   * Loads a version beside those that serve and makes it AVAILABLE.
   *
   * @param load makes the servable, warm.
   * @throws what `load` throws; the status keeps it.
   */
  async load(name: string, version: number, load: () => Promise<Servable>): Promise<void> {
    const entry: VersionEntry = { state: "START", error: undefined, servable: undefined };
    const model = this.#model(name);
    model.configured = true;
    model.versions.set(version, entry);
    this.#move(entry, "LOADING");
    try {
      entry.servable = await load();
    } catch (error) {
      entry.error = ServeError.from(error);
      this.#move(entry, "END");
      throw error;
    }
    model.isAwaited = true;
    forgetOldest(model.versions);
    this.#move(entry, "AVAILABLE");
  }

  /** Takes a version out of service and resolves when its accepted requests are answered and its sessions ended. */
  async unload(name: string, version: number): Promise<void> {
    const entry = this.#models.get(name)?.versions.get(version);
    if (entry?.state !== "AVAILABLE") return;
    this.#move(entry, "UNLOADING");
    await entry.servable?.unload();
    entry.servable = undefined;
    this.#move(entry, "END");
  }

  /** Marks a version that cannot answer any more, such as after a crash loop. */
  fail(name: string, version: number, error: ServeError): void {
    const entry = this.#models.get(name)?.versions.get(version);
    if (entry === undefined) return;
    entry.error = error;
    entry.servable = undefined;
    this.#move(entry, "END");
  }

  /**
   * The servable that a request means: the highest AVAILABLE version unless it names one.
   *
   * @throws {ServeError} MODEL_NOT_FOUND, LABEL_NOT_FOUND, or REQUEST_INVALID without a name, in TensorFlow
   *   Serving's words.
   */
  find({ name, version, label }: ModelChoice): Servable {
    if (name === "") throw new ServeError("REQUEST_INVALID", "ModelSpec has no name specified.");
    const labelled = label === undefined ? undefined : this.#models.get(name)?.labels.get(label);
    if (label !== undefined && labelled === undefined) {
      throw new ServeError("LABEL_NOT_FOUND", `Unrecognized servable version label: ${label}`);
    }
    const named = labelled ?? version;
    const wanted = named ?? this.#latestAvailable(name);
    const servable = wanted === undefined ? undefined : this.#available(name, wanted);
    if (servable !== undefined) return servable;
    const what = named === undefined ? `Latest(${name})` : `Specific(${name}, ${named})`;
    throw new ServeError("MODEL_NOT_FOUND", `Servable not found for request: ${what}`);
  }

  /**
   * Status of a model's versions, highest first, ended ones included; of one version if it is given.
   *
   * @throws {ServeError} MODEL_NOT_FOUND.
   */
  statuses(name: string, version?: number): VersionStatus[] {
    const statuses = this.#statuses(name);
    if (statuses.length === 0) {
      throw new ServeError("MODEL_NOT_FOUND", `Could not find any versions of model ${name}`);
    }
    if (version === undefined) return statuses;
    const found = statuses.filter((status) => status.version === version);
    if (found.length === 0) {
      throw new ServeError("MODEL_NOT_FOUND", `Could not find version ${version} of model ${name}`);
    }
    return found;
  }

  /** True when {@link statuses} has something to say of the model. */
  hasVersions(name: string): boolean {
    return this.#statuses(name).length > 0;
  }

  /** State of one version; undefined before it was ever asked for. */
  stateOf(name: string, version: number): VersionState | undefined {
    return this.#models.get(name)?.versions.get(version)?.state;
  }

  /** Versions that answer, highest first. */
  availableVersions(name: string): readonly number[] {
    return this.#statuses(name)
      .filter(({ state }) => state === "AVAILABLE")
      .map(({ version }) => version);
  }

  /** True when the model has a version that answers. */
  isAvailable(name: string): boolean {
    return this.#latestAvailable(name) !== undefined;
  }

  /** Names of the models that the configuration has. */
  get names(): readonly string[] {
    return [...this.#models].filter(([, { configured }]) => configured).map(([name]) => name);
  }

  /** Why the server is not ready: one sentence for each model that it waits for. */
  unavailable(): readonly string[] {
    return this.names
      .filter((name) => this.#models.get(name)?.isAwaited === true && !this.isAvailable(name))
      .map((name) => {
        const waitsFor = this.#models.get(name)?.waitsFor;
        const versions = this.#statuses(name).map(
          ({ version, state, error }) =>
            `version ${version} is ${state}${error === undefined ? "" : `: ${error.message}`}`,
        );
        const why = [...(waitsFor === undefined ? [] : [waitsFor]), ...versions];
        return `model ${name} is not available: ${why.join("; ") || "it was not looked for yet"}`;
      });
  }

  /** Calls the listener after each change of a version's state. @returns the function that ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #model(name: string): ModelEntry {
    const model = this.#models.get(name) ?? {
      versions: new Map<number, VersionEntry>(),
      labels: new Map<string, number>(),
      configured: false,
      isAwaited: false,
      waitsFor: undefined,
    };
    this.#models.set(name, model);
    return model;
  }

  #statuses(name: string): VersionStatus[] {
    return [...(this.#models.get(name)?.versions ?? [])]
      .map(([version, { state, error }]) => ({ version, state, error }))
      .sort((a, b) => b.version - a.version);
  }

  #latestAvailable(name: string): number | undefined {
    let latest: number | undefined;
    for (const [version, { state }] of this.#models.get(name)?.versions ?? []) {
      if (state === "AVAILABLE" && (latest === undefined || version > latest)) latest = version;
    }
    return latest;
  }

  #available(name: string, version: number): Servable | undefined {
    const entry = this.#models.get(name)?.versions.get(version);
    return entry?.state === "AVAILABLE" ? entry.servable : undefined;
  }

  #move(entry: VersionEntry, state: VersionState): void {
    entry.state = state;
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Ended versions whose states are still told; else a server that runs for a year would list thousands. */
const MAX_ENDED = 100;

function forgetOldest(versions: Map<number, VersionEntry>): void {
  const ended = [...versions].filter(([, { state }]) => state === "END").map(([version]) => version);
  for (const version of ended.sort((a, b) => b - a).slice(MAX_ENDED)) versions.delete(version);
}
