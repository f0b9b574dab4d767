/** The kernels of a JPEG decoder in WebAssembly SIMD. All arithmetic is exact in integers, so equal to libjpeg's to the bit. */
import { colourKernel, upsampleKernel } from "./jpeg-colour.js";
import { entropyKernel } from "./jpeg-entropy.js";
import { transformKernel } from "./jpeg-transform.js";
import { wasmModule } from "./wasm-assembler.js";

/** Arguments are byte addresses, counts of bytes, and numbers. All write up to 24 bytes past the end of their target. */
export interface JpegKernels {
  /**
   * Huffman codes of some MCUs to coefficients; see jpeg-entropy.ts for the layouts.
   *
   * @param state     what stands between two calls.
   * @param places    the blocks of an MCU, up to `placesEnd`.
   * @param firstMcu  up to `mcusEnd`: which MCUs of the row.
   * @param zigzag    64 bytes.
   */
  readonly decodeMcus: (
    state: number,
    places: number,
    placesEnd: number,
    firstMcu: number,
    mcusEnd: number,
    zigzag: number,
  ) => void;
  /**
   * Blocks side by side to samples.
   *
   * @param coefficients int16, 64 per block, row-major; up to `coefficientsEnd`.
   * @param quantization int16, 64 factors, row-major.
   * @param target       upper left sample of the first block.
   * @param stride       of the target, a row of samples.
   * @param magnitudes   8 int16 that take on the bits of all multiplied coefficients, of negative ones the complement's.
   */
  readonly transformBlocks: (
    coefficients: number,
    coefficientsEnd: number,
    quantization: number,
    target: number,
    stride: number,
    magnitudes: number,
  ) => void;
  /**
   * A row of chroma to twice as many samples. Sums s = near * nearWeight + far * farWeight; then the samples are
   * (3 s + s before + evenBias) >> shift and (3 s + s after + oddBias) >> shift, the ends repeated.
   *
   * @param sums room for `count` + 9 int16, of which the first lies 2 bytes before this address.
   */
  readonly upsampleRow: (
    near: number,
    far: number,
    nearWeight: number,
    farWeight: number,
    count: number,
    sums: number,
    target: number,
    evenBias: number,
    oddBias: number,
    shift: number,
  ) => void;
  /** Luma and both chromas to RGB, 8 pixels at a time up to `lumaEnd`. */
  readonly colourRow: (luma: number, lumaEnd: number, blue: number, red: number, target: number) => void;
}

/** The binary module that exports {@link JpegKernels} and imports `host.memory`. */
export function jpegModule(): Uint8Array<ArrayBuffer> {
  return wasmModule([entropyKernel(), transformKernel(), upsampleKernel(), colourKernel()]);
}
