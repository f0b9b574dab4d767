/** The thread in which photos are made smaller, so that the page stays quick. */
import { type ShrinkOptions, shrinkPhoto } from "./shrink.js";

export interface ShrinkTask {
  readonly id: number;
  readonly photo: Blob;
  readonly options: ShrinkOptions;
}

/** `photo` is undefined where it is better sent as it is; `isUndecodable`: the browser cannot open it. */
export interface ShrinkResult {
  readonly id: number;
  readonly photo: Blob | undefined;
  readonly isUndecodable: boolean;
}

addEventListener("message", (event: MessageEvent<ShrinkTask>) => {
  const { id, photo, options } = event.data;
  const done = (result: Blob | undefined, isUndecodable: boolean) =>
    postMessage({ id, photo: result, isUndecodable } satisfies ShrinkResult);
  shrinkPhoto(photo, options).then(
    (result) => done(result, false),
    // A picture that this browser cannot open, or no memory for it: the gateway gets it as it is.
    () => done(undefined, true),
  );
});
