/** A picture that came inside JSON. */
import { temporaryUrl } from "../on-demand/picture.js";

const PREFIX = "data:image/png;base64,";

/**
 * As a `blob:` address: a `data:` one would need its own allowance in the content security policy.
 *
 * @param dataUrl of a PNG; anything else gives an address that shows nothing.
 */
export function pngOf(dataUrl: string, signal: AbortSignal): string {
  return temporaryUrl(new Blob([bytesOf(dataUrl)], { type: "image/png" }), signal);
}

function bytesOf(dataUrl: string): Uint8Array<ArrayBuffer> {
  if (!dataUrl.startsWith(PREFIX)) return new Uint8Array(0);
  const characters = atob(dataUrl.slice(PREFIX.length));
  return Uint8Array.from(characters, (character) => character.charCodeAt(0));
}
