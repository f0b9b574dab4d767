/** What of a model lies on disk, look by look: which of its versions are wanted, and which of those are complete. */
import { type FolderState, readFolderState } from "./folder-state.js";
import type { ModelConfig } from "./model-config.js";
import { candidatesOf, findModel, listVersions, type ModelFiles } from "./version-folders.js";

/** A version whose files are all there. */
export interface VersionSource {
  readonly version: number;
  /** Holds the contract's files. */
  readonly folder: string;
  readonly files: ModelFiles;
}

export interface WantedVersion extends VersionSource {
  /** Changes with its files. */
  readonly fingerprint: string;
}

export interface WatchOptions {
  /** A folder that changed more recently counts as still being copied, unless it was the same at the last look. */
  readonly quietMs: number;
  /** Milliseconds since 1970. */
  now(): number;
  /** As in {@link findModel}. */
  readonly modelFile: string | undefined;
}

export interface DiskView {
  /** What the policy takes of the complete versions. */
  readonly wanted: ReadonlyMap<number, WantedVersion>;
  /** Numbers of all versions that there are. */
  readonly there: ReadonlySet<number>;
  /** Why others were passed over that may be wanted soon. */
  readonly incomplete: readonly string[];
}

export class VersionWatch {
  readonly #options: WatchOptions;
  /** Fingerprints at the last look. */
  #seen = new Map<number, string>();

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /**
   * Reads the disk.
   *
   * @param served gives the versions that are loaded: their files are not looked at again.
   * @throws {ServeError} MODEL_INVALID when the base path cannot be read.
   */
  async look(
    { basePath, policy }: ModelConfig,
    served: (version: number) => WantedVersion | undefined,
  ): Promise<DiskView> {
    const folders = await listVersions(basePath, this.#options.modelFile);
    const { versions, count } = candidatesOf(policy, folders.keys());
    const wanted = new Map<number, WantedVersion>();
    const seen = new Map<number, string>();
    const incomplete: string[] = [];
    for (const version of versions) {
      if (wanted.size === count) break;
      const folder = folders.get(version) ?? basePath;
      const found = served(version) ?? (await this.#inspect(version, folder, seen));
      if (typeof found === "string") incomplete.push(found);
      else wanted.set(version, found);
    }
    this.#seen = seen;
    return { wanted, there: new Set(folders.keys()), incomplete };
  }

  /**
   * Decides whether a version's files are all there. Nobody says when a copy is complete, so: it has a model, and
   * nothing in it changed for `quietMs`, or since the last look. A version renamed to its place is taken at once.
   *
   * @returns the version, or why it is not taken yet.
   */
  async #inspect(
    version: number,
    folder: string,
    seen: Map<number, string>,
  ): Promise<WantedVersion | string> {
    let state: FolderState;
    let files: ModelFiles | undefined;
    try {
      state = await readFolderState(folder);
      files = await findModel(folder, this.#options.modelFile);
    } catch (error) {
      // Files come and go while somebody copies; what is wrong for good is said at each look.
      return error instanceof Error ? error.message : String(error);
    }
    if (files === undefined) return `${folder} held no model, expected model.onnx or saved_model.pb`;
    const { fingerprint, changedAt } = state;
    seen.set(version, fingerprint);
    const age = this.#options.now() - changedAt;
    const isQuiet = age > this.#options.quietMs || this.#seen.get(version) === fingerprint;
    return isQuiet ? { version, folder, files, fingerprint } : `${folder} is still being written`;
  }
}
