/** The story of one `GET /picture`: a linked picture made into a small one of our own, under a prediction's limits. */
import { startDeadline } from "./deadline.js";
import type { Permits } from "./permits.js";
import type { FetchPicture } from "./picture-cache.js";
import type { PictureFile } from "./pixels/picture-file.js";
import type { Preprocessor } from "./preprocess.js";
import type { StageTimes } from "./stage-times.js";

export interface ShowPictureRequest {
  readonly url: string;
  /** Longest edge of the answer, in pixels. */
  readonly edge: number;
  /** Aborts when the caller has gone. */
  readonly caller: AbortSignal;
  readonly times: StageTimes;
}

export interface ShowPictureParts {
  readonly permits: Permits;
  readonly fetchPicture: FetchPicture;
  readonly preprocessor: Pick<Preprocessor, "makeFile">;
  readonly timeoutMs: number;
}

export type ShowPicture = (request: ShowPictureRequest) => Promise<PictureFile>;

/** Makes the function that answers one `GET /picture`. No byte of the foreign file is in its answer. */
export function createShowPicture({
  permits,
  fetchPicture,
  preprocessor,
  timeoutMs,
}: ShowPictureParts): ShowPicture {
  return async ({ url, edge, caller, times }) => {
    const permit = permits.take();
    const deadline = startDeadline(timeoutMs, caller);
    try {
      const { signal } = deadline;
      const bytes = await times.time("fetch", () => fetchPicture(url, signal, permit.hold));
      return await preprocessor.makeFile(bytes, { purpose: "show", edge }, signal);
    } finally {
      deadline.clear();
      permit.release();
    }
  };
}
