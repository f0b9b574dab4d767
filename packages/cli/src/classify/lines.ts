/** Lines of a text file of any length, gzipped or not, in little memory. */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline, type Readable } from "node:stream";
import { createGunzip } from "node:zlib";

export interface Line {
  /** Without its end: `\n`, or `\r\n`. */
  readonly text: string;
  /** The file's last line may have no end, because there is none to come or because its writer died within it. */
  readonly hasEnd: boolean;
}

/** A line was longer than those of the file should be; what comes after it cannot be read either. */
export class LineTooLong extends RangeError {
  override readonly name = "LineTooLong";
}

const NEWLINE = 0x0a;

/**
 * Yields a file's lines. A file that begins with gzip's magic bytes is unzipped, whatever its name is.
 *
 * @param maxBytes of one line: a file without line ends must not fill the memory.
 * @throws {Error} of the system or of zlib; a LineTooLong that names the line that is longer than `maxBytes`.
 */
export async function* readLines(file: string, maxBytes: number): AsyncGenerator<Line> {
  let rest: Buffer = Buffer.alloc(0);
  let number = 1;
  for await (const chunk of await openText(file)) {
    const bytes: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      yield { text: textOf(bytes, start, end), hasEnd: true };
      start = end + 1;
      number++;
    }
    rest = bytes.subarray(start);
    if (rest.length > maxBytes) {
      throw new LineTooLong(
        `line ${number} of ${file} was longer than ${maxBytes} bytes, expected a text file`,
      );
    }
  }
  if (rest.length > 0) yield { text: textOf(rest, 0, rest.length), hasEnd: false };
}

async function openText(file: string): Promise<Readable> {
  const handle = await open(file);
  const magic = new Uint8Array(2);
  try {
    await handle.read(magic, 0, 2, 0);
  } finally {
    await handle.close();
  }
  const bytes = createReadStream(file);
  if (magic[0] !== 0x1f || magic[1] !== 0x8b) return bytes;
  const text = createGunzip();
  // The reader of `text` meets its errors, and those of the file, which destroy it.
  pipeline(bytes, text, () => {});
  return text;
}

function textOf(bytes: Buffer, start: number, end: number): string {
  const hasReturn = end > start && bytes[end - 1] === 0x0d;
  return bytes.toString("utf8", start, hasReturn ? end - 1 : end);
}
