/** Weights in files beside an ONNX model. */
import { type FileHandle, open, realpath } from "node:fs/promises";
import path from "node:path";
import { ServeError } from "@vitrine/protocol/status";
import type { StringStringEntryProto } from "../gen/onnx/onnx.js";

export class ExternalData {
  readonly #folder: string;
  readonly #files = new Map<string, { readonly handle: FileHandle; readonly bytes: number }>();

  /** @param modelFile the model; its weights lie in its folder or below. */
  constructor(modelFile: string) {
    this.#folder = path.dirname(path.resolve(modelFile));
  }

  /**
   * Reads the bytes of one tensor.
   *
   * @param expected bytes that its shape needs.
   * @throws {ServeError} MODEL_INVALID when the file lies outside the model's folder, is missing or too short.
   */
  async read(
    entries: readonly StringStringEntryProto[],
    expected: number,
    label: string,
  ): Promise<Uint8Array> {
    const fields = new Map(entries.map(({ key, value }) => [key, value]));
    const file = await this.#open(fields.get("location") ?? "", label);
    const offset = wholeNumber(fields.get("offset") ?? "0", "offset", label);
    const length = wholeNumber(fields.get("length") ?? String(expected), "length", label);
    if (length !== expected) throw invalid(label, `${length} bytes`, `${expected} for its shape`);
    if (offset + length > file.bytes) {
      throw invalid(
        label,
        `its bytes at ${offset} to ${offset + length} of a file of ${file.bytes}`,
        "them inside",
      );
    }
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await file.handle.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) throw invalid(label, "a file that ended early", "all its bytes");
      done += bytesRead;
    }
    return bytes;
  }

  async close(): Promise<void> {
    for (const { handle } of this.#files.values()) await handle.close();
    this.#files.clear();
  }

  async #open(location: string, label: string): Promise<{ handle: FileHandle; bytes: number }> {
    const known = this.#files.get(location);
    if (known !== undefined) return known;
    const wanted = path.resolve(this.#folder, location);
    if (
      location === "" ||
      location.includes("\0") ||
      path.isAbsolute(location) ||
      !isInside(this.#folder, wanted)
    ) {
      throw invalid(label, `its bytes in ${JSON.stringify(location)}`, "a file in the model's folder");
    }
    const real = await realpath(wanted).catch((cause: unknown) => {
      throw new ServeError(
        "MODEL_INVALID",
        `${label} had its bytes in ${location}, expected that file to exist`,
        {
          cause,
        },
      );
    });
    // A link may lead out of the folder.
    if (!isInside(await realpath(this.#folder), real)) {
      throw invalid(label, `its bytes in ${location}, a link to elsewhere`, "a file in the model's folder");
    }
    const handle = await open(real, "r");
    const status = await handle.stat();
    const file = { handle, bytes: status.isFile() ? status.size : 0 };
    this.#files.set(location, file);
    return file;
  }
}

function isInside(folder: string, file: string): boolean {
  const relative = path.relative(folder, file);
  return relative !== "" && !relative.startsWith("..") && !path.isAbsolute(relative);
}

function wholeNumber(text: string, name: string, label: string): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw invalid(label, `${name} ${JSON.stringify(text)}`, "a whole number");
}

function invalid(label: string, was: string, expected: string): ServeError {
  return new ServeError("MODEL_INVALID", `${label} had ${was}, expected ${expected}`);
}
