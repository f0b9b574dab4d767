/**
 * Makes a photo smaller before it is sent. It runs in a Worker and in tests: everything it needs is in its arguments
 * and in the platform (createImageBitmap, OffscreenCanvas).
 */
import { withStoredOrientation } from "./jpeg-orientation.js";
import { isShrinkable } from "./shrinkable.js";

export interface ShrinkOptions {
  /** Shorter edge in pixels to shrink to at most, from `GET /info`; undefined keeps the size. */
  readonly leastEdge: number | undefined;
  /** The gateway cannot open this kind of picture: it becomes a JPEG also where it is small enough. */
  readonly mustConvert: boolean;
  /** As in `GET /info`: exif draws the photo upright; ignore keeps the pixels as they are stored. */
  readonly orientation: "exif" | "ignore";
  /** JPEG quality, 0 to 1. */
  readonly quality: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * JPEG quality at which the top class of the validation photos stays that of the originals: of all that were at least 60 % sure,
 * and as often as at 0.92, which sends 1.6 times the bytes. `npm run bench -- page` measures it.
 */
export const SHRINK_QUALITY = 0.85;

/** Size whose shorter edge is `leastEdge`, in the proportions of `size`; undefined where that would be no shrinking. */
export function shrunkSize({ width, height }: Size, leastEdge: number): Size | undefined {
  const shorter = Math.min(width, height);
  if (shorter <= leastEdge) return undefined;
  const scale = leastEdge / shorter;
  return { width: Math.round(width * scale), height: Math.round(height * scale) };
}

/**
 * Sizes on the way from one to another: halves, as long as a half is at least the goal, then the goal. A canvas reads two
 * by two pixels for one of the next, so no step skips any.
 */
export function stepsBetween(from: Size, to: Size): readonly Size[] {
  const steps: Size[] = [];
  let { width, height } = from;
  while (width >= 2 * to.width && height >= 2 * to.height) {
    width = Math.max(to.width, Math.ceil(width / 2));
    height = Math.max(to.height, Math.ceil(height / 2));
    steps.push({ width, height });
  }
  const last = steps.at(-1) ?? from;
  return last.width === to.width && last.height === to.height ? steps : [...steps, to];
}

/**
 * A photo as a JPEG of `leastEdge`; undefined where that cannot be done without changing what the gateway would see:
 * it is small enough already, of a kind that browsers may decode otherwise, or has transparent pixels, or its stored orientation cannot be kept.
 *
 * @throws {DOMException} InvalidStateError where the browser cannot decode it.
 */
export async function shrinkPhoto(photo: Blob, options: ShrinkOptions): Promise<Blob | undefined> {
  const { leastEdge, mustConvert, orientation, quality } = options;
  if (!mustConvert && !isShrinkable(new Uint8Array(await photo.arrayBuffer()))) return undefined;
  const source = orientation === "exif" || mustConvert ? photo : await withStoredOrientation(photo);
  if (source === undefined) return undefined;
  // The gateway takes pixel values as they are stored, without a colour profile; so does this.
  const bitmap = await createImageBitmap(source, {
    imageOrientation: "from-image",
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
  });
  try {
    const smaller = leastEdge === undefined ? undefined : shrunkSize(bitmap, leastEdge);
    const size = smaller ?? (mustConvert ? bitmap : undefined);
    if (size === undefined) return undefined;
    const canvas = drawSmaller(bitmap, size);
    const isOpaque = photo.type === "image/jpeg" || mustConvert || !hasTransparency(canvas);
    return isOpaque ? await canvas.convertToBlob({ type: "image/jpeg", quality }) : undefined;
  } finally {
    bitmap.close();
  }
}

function drawSmaller(bitmap: ImageBitmap, size: Size): OffscreenCanvas {
  let source: ImageBitmap | OffscreenCanvas = bitmap;
  let canvas: OffscreenCanvas | undefined;
  for (const step of stepsBetween(bitmap, size)) {
    canvas = draw(source, step);
    source = canvas;
  }
  return canvas ?? draw(bitmap, size);
}

function draw(source: ImageBitmap | OffscreenCanvas, { width, height }: Size): OffscreenCanvas {
  const canvas = new OffscreenCanvas(width, height);
  const context = contextOf(canvas);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, width, height);
  return canvas;
}

function contextOf(canvas: OffscreenCanvas): OffscreenCanvasRenderingContext2D {
  // Drawn and read by the processor: the way to a graphics card and back costs more than it saves.
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new DOMException("a canvas had no 2d context", "InvalidStateError");
  return context;
}

/** JPEG has no transparency: the gateway would see other colours there. */
function hasTransparency(canvas: OffscreenCanvas): boolean {
  const { data } = contextOf(canvas).getImageData(0, 0, canvas.width, canvas.height);
  for (let offset = 3; offset < data.length; offset += 4) {
    if (data[offset] !== 255) return true;
  }
  return false;
}
