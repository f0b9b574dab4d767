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

/**
 * Watches a file by its folder, so that it may be written anew, replaced, or lie behind links that are replaced, as
 * Kubernetes does it with the files of Secrets and ConfigMaps. It does not keep the process alive. Changes that another
 * machine makes on a shared file system are told by few of them.
 *
 * @returns once it watches; what it could not begin to watch is told to `failed` as well.
 */
export async function watchFile(file: string, listener: FileWatchListener): Promise<{ close(): void }> {
  let watchers: FSWatcher[] = [];
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
    const names = await namesOnTheWay(path.resolve(file));
    const before = watchers;
    watchers = [];
    for (const each of before) each.close();
    if (isClosed) return;
    try {
      for (const [folder, deciding] of names) {
        const watcher = watch(folder, { persistent: false }, (_event, name) => {
          if (name === null || deciding.has(name)) note();
        });
        watchers.push(watcher.on("error", (error) => listener.failed(error)));
      }
    } catch (error) {
      listener.failed(error);
    }
  }

  await arm();
  return {
    close() {
      isClosed = true;
      clearTimeout(timer);
      for (const each of watchers.splice(0)) each.close();
    },
  };
}

/** Folders, and the names in them that decide what is read: each link on the way, and the file itself. */
async function namesOnTheWay(file: string): Promise<Map<string, Set<string>>> {
  const names = new Map<string, Set<string>>();
  const add = (place: string) => {
    const folder = path.dirname(place);
    names.set(folder, (names.get(folder) ?? new Set()).add(path.basename(place)));
  };
  let [place, ...rest] = [path.parse(file).root, ...file.split(path.sep).slice(1)];
  for (let links = 0; rest.length > 0; ) {
    const [name = "", ...after] = rest;
    const next = path.join(place, name);
    const target = links < MOST_LINKS ? await linkTarget(next) : undefined;
    if (target === undefined) {
      [place, rest] = [next, after];
      continue;
    }
    links += 1;
    add(next);
    const absolute = path.resolve(place, target);
    [place, rest] = [path.parse(absolute).root, [...absolute.split(path.sep).slice(1), ...after]];
  }
  add(place);
  return names;
}

/** undefined: it is no link, or not there. */
async function linkTarget(place: string): Promise<string | undefined> {
  try {
    return await readlink(place);
  } catch {
    return undefined;
  }
}
