/**
 * A decoder for the JPEGs that most people send, of moderate size: libjpeg's pixels to the bit in less than half
 * the time that libvips takes for a photo. Whatever is not plain and sound is left to libvips.
 */
import { PLACE, STATE, TABLE_BYTES, writeTable } from "./jpeg-entropy.js";
import { fastFactors, transformFast } from "./jpeg-fast-transform.js";
import { type JpegKernels, jpegModule } from "./jpeg-kernels.js";
import { type ReducedEdge, reduceBlocks } from "./jpeg-reduced.js";
import { type BaselineJpeg, type JpegComponent, readBaselineJpeg, ZIGZAG } from "./jpeg-tables.js";
import type { RgbPicture } from "./rgb-picture.js";
import { instantiate, type WasmMemory } from "./wasm-instance.js";

/** How many times smaller a picture is decoded than it is stored. */
export type DecodeScale = 1 | 2 | 4 | 8;

export interface BaselineOptions {
  /** 1 unless given; at others the edges are rounded up, and a colour picture must be 4:4:4 or 4:2:0. */
  readonly scale?: DecodeScale;
  /** `fast` is TensorFlow's inverse transform, at scale 1 only; `accurate`, Pillow's, unless given. */
  readonly transform?: "accurate" | "fast";
  /** At scale 1: only these rows, in their order; a picture of so many rows. What nobody looks at gets no colours. */
  readonly rows?: Int32Array | undefined;
}

/**
 * Decodes to pixels that lie in the decoder's memory until it is called again.
 *
 * @returns undefined when the picture is not plain, not sound or too large; nothing has then been decided about it.
 */
export type DecodeBaseline = (bytes: Uint8Array, options?: BaselineOptions) => RgbPicture | undefined;

/** Both bound the memory, which never shrinks: about 5 bytes per pixel, and the scan. What is larger gets memory of its own, if any. */
const MAX_PIXELS = 4_000_000;
/** Of a picture that is decoded at a reduced scale, as it is stored. */
const MAX_STORED_PIXELS = 100_000_000;
const MAX_SCAN_BYTES = 8 * 1024 * 1024;
/** What a picture may take, its scan included. */
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;
const PAGE_BYTES = 65_536;
const BLOCK_BYTES = 128;
/**
 * Coefficients of 8-bit samples stay within 1024 and a rounding. libjpeg's SIMD lets 16-bit sums overflow where
 * a damaged file holds larger ones; the kernels here do not.
 */
const COEFFICIENT_BITS = 11;
/** What the kernels may write past an end, and the alignment of each area. */
const SLACK_BYTES = 64;

/** One component's areas of the memory. */
interface ComponentAreas {
  readonly component: JpegComponent;
  readonly quantization: number;
  readonly dcTable: number;
  readonly acTable: number;
  /** The DC value before, int32. */
  readonly previous: number;
  /** Of one row of MCUs: `down` rows of `blocksPerRow` blocks. */
  readonly coefficients: number;
  readonly blocksPerRow: number;
  /** Samples along the edge of a decoded block: 8 at full size. */
  readonly edge: 8 | ReducedEdge;
  /** Decoded samples, `stride` per row, all blocks whole. */
  readonly plane: number;
  readonly stride: number;
}

/** Where everything of one picture lies. */
interface Areas {
  readonly scale: DecodeScale;
  /** Of the picture that comes out. */
  readonly size: { readonly width: number; readonly height: number };
  readonly mcus: number;
  readonly mcuRows: number;
  readonly components: readonly ComponentAreas[];
  /** Samples of chroma that are not padding; libjpeg repeats the last of them. */
  readonly chromaWidth: number;
  readonly chromaHeight: number;
  readonly state: number;
  readonly places: number;
  readonly zigzag: number;
  readonly magnitudes: number;
  readonly scan: number;
  readonly sums: number;
  readonly chromaRows: readonly [blue: number, red: number];
  readonly rgb: number;
  readonly totalBytes: number;
}

/** Compiles the kernels; the function returned belongs to one thread. undefined where WebAssembly has no SIMD. */
export function createBaselineDecoder(): DecodeBaseline | undefined {
  const kept = instantiate<JpegKernels>(jpegModule());
  if (kept === undefined) return undefined;
  return (bytes, { scale = 1, transform = "accurate", rows } = {}) => {
    const jpeg = readBaselineJpeg(bytes);
    if (jpeg === undefined || jpeg.width * jpeg.height === 0) return undefined;
    const pixels = jpeg.width * jpeg.height;
    if (pixels > MAX_STORED_PIXELS) return undefined;
    const [first] = jpeg.components;
    if (scale > 1 && first?.across !== first?.down) return undefined;
    const scan = bytes.subarray(jpeg.scanAt);
    const areas = layOut(jpeg, scan.length, scale, rows?.length);
    const isLarge =
      (scale === 1 && rows === undefined && pixels > MAX_PIXELS) ||
      scan.length > MAX_SCAN_BYTES ||
      areas.totalBytes > MAX_MEMORY_BYTES;
    // libvips has no fast transform, so that the memory is worth it.
    if (isLarge && (transform === "accurate" || scale > 1)) return undefined;
    // libjpeg smooths no chroma narrower than 3.
    const isSmoothed = scale === 1 && first?.across === 2;
    if (isSmoothed && areas.chromaWidth < 3) return undefined;
    const instance = isLarge ? instantiate<JpegKernels>(jpegModule()) : kept;
    if (instance === undefined) return undefined;
    const { exports: kernels, memory } = instance;
    prepareMemory(memory, areas, scan);
    if (!decodePlanes(kernels, memory, jpeg, areas, scan.length, transform)) return undefined;
    return colourPlanes(kernels, memory, areas, rows);
  };
}

/** @param rows how many of the decoded picture are wanted; all by default. */
function layOut(
  { width, height, components }: BaselineJpeg,
  scanBytes: number,
  scale: DecodeScale,
  rows?: number,
): Areas {
  let totalBytes = 0;
  const take = (size: number) => {
    const address = totalBytes;
    totalBytes = Math.ceil((totalBytes + size + SLACK_BYTES) / SLACK_BYTES) * SLACK_BYTES;
    return address;
  };
  const most = { across: components[0]?.across ?? 1, down: components[0]?.down ?? 1 };
  const mcus = Math.ceil(width / (8 * most.across));
  const mcuRows = Math.ceil(height / (8 * most.down));
  const chromaWidth = Math.ceil(width / most.across);
  const laidOut = components.map((component) => {
    const { across, down } = component;
    const edge = edgeOf(scale, most.across / across);
    const stride = edge * across * mcus;
    return {
      component,
      quantization: take(BLOCK_BYTES),
      dcTable: take(TABLE_BYTES),
      acTable: take(TABLE_BYTES),
      previous: take(4),
      blocksPerRow: across * mcus,
      coefficients: take(across * down * mcus * BLOCK_BYTES),
      edge,
      stride,
      plane: take(stride * edge * down * mcuRows),
    };
  });
  const size = { width: Math.ceil(width / scale), height: rows ?? Math.ceil(height / scale) };
  return {
    scale,
    size,
    mcus,
    mcuRows,
    components: laidOut,
    chromaWidth,
    chromaHeight: Math.ceil(height / most.down),
    state: take(STATE.bytes),
    places: take(PLACE.bytes * 12),
    zigzag: take(64),
    magnitudes: take(16),
    scan: take(scanBytes + 2),
    // The kernel also writes in front of the sums.
    sums: take(2 * chromaWidth + 64) + 16,
    chromaRows: [take(2 * chromaWidth + 64), take(2 * chromaWidth + 64)],
    rgb: take(3 * size.width * size.height),
    totalBytes,
  };
}

/** At reduced scale libjpeg decodes subsampled chroma larger than luma, as far as 8x8, and so upsamples none. */
function edgeOf(scale: DecodeScale, subsampling: number): 8 | ReducedEdge {
  if (scale === 1) return 8;
  const edges = { 2: [4, 8], 4: [2, 4], 8: [1, 2] } as const;
  return edges[scale][subsampling === 2 ? 1 : 0];
}

/** Brings in the scan and everything that the kernels look up. */
function prepareMemory(memory: WasmMemory, areas: Areas, scan: Uint8Array): void {
  const missingBytes = areas.totalBytes - memory.buffer.byteLength;
  if (missingBytes > 0) memory.grow(Math.ceil(missingBytes / PAGE_BYTES));
  const { buffer } = memory;
  const heap = new Uint8Array(buffer);
  heap.set(scan, areas.scan);
  // The kernel stops at a marker.
  heap.set([0xff, 0xd9], areas.scan + scan.length);
  heap.set(ZIGZAG, areas.zigzag);
  heap.fill(0, areas.magnitudes, areas.magnitudes + 16);
  const state = new Int32Array(buffer, areas.state, STATE.bytes / 4).fill(0);
  state[STATE.at / 4] = areas.scan;
  const places: number[] = [];
  for (const area of areas.components) {
    const { across, down, quantization, dc, ac } = area.component;
    new Int16Array(buffer, area.quantization, 64).set(quantization);
    writeTable(buffer, area.dcTable, dc, true);
    writeTable(buffer, area.acTable, ac, false);
    new Int32Array(buffer, area.previous, 1).fill(0);
    for (let block = 0; block < across * down; block += 1) {
      const row = Math.trunc(block / across);
      const first = area.coefficients + BLOCK_BYTES * (row * area.blocksPerRow + (block % across));
      places.push(area.dcTable, area.acTable, area.previous, first, BLOCK_BYTES * across);
    }
  }
  new Int32Array(buffer, areas.places, places.length).set(places);
}

/** @returns whether the scan was sound to its end. */
function decodePlanes(
  kernels: JpegKernels,
  memory: WasmMemory,
  { restartInterval, components }: BaselineJpeg,
  areas: Areas,
  scanBytes: number,
  transform: "accurate" | "fast",
): boolean {
  const heap = new Uint8Array(memory.buffer);
  const state = new Int32Array(memory.buffer, areas.state, STATE.bytes / 4);
  const blocks = components.reduce((sum, { across, down }) => sum + across * down, 0);
  const placesEnd = areas.places + blocks * PLACE.bytes;
  const interval = restartInterval === 0 ? Number.POSITIVE_INFINITY : restartInterval;
  let untilRestart = interval;
  let restarts = 0;
  /** Takes the marker that follows the last bits. */
  const takeMarker = (marker: number): boolean => {
    const at = state[STATE.at / 4] as number;
    const unused = (state[STATE.held / 4] as number) - (state[STATE.padding / 4] as number);
    if (unused >= 8 || at >= areas.scan + scanBytes || heap[at] !== 0xff || heap[at + 1] !== marker)
      return false;
    state.fill(0);
    state[STATE.at / 4] = at + 2;
    for (const { previous } of areas.components) new Int32Array(memory.buffer, previous, 1).fill(0);
    return true;
  };

  for (let mcuRow = 0; mcuRow < areas.mcuRows; mcuRow += 1) {
    for (const { component, coefficients, blocksPerRow } of areas.components) {
      heap.fill(0, coefficients, coefficients + component.down * blocksPerRow * BLOCK_BYTES);
    }
    for (let first = 0, end: number; first < areas.mcus; first = end) {
      if (untilRestart === 0) {
        if (!takeMarker(0xd0 + (restarts & 7))) return false;
        restarts += 1;
        untilRestart = interval;
      }
      end = Math.min(areas.mcus, first + untilRestart);
      untilRestart -= end - first;
      kernels.decodeMcus(areas.state, areas.places, placesEnd, first, end, areas.zigzag);
      if (state[STATE.isBroken / 4] !== 0) return false;
    }
    for (const area of areas.components) {
      const { component, coefficients, blocksPerRow, quantization, plane, stride, edge } = area;
      for (let row = 0; row < component.down; row += 1) {
        const start = coefficients + row * blocksPerRow * BLOCK_BYTES;
        const target = plane + (mcuRow * component.down + row) * edge * stride;
        const end = start + blocksPerRow * BLOCK_BYTES;
        const blocks = new Int16Array(memory.buffer, start, 64 * blocksPerRow);
        const factors = new Int16Array(memory.buffer, quantization, 64);
        if (edge !== 8) reduceBlocks(blocks, factors, edge, heap, target, stride);
        else if (transform === "fast") transformFast(blocks, fastFactors(factors), heap, target, stride);
        else kernels.transformBlocks(start, end, quantization, target, stride, areas.magnitudes);
      }
    }
  }
  const magnitudes = new Uint16Array(memory.buffer, areas.magnitudes, 8);
  return takeMarker(0xd9) && magnitudes.every((bits) => bits >> COEFFICIENT_BITS === 0);
}

/** The planes as RGB: gray repeated, or chroma brought to luma's size and all three turned to colours. */
function colourPlanes(
  kernels: JpegKernels,
  memory: WasmMemory,
  areas: Areas,
  rows: Int32Array | undefined,
): RgbPicture | undefined {
  const { width, height } = areas.size;
  const heap = new Uint8Array(memory.buffer);
  const pixels = heap.subarray(areas.rgb, areas.rgb + 3 * width * height);
  const [luma, blue, red] = areas.components;
  if (luma === undefined) return undefined;
  if (blue === undefined || red === undefined) {
    spreadGray(heap, luma, areas.size, rows, pixels);
    return { width, height, pixels };
  }
  const { across, down } = areas.scale > 1 ? { across: 1, down: 1 } : luma.component;
  for (let y = 0; y < height; y += 1) {
    const row = rows?.[y] ?? y;
    const near = down === 2 ? row >> 1 : row;
    const far = row % 2 === 0 ? Math.max(near - 1, 0) : Math.min(near + 1, areas.chromaHeight - 1);
    const chromaRow = ({ plane, stride }: ComponentAreas, smoothed: number): number => {
      const nearRow = plane + near * stride;
      if (across === 1) return nearRow;
      const { chromaWidth, sums } = areas;
      if (down === 1) kernels.upsampleRow(nearRow, nearRow, 1, 0, chromaWidth, sums, smoothed, 1, 2, 2);
      else kernels.upsampleRow(nearRow, plane + far * stride, 3, 1, chromaWidth, sums, smoothed, 8, 7, 4);
      return smoothed;
    };
    const lumaRow = luma.plane + row * luma.stride;
    const [blueRow, redRow] = [chromaRow(blue, areas.chromaRows[0]), chromaRow(red, areas.chromaRows[1])];
    kernels.colourRow(lumaRow, lumaRow + width, blueRow, redRow, areas.rgb + 3 * y * width);
  }
  return { width, height, pixels };
}

function spreadGray(
  heap: Uint8Array,
  { plane, stride }: ComponentAreas,
  { width, height }: Areas["size"],
  rows: Int32Array | undefined,
  pixels: Uint8Array,
): void {
  let to = 0;
  for (let y = 0; y < height; y += 1) {
    for (let at = plane + (rows?.[y] ?? y) * stride, end = at + width; at < end; at += 1, to += 3) {
      const sample = heap[at] as number;
      pixels[to] = sample;
      pixels[to + 1] = sample;
      pixels[to + 2] = sample;
    }
  }
}
