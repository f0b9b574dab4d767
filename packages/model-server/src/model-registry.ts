/** Name, version and label to servable, and the state of each version that was ever asked for. */
import { ServeError } from "@vitrine/protocol/status";
import type { Servable } from "./servable.js";

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

export class ModelRegistry {
  readonly #models = new Map<string, Map<number, VersionEntry>>();
  readonly #listeners = new Set<() => void>();

  /**
   * Loads a version and makes it AVAILABLE; only then are the model's other versions unloaded, each after its
   * accepted requests are answered.
   *
   * @param load makes the servable, warm. Its failure leaves the other versions as they are.
   * @returns when the new version is AVAILABLE; `unloaded` resolves when the others have ended.
   * @throws what `load` throws; the status keeps it.
   */
  async replace(
    name: string,
    version: number,
    load: () => Promise<Servable>,
  ): Promise<{ readonly unloaded: Promise<void> }> {
    await this.load(name, version, load);
    const others = [...this.#versions(name)].filter(
      ([other, { state }]) => other !== version && state === "AVAILABLE",
    );
    const unloads = others.map(([other]) => this.unload(name, other));
    return { unloaded: Promise.all(unloads).then(() => undefined) };
  }

  /** Loads a version beside those that serve. @throws what `load` throws. */
  async load(name: string, version: number, load: () => Promise<Servable>): Promise<void> {
    const entry: VersionEntry = { state: "START", error: undefined, servable: undefined };
    this.#versions(name).set(version, entry);
    this.#move(entry, "LOADING");
    try {
      entry.servable = await load();
    } catch (error) {
      entry.error = ServeError.from(error);
      this.#move(entry, "END");
      throw error;
    }
    this.#move(entry, "AVAILABLE");
  }

  /** Takes a version out of service and resolves when its accepted requests are answered and its sessions ended. */
  async unload(name: string, version: number): Promise<void> {
    const entry = this.#models.get(name)?.get(version);
    if (entry?.state !== "AVAILABLE") return;
    this.#move(entry, "UNLOADING");
    await entry.servable?.unload();
    entry.servable = undefined;
    this.#move(entry, "END");
  }

  /** Marks a version that cannot answer any more, such as after a crash loop. */
  fail(name: string, version: number, error: ServeError): void {
    const entry = this.#models.get(name)?.get(version);
    if (entry === undefined) return;
    entry.error = error;
    entry.servable = undefined;
    this.#move(entry, "END");
  }

  /** Unloads everything. */
  async unloadAll(): Promise<void> {
    const unloads = [...this.#models].flatMap(([name, versions]) =>
      [...versions.keys()].map((version) => this.unload(name, version)),
    );
    await Promise.all(unloads);
  }

  /**
   * The servable that a request means: the highest AVAILABLE version unless it names one.
   *
   * @throws {ServeError} MODEL_NOT_FOUND, LABEL_NOT_FOUND, or REQUEST_INVALID without a name, in TensorFlow
   *   Serving's words.
   */
  find({ name, version, label }: ModelChoice): Servable {
    if (name === "") throw new ServeError("REQUEST_INVALID", "ModelSpec has no name specified.");
    if (label !== undefined) {
      throw new ServeError("LABEL_NOT_FOUND", `Unrecognized servable version label: ${label}`);
    }
    const wanted = version ?? this.#latestAvailable(name);
    const servable = wanted === undefined ? undefined : this.#available(name, wanted);
    if (servable !== undefined) return servable;
    const what = version === undefined ? `Latest(${name})` : `Specific(${name}, ${version})`;
    throw new ServeError("MODEL_NOT_FOUND", `Servable not found for request: ${what}`);
  }

  /**
   * Status of a model's versions, highest first, ended ones included; of one version if it is given.
   *
   * @throws {ServeError} MODEL_NOT_FOUND.
   */
  statuses(name: string, version?: number): VersionStatus[] {
    const statuses = [...(this.#models.get(name) ?? [])]
      .map(([number, { state, error }]) => ({ version: number, state, error }))
      .sort((a, b) => b.version - a.version);
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

  /** True when the model has a version that answers. */
  isAvailable(name: string): boolean {
    return this.#latestAvailable(name) !== undefined;
  }

  /** Names of all models ever asked for. */
  get names(): readonly string[] {
    return [...this.#models.keys()];
  }

  /** Calls the listener after each change of a version's state. @returns the function that ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #versions(name: string): Map<number, VersionEntry> {
    const versions = this.#models.get(name) ?? new Map<number, VersionEntry>();
    this.#models.set(name, versions);
    return versions;
  }

  #latestAvailable(name: string): number | undefined {
    const numbers = [...(this.#models.get(name) ?? [])]
      .filter(([, { state }]) => state === "AVAILABLE")
      .map(([number]) => number);
    return numbers.length === 0 ? undefined : Math.max(...numbers);
  }

  #available(name: string, version: number): Servable | undefined {
    const entry = this.#models.get(name)?.get(version);
    return entry?.state === "AVAILABLE" ? entry.servable : undefined;
  }

  #move(entry: VersionEntry, state: VersionState): void {
    entry.state = state;
    for (const listener of this.#listeners) listener();
  }
}
