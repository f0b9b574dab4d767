/** The same question as a command, for whoever wants to ask without the page. */
import { PREDICT_PATH } from "./gateway/client.js";
import type { Photo } from "./photo.js";

/** A word of a POSIX shell, in quotes that keep every character. */
function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * A curl command that asks about the same photos in the same order: links as they are, files by their names, which lie
 * where the person has them.
 *
 * @param origin of the gateway.
 * @param needsKey the site asks for a key; the command takes it from the environment, so that it is not copied about.
 */
export function curlCommand(photos: readonly Photo[], origin: string, needsKey: boolean): string {
  const urls = photos.flatMap((photo) => (photo.kind === "link" ? [photo.url] : []));
  const key = needsKey ? ['-H "authorization: Bearer $VITRINE_KEY"'] : [];
  const body =
    urls.length === photos.length
      ? [
          `-H ${shellWord("content-type: application/json")}`,
          `--data-raw ${shellWord(JSON.stringify(urls.length === 1 ? { url: urls[0] } : { urls }))}`,
        ]
      : photos.map((photo) =>
          // A link may hold what -F would read as the end of it.
          photo.kind === "file"
            ? `-F ${shellWord(formField(photo.file.name))}`
            : `--form-string ${shellWord(`url=${photo.url}`)}`,
        );
  return ["curl", ...key, ...body, shellWord(origin + PREDICT_PATH)].join(" ");
}

/** curl reads `;` and `,` in a name as the end of it, unless the name stands in quotes (curl(1), --form). */
function formField(name: string): string {
  return `file=@"${(name || "photo.jpg").replaceAll(/["\\]/g, "\\$&")}"`;
}
