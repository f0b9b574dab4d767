/** What `vitrine classify` was given, as a stream of pictures: files, links, and what lies in folders. */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { UsageError } from "@vitrine/runtime/settings";
import { readList } from "./list.js";

export interface Source {
  /** Path or link as given, or path as found. */
  readonly source: string;
  readonly kind: "file" | "url";
  /** Name of the folder that it was found in, which may be its label; only for finds. */
  readonly folder?: string;
}

/** What is taken from a folder; a file given by name is tried whatever it is called. */
const PICTURE_EXTENSIONS = new Set(
  ".jpg .jpeg .jpe .jfif .png .webp .gif .avif .tif .tiff .bmp .heic .heif".split(" "),
);

/**
 * Walks the arguments in order: a link, a file, a folder (recursively, by name, without hidden files and
 * without following links to folders), or `@LIST`, a text file, gzipped or not, with one path or link a line. What is not
 * there is passed on as a file, so that it gets its row.
 *
 * @param onSkipped takes the path of each file in a folder that is no picture by its extension.
 */
export async function* findSources(
  given: readonly string[],
  onSkipped: (path: string) => void = () => {},
): AsyncGenerator<Source> {
  for (const argument of given) {
    if (!argument.startsWith("@")) {
      yield* sourcesOf(argument, onSkipped);
      continue;
    }
    for await (const { source } of readList(argument.slice(1))) yield* sourcesOf(source, onSkipped);
  }
}

/**
 * Checks that each `@LIST` can be read, before anything is done.
 *
 * @throws {UsageError} that names all that cannot.
 */
export async function checkLists(given: readonly string[]): Promise<void> {
  const problems: string[] = [];
  for (const argument of given.filter((text) => text.startsWith("@"))) {
    const found = await stat(argument.slice(1)).catch(() => undefined);
    if (found?.isFile() !== true) {
      problems.push(`${argument} was no file, expected a list with one path or link a line`);
    }
  }
  if (problems.length > 0) throw new UsageError(problems);
}

async function* sourcesOf(given: string, onSkipped: (path: string) => void): AsyncGenerator<Source> {
  const source = sourceNamed(given);
  const found = source.kind === "url" ? undefined : await stat(given).catch(() => undefined);
  if (found?.isDirectory() === true) yield* picturesIn(given.replace(/(?<=.)\/+$/, ""), onSkipped);
  else yield source;
}

/** A link, or else the path of one picture. */
export function sourceNamed(text: string): Source {
  return { source: text, kind: /^https?:\/\//i.test(text) ? "url" : "file" };
}

async function* picturesIn(folder: string, onSkipped: (path: string) => void): AsyncGenerator<Source> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (entry.name.startsWith(".")) continue;
    const found = folder.endsWith("/") ? `${folder}${entry.name}` : `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield* picturesIn(found, onSkipped);
    else if (PICTURE_EXTENSIONS.has(path.extname(entry.name).toLowerCase())) {
      yield { source: found, kind: "file", folder: path.basename(path.resolve(folder)) };
    } else onSkipped(found);
  }
}
