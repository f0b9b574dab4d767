/**
 * A decoder for the JPEGs that most people send, of moderate size: libjpeg's pixels to the bit at half the time
 * that libvips takes to set up its pipeline and decode. Whatever is not plain and sound is left to libvips.
 */
import { decodeMcuRow, isAtEnd, startEntropy } from "./jpeg-entropy.js";
import { type JpegKernels, jpegModule } from "./jpeg-kernels.js";
import { readBaselineJpeg } from "./jpeg-tables.js";
import type { RgbPicture } from "./rgb-picture.js";
import { instantiate } from "./wasm-instance.js";

/** @returns undefined when the picture is not plain, not sound or too large; nothing has then been decided about it. */
export type DecodeBaseline = (bytes: Uint8Array) => RgbPicture | undefined;

/** Larger pictures gain nothing: libvips' set-up is then a small part. It also bounds the memory, which never shrinks. */
const MAX_PIXELS = 2_000_000;
const PAGE_BYTES = 65_536;
const BLOCK_BYTES = 128;
/**
 * Coefficients of 8-bit samples stay within 1024 and a rounding. libjpeg's SIMD lets 16-bit sums overflow where
 * a damaged file holds larger ones; the kernels here do not.
 */
const COEFFICIENT_BITS = 11;
/** What the kernels may write past an end, and the alignment of each area. */
const SLACK_BYTES = 64;

/** Compiles the kernels; the function returned belongs to one thread. undefined where WebAssembly has no SIMD. */
export function createBaselineDecoder(): DecodeBaseline | undefined {
  const instance = instantiate<JpegKernels>(jpegModule());
  if (instance === undefined) return undefined;
  const { exports: kernels, memory } = instance;

  return (bytes) => {
    const jpeg = readBaselineJpeg(bytes);
    if (jpeg === undefined || jpeg.width * jpeg.height > MAX_PIXELS) return undefined;
    const { width, height, components } = jpeg;
    const [luma] = components;
    if (luma === undefined || width === 0 || height === 0) return undefined;
    const mcus = Math.ceil(width / (8 * luma.across));
    const mcuRows = Math.ceil(height / (8 * luma.down));
    // Of the chroma that is not only padding; libjpeg smooths none narrower than 3.
    const chromaWidth = Math.ceil(width / luma.across);
    const chromaHeight = Math.ceil(height / luma.down);
    if (luma.across === 2 && chromaWidth < 3) return undefined;

    let used = 0;
    const take = (size: number) => {
      const address = used;
      used = Math.ceil((used + size + SLACK_BYTES) / SLACK_BYTES) * SLACK_BYTES;
      return address;
    };
    const areas = components.map(({ across, down }) => {
      const stride = 8 * across * mcus;
      return {
        quantization: take(BLOCK_BYTES),
        stride,
        plane: take(stride * 8 * down * mcuRows),
        blocksPerRow: across * mcus,
      };
    });
    const coefficientsAt = used;
    const coefficientStarts = components.map(({ across, down }) => {
      const start = used;
      used += across * down * mcus * BLOCK_BYTES;
      return start;
    });
    const coefficientBytes = used - coefficientsAt;
    const sums = take(2 * chromaWidth + 64) + 16;
    const chromaRows = [take(2 * chromaWidth + 64), take(2 * chromaWidth + 64)] as const;
    const magnitudes = take(16);
    const rgb = take(3 * width * height);
    const missingBytes = used - memory.buffer.byteLength;
    if (missingBytes > 0) memory.grow(Math.ceil(missingBytes / PAGE_BYTES));
    const heap = new Uint8Array(memory.buffer);
    const seen = new Uint16Array(memory.buffer, magnitudes, 8).fill(0);
    const coefficients = new Int16Array(memory.buffer, coefficientsAt, coefficientBytes / 2);
    for (const [index, { quantization }] of components.entries()) {
      new Int16Array(memory.buffer, areas[index]?.quantization, 64).set(quantization);
    }

    const places = components.flatMap(({ across, down }, component) => {
      const start = ((coefficientStarts[component] ?? 0) - coefficientsAt) / 2;
      return Array.from({ length: across * down }, (_, block) => {
        const [row, column] = [Math.trunc(block / across), block % across];
        return { component, first: start + 64 * (row * across * mcus + column), step: 64 * across };
      });
    });
    const state = startEntropy(jpeg);
    for (let mcuRow = 0; mcuRow < mcuRows; mcuRow += 1) {
      coefficients.fill(0);
      if (!decodeMcuRow(bytes, jpeg, places, mcus, coefficients, state)) return undefined;
      for (const [index, { down }] of components.entries()) {
        const { plane, stride, quantization, blocksPerRow } = areas[index] as (typeof areas)[number];
        for (let row = 0; row < down; row += 1) {
          const start = (coefficientStarts[index] ?? 0) + row * blocksPerRow * BLOCK_BYTES;
          const target = plane + (mcuRow * down + row) * 8 * stride;
          kernels.transformBlocks(
            start,
            start + blocksPerRow * BLOCK_BYTES,
            quantization,
            target,
            stride,
            magnitudes,
          );
        }
      }
    }
    if (!isAtEnd(bytes, state) || seen.some((bits) => bits >> COEFFICIENT_BITS !== 0)) return undefined;

    const [y, cb, cr] = areas;
    if (y === undefined) return undefined;
    if (cb === undefined || cr === undefined) {
      return { width, height, pixels: grayToRgb(heap, y.plane, y.stride, width, height) };
    }
    for (let row = 0; row < height; row += 1) {
      const lumaRow = y.plane + row * y.stride;
      const near = luma.down === 2 ? row >> 1 : row;
      let [blue, red] = [cb.plane + near * cb.stride, cr.plane + near * cr.stride];
      if (luma.across === 2) {
        const far = row % 2 === 0 ? Math.max(near - 1, 0) : Math.min(near + 1, chromaHeight - 1);
        for (const [plane, target] of [
          [cb, chromaRows[0]],
          [cr, chromaRows[1]],
        ] as const) {
          const nearRow = plane.plane + near * plane.stride;
          if (luma.down === 2) {
            kernels.upsampleRow(
              nearRow,
              plane.plane + far * plane.stride,
              3,
              1,
              chromaWidth,
              sums,
              target,
              8,
              7,
              4,
            );
          } else {
            kernels.upsampleRow(nearRow, nearRow, 1, 0, chromaWidth, sums, target, 1, 2, 2);
          }
        }
        [blue, red] = chromaRows;
      }
      kernels.colourRow(lumaRow, lumaRow + width, blue, red, rgb + 3 * row * width);
    }
    return { width, height, pixels: heap.subarray(rgb, rgb + 3 * width * height) };
  };
}

function grayToRgb(
  heap: Uint8Array,
  plane: number,
  stride: number,
  width: number,
  height: number,
): Uint8Array {
  const pixels = new Uint8Array(3 * width * height);
  let to = 0;
  for (let row = 0; row < height; row += 1) {
    for (let at = plane + row * stride, end = at + width; at < end; at += 1, to += 3) {
      pixels.fill(heap[at] as number, to, to + 3);
    }
  }
  return pixels;
}
