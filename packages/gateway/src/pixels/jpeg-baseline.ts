/**
 * A decoder for the JPEGs that most people send, of moderate size: libjpeg's pixels to the bit in less than half
 * the time that libvips takes for a baseline photo, and four fifths for a progressive one. Whatever is not plain and
 * sound is left to libvips.
 */
import { PLACE, STATE, TABLE_BYTES, writeTable } from "./jpeg-entropy.js";
import { fastFactors, transformFast } from "./jpeg-fast-transform.js";
import { type JpegKernels, jpegModule } from "./jpeg-kernels.js";
import { type ComponentBlocks, readScans } from "./jpeg-progressive.js";
import { type ReducedEdge, reduceBlocks } from "./jpeg-reduced.js";
import {
  type BaselineJpeg,
  baselineOf,
  type FrameComponent,
  frameComponents,
  type JpegHead,
  readJpegHead,
  ZIGZAG,
} from "./jpeg-tables.js";
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
  readonly component: FrameComponent;
  readonly quantization: number;
  readonly dcTable: number;
  readonly acTable: number;
  /** The DC value before, int32. */
  readonly previous: number;
  /** Of one row of MCUs, of a progressive picture of all of them: each `down` rows of `blocksPerRow` blocks. */
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
    const head = readJpegHead(bytes);
    const baseline = head === undefined ? undefined : baselineOf(bytes, head);
    const components = baseline?.components ?? (head?.isProgressive ? frameComponents(head) : undefined);
    if (head === undefined || components === undefined) return undefined;
    const pixels = head.frame.width * head.frame.height;
    if (pixels === 0 || pixels > MAX_STORED_PIXELS) return undefined;
    const [first] = components;
    if (scale > 1 && (head.isProgressive || first?.across !== first?.down)) return undefined;
    const scan = bytes.subarray(baseline?.scanAt ?? bytes.length);
    const areas = layOut({ head, components }, scan.length, scale, rows?.length);
    const isLarge =
      (scale === 1 && (rows === undefined || head.isProgressive) && pixels > MAX_PIXELS) ||
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
    prepareMemory(memory, areas);
    if (baseline !== undefined) prepareScan(memory, areas, baseline, scan);
    const isSound =
      baseline === undefined
        ? decodeScans(kernels, memory, bytes, head, areas, transform)
        : decodePlanes(kernels, memory, baseline, areas, scan.length, transform);
    if (!isSound) return undefined;
    return colourPlanes(kernels, memory, areas, rows);
  };
}

/** @param rows how many of the decoded picture are wanted; all by default. */
function layOut(
  { head, components }: { readonly head: JpegHead; readonly components: readonly FrameComponent[] },
  scanBytes: number,
  scale: DecodeScale,
  rows?: number,
): Areas {
  const { width, height } = head.frame;
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
      coefficients: take(across * down * mcus * (head.isProgressive ? mcuRows : 1) * BLOCK_BYTES),
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

/** Makes it large enough, and brings in what the kernels look up after the codes. */
function prepareMemory(memory: WasmMemory, areas: Areas): void {
  const missingBytes = areas.totalBytes - memory.buffer.byteLength;
  if (missingBytes > 0) memory.grow(Math.ceil(missingBytes / PAGE_BYTES));
  new Uint8Array(memory.buffer).fill(0, areas.magnitudes, areas.magnitudes + 16);
  for (const { component, quantization } of areas.components) {
    new Int16Array(memory.buffer, quantization, 64).set(component.quantization);
  }
}

/** Brings in the one scan of a baseline picture, and its tables. */
function prepareScan(
  { buffer }: WasmMemory,
  areas: Areas,
  { components }: BaselineJpeg,
  scan: Uint8Array,
): void {
  const heap = new Uint8Array(buffer);
  heap.set(scan, areas.scan);
  // The kernel stops at a marker.
  heap.set([0xff, 0xd9], areas.scan + scan.length);
  heap.set(ZIGZAG, areas.zigzag);
  const state = new Int32Array(buffer, areas.state, STATE.bytes / 4).fill(0);
  state[STATE.at / 4] = areas.scan;
  const places: number[] = [];
  for (const [index, area] of areas.components.entries()) {
    const component = components[index];
    if (component === undefined) continue;
    const { across, down, dc, ac } = component;
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
    transformRow(kernels, memory, areas, { mcuRow, keptRows: 1 }, transform);
  }
  return takeMarker(0xd9) && isWithinRange(memory, areas);
}

/** The scans of a progressive picture, then its planes. @returns whether all of them were plain and sound. */
function decodeScans(
  kernels: JpegKernels,
  memory: WasmMemory,
  bytes: Uint8Array,
  head: JpegHead,
  areas: Areas,
  transform: "accurate" | "fast",
): boolean {
  const { mcuRows } = areas;
  const blocks = areas.components.map(({ component, coefficients, blocksPerRow }): ComponentBlocks => {
    const count = 64 * blocksPerRow * component.down * mcuRows;
    return { coefficients: new Int16Array(memory.buffer, coefficients, count).fill(0), blocksPerRow };
  });
  if (!readScans(bytes, head, blocks)) return false;
  for (let mcuRow = 0; mcuRow < mcuRows; mcuRow += 1) {
    transformRow(kernels, memory, areas, { mcuRow, keptRows: mcuRows }, transform);
  }
  return isWithinRange(memory, areas);
}

function isWithinRange(memory: WasmMemory, areas: Areas): boolean {
  const magnitudes = new Uint16Array(memory.buffer, areas.magnitudes, 8);
  return magnitudes.every((bits) => bits >> COEFFICIENT_BITS === 0);
}

/**
 * A row of MCUs from coefficients to samples.
 *
 * @param place which row, and how many rows' coefficients are held: one after the other, or all of them.
 */
function transformRow(
  kernels: JpegKernels,
  memory: WasmMemory,
  areas: Areas,
  { mcuRow, keptRows }: { readonly mcuRow: number; readonly keptRows: number },
  transform: "accurate" | "fast",
): void {
  const heap = new Uint8Array(memory.buffer);
  for (const area of areas.components) {
    const { component, coefficients, blocksPerRow, quantization, plane, stride, edge } = area;
    for (let row = 0; row < component.down; row += 1) {
      const keptRow = (mcuRow % keptRows) * component.down + row;
      const start = coefficients + keptRow * blocksPerRow * BLOCK_BYTES;
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
