/** The pictures of photos as this page shows them: files by themselves, linked ones as the gateway hands them over. */
import type { Fault } from "./fault.js";
import type { GatewayClient } from "./gateway/client.js";
import type { Photo } from "./photo.js";

/** A picture is shown at most this large, in pixels, on screens of two pixels for one. */
const SHOWN_EDGE = 1024;

export type Picture =
  | { readonly name: "ready"; readonly url: string }
  /** `share` of the bytes that are here, 0 to 1; undefined while nobody knows. */
  | { readonly name: "loading"; readonly share: number | undefined }
  | { readonly name: "failed"; readonly fault: Fault };

interface Entry {
  picture: Picture;
  readonly end: AbortController;
}

/** Pictures by their photo's id, for as long as the photo is on the page. */
export class Pictures {
  readonly #gateway: GatewayClient;
  readonly #onChange: () => void;
  readonly #entries = new Map<string, Entry>();

  /** @param onChange a picture has come, or a part of it. */
  constructor(gateway: GatewayClient, onChange: () => void) {
    this.#gateway = gateway;
    this.#onChange = onChange;
  }

  /** Loads the pictures of these photos and forgets all others. */
  show(photos: readonly Photo[]): void {
    const wanted = new Set(photos.map(({ id }) => id));
    for (const [id, { picture, end }] of this.#entries) {
      if (wanted.has(id)) continue;
      end.abort();
      if (picture.name === "ready") URL.revokeObjectURL(picture.url);
      this.#entries.delete(id);
    }
    for (const photo of photos) {
      const known = this.#entries.get(photo.id);
      if (known === undefined) this.#load(photo);
    }
  }

  /** Tries again what has failed. */
  retry(photos: readonly Photo[]): void {
    for (const { id } of photos) {
      if (this.#entries.get(id)?.picture.name === "failed") this.#entries.delete(id);
    }
    this.show(photos);
  }

  /** Stops what is still on its way. */
  cancel(): void {
    for (const { picture, end } of this.#entries.values()) {
      if (picture.name === "loading") end.abort();
    }
  }

  of(photo: Photo): Picture {
    return this.#entries.get(photo.id)?.picture ?? { name: "loading", share: undefined };
  }

  #load(photo: Photo): void {
    const end = new AbortController();
    if (photo.kind === "file") {
      this.#entries.set(photo.id, { end, picture: { name: "ready", url: URL.createObjectURL(photo.file) } });
      return;
    }
    const entry: Entry = { end, picture: { name: "loading", share: undefined } };
    this.#entries.set(photo.id, entry);
    const { signal } = end;
    const change = (picture: Picture) => {
      if (this.#entries.get(photo.id) !== entry) return;
      entry.picture = picture;
      this.#onChange();
    };
    const onReceived = (share: number | undefined) => change({ name: "loading", share });
    void this.#gateway.picture(photo.url, SHOWN_EDGE, { signal, onReceived }).then((picture) => {
      change(
        picture instanceof Blob
          ? { name: "ready", url: URL.createObjectURL(picture) }
          : { name: "failed", fault: picture },
      );
    });
  }
}
