/** Tells when a file is another one, or has another content. */
import { type FSWatcher, watch } from "node:fs";
import { readlink } from "node:fs/promises";
import path from "node:path";

interface FileWatchListener {
  /** May have changed; whoever is told reads it and compares. */
  changed(): void;
  /** Cannot be watched from here on, such as on a system that has no watches left. */
  failed(error: unknown): void;
}

/** Who writes a file in several steps is through by then. */
const SETTLE_MS = 100;
/** As many links as Linux follows on one way. Source: path_resolution(7). */
const MOST_LINKS = 40;

/** A folder that is watched, and the names in it that decide what is read. */
interface WatchedFolder {
  readonly watcher: FSWatcher;
  readonly deciding: Set<string>;
}

/**
 * Watches a file by the folders on the way to it, so that it, or any of them, may be written anew, replaced, removed and
 * made again, be missing for a while, or be a link that is replaced, as Kubernetes does it with the files of Secrets and
 * ConfigMaps. It does not keep the process alive. Of a folder on the way that may not be read it is not told when another
 * takes its place. Changes that another machine makes on a shared file system are told by few of them.
 *
 * @returns once it watches; what it could not begin to watch is told to `failed` as well.
 */
export async function watchFile(file: string, listener: FileWatchListener): Promise<{ close(): void }> {
  let watched: readonly WatchedFolder[] = [];
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  async function lookAgain(): Promise<void> {
    await arm();
    if (!isClosed) listener.changed();
  }

  function note(): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      void lookAgain();
    }, SETTLE_MS).unref();
  }

  /** The way to the file may lead through other folders than before. */
  async function arm(): Promise<void> {
    const folders = new Map<string, WatchedFolder>();
    try {
      await watchTheWay(path.resolve(file), folders);
    } catch (error) {
      if (!isClosed) listener.failed(error);
    }
    closeAll(watched);
    watched = [...folders.values()];
    if (isClosed) closeAll(watched);
  }

  /**
   * Each name on the way is watched in its folder before it is looked at, so that no change falls between.
   *
   * @throws the system's error where a folder cannot be watched that has to be.
   */
  async function watchTheWay(wanted: string, folders: Map<string, WatchedFolder>): Promise<void> {
    let [place, ...rest] = [path.parse(wanted).root, ...wanted.split(path.sep).slice(1)];
    let isTold = false;
    for (let links = 0; rest.length > 0; ) {
      const [name = "", ...after] = rest;
      const problem = watchName(place, name, folders);
      // It is not there; of a folder that is watched it is told when it comes.
      if (problem !== undefined && isTold && MISSING.has(codeOf(problem))) return;
      isTold = problem === undefined;
      const next = path.join(place, name);
      const target = links < MOST_LINKS ? await linkTarget(next) : undefined;
      const isFolder = target === undefined && after.length > 0;
      if (problem !== undefined && !(isFolder && UNREADABLE.has(codeOf(problem)))) throw problem;
      if (target === undefined) {
        [place, rest] = [next, after];
        continue;
      }
      links += 1;
      const absolute = path.resolve(place, target);
      [place, rest] = [path.parse(absolute).root, [...absolute.split(path.sep).slice(1), ...after]];
    }
  }

  /** @returns the system's error. */
  function watchName(folder: string, name: string, folders: Map<string, WatchedFolder>): unknown {
    const known = folders.get(folder);
    if (known !== undefined) {
      known.deciding.add(name);
      return undefined;
    }
    const deciding = new Set([name]);
    try {
      const watcher = watch(folder, { persistent: false }, (_event, changed) => {
        if (changed === null || deciding.has(changed)) note();
      });
      watcher.on("error", (error) => listener.failed(error));
      folders.set(folder, { watcher, deciding });
      return undefined;
    } catch (error) {
      return error;
    }
  }

  await arm();
  return {
    close() {
      isClosed = true;
      clearTimeout(timer);
      closeAll(watched);
    },
  };
}

const MISSING: ReadonlySet<unknown> = new Set(["ENOENT", "ENOTDIR"]);
const UNREADABLE: ReadonlySet<unknown> = new Set(["EACCES", "EPERM"]);

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function closeAll(folders: readonly WatchedFolder[]): void {
  for (const { watcher } of folders) watcher.close();
}

/** undefined: it is no link, or not there. */
async function linkTarget(place: string): Promise<string | undefined> {
  try {
    return await readlink(place);
  } catch {
    return undefined;
  }
}
