/** One attempt to read an item: from its photos to an answer or a fault. */
import type { InfoResponse } from "@vitrine/gateway/api";
import type { Fault } from "./fault.js";
import type { GatewayClient, Upload } from "./gateway/client.js";
import type { Item } from "./item.js";
import type { PageEvent } from "./page-state.js";
import type { Photo } from "./photo.js";
import type { UploadPreparation } from "./upload/prepare.js";
import { uploadOf } from "./upload/prepare.js";

/** After this long without an answer the page says that it takes longer than usual. */
const SLOW_MS = 4_000;

/** A request is given up when no byte has moved for this long, or for longer than the gateway may think. */
const STALL_MS = 30_000;
const STALL_BEYOND_DEADLINE_MS = 5_000;

export interface Reader {
  /** Tells by `send` how it goes; an aborted attempt tells nothing more. */
  read(item: Item, attempt: number, signal: AbortSignal): Promise<void>;
  /** What was, or would be, sent for the item. */
  upload(item: Item): Promise<Upload>;
}

interface ReaderParts {
  readonly gateway: GatewayClient;
  readonly preparation: UploadPreparation;
  /** What the gateway serves, as soon as it has said so, or failed to. */
  info(): Promise<InfoResponse | undefined>;
  send(event: PageEvent): void;
}

export function createReader({ gateway, preparation, info, send }: ReaderParts): Reader {
  return {
    async read(item, attempt, signal) {
      const slowTimer = setTimeout(() => send({ name: "slowed", attempt }), SLOW_MS);
      signal.addEventListener("abort", () => clearTimeout(slowTimer), { once: true });
      const site = await info();
      const prepared = await preparation.prepare(item, site);
      if (signal.aborted) return;
      if ("fault" in prepared) {
        clearTimeout(slowTimer);
        send({ name: "failed", attempt, fault: prepared.fault, photoId: prepared.photo.id });
        return;
      }
      const stallMs = Math.max(STALL_MS, (site?.limits.timeout_ms ?? 0) + STALL_BEYOND_DEADLINE_MS);
      const onSent = (share: number) => send({ name: "sent", attempt, share });
      const outcome = await gateway.predict(uploadOf(prepared), { signal, stallMs, onSent });
      clearTimeout(slowTimer);
      if (outcome.name === "failed" && outcome.fault.reason === "UNREACHABLE") {
        // A browser says no more of a file that it can no longer read.
        const gone = await unreadableOf(item);
        if (signal.aborted) return;
        if (gone !== undefined) {
          send({ name: "failed", attempt, fault: { reason: "FILE_CHANGED" }, photoId: gone.id });
          return;
        }
      }
      const index = outcome.name === "failed" ? outcome.fault.photo : undefined;
      const photoId = index === undefined ? undefined : item.photos[index]?.id;
      send({ ...outcome, attempt, ...(photoId === undefined ? {} : { photoId }) });
    },
    async upload(item) {
      const prepared = await preparation.prepare(item, await info());
      // A photo that was answered can be sent; one that cannot any more is sent as it is, to be told why.
      const parts =
        "fault" in prepared
          ? item.photos.map((photo) => (photo.kind === "link" ? photo.url : photo.file))
          : prepared.parts;
      return uploadOf({ parts });
    },
  };
}

/** The first photo whose file was changed, moved or deleted since it was chosen. */
async function unreadableOf({ photos }: Item): Promise<Photo | undefined> {
  for (const photo of photos) {
    if (photo.kind === "link") continue;
    try {
      await photo.file.slice(0, 1).arrayBuffer();
    } catch {
      return photo;
    }
  }
  return undefined;
}

/**
 * Waits until what stood in the way is over, and says so: the wait that the gateway asked for, counted down, or the lack of
 * network, after which the item is read again without being asked.
 */
export function waitForTheWayToClear(
  fault: Fault,
  attempt: number,
  signal: AbortSignal,
  send: (event: PageEvent) => void,
): void {
  if (fault.retryAfterSeconds !== undefined) {
    const endsMs = Date.now() + fault.retryAfterSeconds * 1000;
    const count = () => {
      const secondsLeft = Math.ceil((endsMs - Date.now()) / 1000);
      if (secondsLeft > 0) {
        send({ name: "counted", attempt, secondsLeft });
      } else {
        clearInterval(timer);
        send({ name: "waited", attempt });
      }
    };
    const timer = setInterval(count, 1000);
    signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  } else if (fault.reason === "OFFLINE") {
    const readAgain = () => send({ name: "retried" });
    if (navigator.onLine) send({ name: "waited", attempt });
    else window.addEventListener("online", readAgain, { once: true, signal });
  }
}
