/** From the photos of an item to the upload that asks about them. */
import type { InfoResponse } from "@vitrine/gateway/api";
import type { Fault } from "../fault.js";
import type { Upload } from "../gateway/client.js";
import type { Item } from "../item.js";
import type { Photo } from "../photo.js";
import { faultOfKind, isHeic } from "../photo.js";
import { SHRINK_QUALITY } from "./shrink.js";
import type { Shrinker } from "./shrinker.js";

/** Below this, decoding and shrinking a photo takes longer than sending it. */
const WORTH_SHRINKING_BYTES = 200 * 1024;

/** Of a photo that is only changed in its kind, at its full size. */
const CONVERT_QUALITY = 0.95;

export interface Prepared {
  /** What is sent; for a link its address. */
  readonly parts: readonly (File | string)[];
}

/** Why a photo of the item cannot be sent, and which. */
export interface Unsendable {
  readonly fault: Fault;
  readonly photo: Photo;
}

/**
 * Makes the photos of an item ready to be sent: shrunk where the gateway says that this keeps the answer, and turned
 * into JPEG where only the browser can open them. A photo is prepared once, also when the item is asked about again.
 */
export class UploadPreparation {
  readonly #shrink: Shrinker;
  readonly #ready = new WeakMap<
    File,
    { readonly info: InfoResponse | undefined; readonly file: File | Fault }
  >();

  constructor(shrink: Shrinker) {
    this.#shrink = shrink;
  }

  async prepare({ photos }: Item, info: InfoResponse | undefined): Promise<Prepared | Unsendable> {
    const parts: (File | string)[] = [];
    for (const photo of photos) {
      const part = photo.kind === "link" ? photo.url : await this.#prepareFile(photo.file, info);
      if (typeof part !== "string" && !(part instanceof File)) return { fault: part, photo };
      parts.push(part);
    }
    return { parts };
  }

  async #prepareFile(file: File, info: InfoResponse | undefined): Promise<File | Fault> {
    const known = this.#ready.get(file);
    if (known !== undefined && known.info === info) return known.file;
    const result = await this.#shrinkFile(file, info);
    this.#ready.set(file, { info, file: result });
    return result;
  }

  async #shrinkFile(file: File, info: InfoResponse | undefined): Promise<File | Fault> {
    if (file.size === 0) return { reason: "FILE_EMPTY" };
    // Some browsers can open it, and the gateway cannot. A file that cannot be read is told so when it is sent.
    const mustConvert = await isHeic(file).catch(() => false);
    const foreign = mustConvert ? undefined : faultOfKind(file, info?.limits);
    if (foreign !== undefined) return foreign;
    const leastEdge = info?.shrink.keeps_answer === true ? (info.shrink.least_edge ?? undefined) : undefined;
    if (mustConvert || (leastEdge !== undefined && file.size > WORTH_SHRINKING_BYTES)) {
      const { photo, isUndecodable } = await this.#shrink(file, {
        leastEdge,
        mustConvert,
        orientation: info?.picture.orientation ?? "exif",
        quality: leastEdge === undefined ? CONVERT_QUALITY : SHRINK_QUALITY,
      });
      if (photo !== undefined && (mustConvert || photo.size < file.size)) return jpegOf(photo, file.name);
      if (mustConvert && isUndecodable) return { reason: "IMAGE_TYPE_UNSUPPORTED", isHeic: true };
    }
    const isTooLarge = info !== undefined && file.size > info.limits.max_image_bytes;
    return isTooLarge ? { reason: "IMAGE_TOO_LARGE" } : file;
  }
}

function jpegOf(photo: Blob, name: string): File {
  return new File([photo], `${name.replace(/\.[^.]*$/, "") || "photo"}.jpg`, { type: "image/jpeg" });
}

/** Body and headers of `POST /predict`; made anew for each request. */
export function uploadOf({ parts }: Prepared): Upload {
  const links = parts.filter((part) => typeof part === "string");
  if (links.length === parts.length) {
    const body = JSON.stringify(links.length === 1 ? { url: links[0] } : { urls: links });
    return { body, headers: { "content-type": "application/json" } };
  }
  const form = new FormData();
  for (const part of parts) {
    if (typeof part === "string") form.append("url", part);
    else form.append("file", part, part.name || "photo");
  }
  return { body: form, headers: {} };
}
