/** The models that the configuration has: applies a new configuration, and looks for new versions of each model. */
import { ServeError } from "@vitrine/protocol/status";
import type { Logger } from "@vitrine/runtime/logger";
import type { ModelConfig } from "./model-config.js";
import type { ModelRegistry } from "./model-registry.js";
import { type LoadOptions, ModelVersions } from "./model-versions.js";
import { candidatesOf, listVersions } from "./version-folders.js";

export interface ServedModelsOptions extends LoadOptions {
  /** New labels may point at versions that are not there yet. */
  readonly allowLabelsForUnavailable: boolean;
  /** With a period, a model whose folder is empty or missing is waited for; without, that fails. */
  readonly looksAgain: boolean;
}

export interface ConfigChange {
  readonly added: readonly ModelVersions[];
  /** Known and new models with a label whose version is not available yet. */
  readonly labelled: readonly ModelVersions[];
}

export class ServedModels {
  readonly #registry: ModelRegistry;
  readonly #options: ServedModelsOptions;
  readonly #logger: Logger;
  readonly #models = new Map<string, ModelVersions>();
  /** Models on their way out, by name. */
  readonly #removals = new Map<string, Promise<void>>();
  /** Labels of the configuration whose versions are not available yet. */
  readonly #pendingLabels = new Map<string, Map<string, number>>();
  /** The models of the first configuration are awaited. */
  #isFirst = true;
  #applying: Promise<unknown> = Promise.resolve();

  constructor(registry: ModelRegistry, options: ServedModelsOptions, logger: Logger) {
    this.#registry = registry;
    this.#options = options;
    this.#logger = logger;
    registry.onChange(() => this.#assignLabels());
  }

  /**
   * Makes these the models, as a whole: the ones it leaves out are unloaded, known ones get their new policy and
   * labels, and those that are new are loaded.
   *
   * Labels point where the configuration says as soon as that version is available. (TensorFlow Serving looks at
   * labels before it loads the models of the same configuration, so that a first one with labels cannot start.)
   *
   * @returns when every new model, and every version that a label waits for, is available.
   * @throws {ServeError} MODEL_CONFIG_INVALID when a model changes its platform; LABEL_UNAVAILABLE when a label of a
   *   known model points at a version that is neither available nor about to be: nothing is changed then.
   *   MODEL_UNAVAILABLE (UNKNOWN) in TensorFlow Serving's words when a new model did not become available.
   */
  async apply(configs: readonly ModelConfig[], signal?: AbortSignal): Promise<void> {
    const { added, labelled } = await this.begin(configs);
    const outcomes = await abortable(Promise.all(added.map(({ outcome }) => outcome)), signal);
    const failures = added.flatMap((model, index) => {
      const outcome = outcomes[index];
      return outcome instanceof ServeError ? [{ name: model.config.name, error: outcome }] : [];
    });
    if (failures.length > 0) throw this.#unavailable(failures);
    await abortable(Promise.all(labelled.map((model) => model.settled())), signal);
    this.#assignLabels();
    for (const model of labelled) this.#checkAssigned(model.config);
  }

  /** As {@link apply}, and returns when the models are changed and their loads have begun. */
  begin(configs: readonly ModelConfig[]): Promise<ConfigChange> {
    const begun = this.#applying.then(() => this.#begin(configs));
    // One that fails does not hold up the next.
    this.#applying = begun.catch(() => {});
    return begun;
  }

  /** Looks for new, complete and deleted versions of every model, once. */
  async look(): Promise<void> {
    await Promise.all([...this.#models.values()].map((model) => model.look()));
  }

  /** Resolves when nothing loads any more. */
  async settled(): Promise<void> {
    await Promise.all([...this.#models.values()].map((model) => model.settled()));
  }

  /** Abandons what loads and unloads what serves. */
  async close(): Promise<void> {
    const removals = [...this.#models.values()].map((model) => model.remove());
    this.#models.clear();
    await Promise.all([...removals, ...this.#removals.values()]);
  }

  async #begin(configs: readonly ModelConfig[]): Promise<ConfigChange> {
    this.#checkPlatforms(configs);
    for (const config of configs) await this.#checkLabels(config);
    const wanted = new Set(configs.map(({ name }) => name));
    for (const [name, model] of this.#models) {
      if (!wanted.has(name)) this.#remove(name, model);
    }
    // One that comes back waits until its last life is over: both would move the same versions.
    await Promise.all(configs.map(({ name }) => this.#removals.get(name)));
    const added = configs.filter(({ name }) => !this.#models.has(name)).map((config) => this.#add(config));
    for (const config of configs) {
      const model = this.#models.get(config.name);
      if (model !== undefined) model.config = config;
      this.#setLabels(config);
    }
    this.#isFirst = false;
    await this.look();
    if (!this.#options.looksAgain) this.#refuseEmpty(added);
    const labelled = configs
      .filter(({ name }) => this.#pendingLabels.has(name))
      .flatMap(({ name }) => this.#models.get(name) ?? []);
    return { added, labelled };
  }

  #add(config: ModelConfig): ModelVersions {
    const model = new ModelVersions(config, this.#isFirst, this.#registry, this.#options, this.#logger);
    this.#models.set(config.name, model);
    return model;
  }

  #remove(name: string, model: ModelVersions): void {
    this.#models.delete(name);
    this.#pendingLabels.delete(name);
    const removal = model.remove().finally(() => this.#removals.delete(name));
    this.#removals.set(name, removal);
    this.#logger.info({ model: name }, "the configuration has the model no more");
  }

  #checkPlatforms(configs: readonly ModelConfig[]): void {
    for (const { name, platform } of configs) {
      const before = this.#models.get(name)?.config.platform;
      if (before === undefined || before === platform) continue;
      throw new ServeError(
        "MODEL_CONFIG_INVALID",
        `model ${name} changed its platform from ${before} to ${platform}, expected it to keep it: use another name`,
      );
    }
  }

  /** Before anything is changed: may each label of a known model point where the configuration says? */
  async #checkLabels(config: ModelConfig): Promise<void> {
    const { name, labels } = config;
    if (!this.#models.has(name) || labels.size === 0) return;
    const available = new Set(this.#registry.availableVersions(name));
    const assigned = this.#registry.labelsOf(name);
    const unavailable = [...labels].filter(([, version]) => !available.has(version));
    if (unavailable.length === 0) return;
    const coming = await this.#comingVersions(config);
    for (const [label, version] of unavailable) {
      if (coming.has(version)) continue;
      const now = assigned.get(label);
      if (this.#options.allowLabelsForUnavailable && (now === undefined || now === version)) continue;
      throw labelUnavailable(name, version);
    }
  }

  async #comingVersions({ basePath, policy }: ModelConfig): Promise<ReadonlySet<number>> {
    const folders = await listVersions(basePath, this.#options.modelFile);
    const { versions, count } = candidatesOf(policy, folders.keys());
    return new Set(versions.slice(0, count));
  }

  /** A label that cannot move yet stays where it is. */
  #setLabels({ name, labels }: ModelConfig): void {
    const before = this.#registry.labelsOf(name);
    const now = new Map<string, number>();
    const pending = new Map<string, number>();
    for (const [label, version] of labels) {
      const current = before.get(label);
      const mayPoint =
        this.#registry.stateOf(name, version) === "AVAILABLE" ||
        (this.#options.allowLabelsForUnavailable && (current === undefined || current === version));
      if (mayPoint) now.set(label, version);
      else {
        pending.set(label, version);
        if (current !== undefined) now.set(label, current);
      }
    }
    this.#registry.setLabels(name, now);
    if (pending.size > 0) this.#pendingLabels.set(name, pending);
    else this.#pendingLabels.delete(name);
  }

  #assignLabels(): void {
    for (const [name, pending] of this.#pendingLabels) {
      const ripe = [...pending].filter(
        ([, version]) => this.#registry.stateOf(name, version) === "AVAILABLE",
      );
      if (ripe.length === 0) continue;
      this.#registry.setLabels(name, new Map([...this.#registry.labelsOf(name), ...ripe]));
      for (const [label, version] of ripe) {
        pending.delete(label);
        this.#logger.info({ model: name, label, version }, "a label points at its version");
      }
      if (pending.size === 0) this.#pendingLabels.delete(name);
    }
  }

  #checkAssigned({ name }: ModelConfig): void {
    const [pending] = this.#pendingLabels.get(name) ?? [];
    if (pending === undefined) return;
    const [, version] = pending;
    throw labelUnavailable(name, version);
  }

  #refuseEmpty(added: readonly ModelVersions[]): void {
    for (const model of added) {
      if (model.wantedVersions.length > 0) continue;
      const why = this.#registry.waitsFor(model.config.name) ?? "it had no version";
      throw new ServeError("MODEL_INVALID", why);
    }
  }

  /** In TensorFlow Serving's words, which scripts look for. */
  #unavailable(failures: readonly { name: string; error: ServeError }[]): ServeError {
    const list = failures.map(({ name, error }) => {
      const version = this.#models.get(name)?.wantedVersions[0];
      return `{{name: ${name} version: ${version ?? "unknown"}} due to error: ${error.message}}, `;
    });
    return new ServeError(
      "MODEL_UNAVAILABLE",
      `${failures.length} servable(s) did not become available: {${list.join("")}}`,
      { code: "UNKNOWN", cause: failures[0]?.error },
    );
  }
}

function labelUnavailable(name: string, version: number): ServeError {
  return new ServeError(
    "LABEL_UNAVAILABLE",
    `Request to assign label to version ${version} of model ${name}, which is not currently available for inference`,
  );
}

/** The promise's value, unless the signal aborts first; what was begun goes on then. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
