/**
 * The container of a WebP, and its first frame as a file of its own.
 *
 * libvips lays frames over each other and loses the colour below full transparency; Pillow takes the first frame
 * as it was coded and then drops alpha. So the colour bitstream is lifted out: without alpha and animation both
 * decode it alike.
 */
import { checkPartCount, latin1, undecodable, viewOf } from "./byte-reader.js";

export interface WebpContainer {
  /** Size of the canvas. */
  readonly width: number;
  readonly height: number;
  /** Where the first frame lies on the canvas; the rest of the canvas is black. */
  readonly frame: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
  /** The colours of the first frame. */
  readonly bitstream: WebpBitstream;
  readonly exif: Uint8Array | undefined;
  readonly xmp: string | undefined;
}

/** A chunk "VP8 " or "VP8L"; a view of the file. */
export interface WebpBitstream {
  readonly kind: string;
  readonly payload: Uint8Array;
}

type Chunk = WebpBitstream;

const XMP_FLAG = 0x04;
const EXIF_FLAG = 0x08;
const VP8L_ALPHA_BIT = 0x10;

/** @throws {ServeError} IMAGE_UNDECODABLE when a chunk is missing, cut short or does not fit the canvas. */
export function readWebpContainer(bytes: Uint8Array): WebpContainer {
  if (bytes.length < 20 || viewOf(bytes).getUint32(4, true) + 8 > bytes.length) {
    throw undecodable("WebP", "it is cut short");
  }
  const [first, ...others] = readChunks(bytes.subarray(12));
  if (first === undefined) throw undecodable("WebP", "it holds no picture");
  if (first.kind !== "VP8X") {
    const frame = { x: 0, y: 0, ...bitstreamSize(first) };
    const { width, height } = frame;
    return { width, height, frame, bitstream: first, exif: undefined, xmp: undefined };
  }
  if (first.payload.length < 10) throw undecodable("WebP", "its header is cut short");
  const canvas = viewOf(first.payload);
  const flags = canvas.getUint8(0);
  const width = uint24(canvas, 4) + 1;
  const height = uint24(canvas, 7) + 1;
  const find = (kind: string) => others.find((chunk) => chunk.kind === kind)?.payload;
  const exif = flags & EXIF_FLAG ? find("EXIF") : undefined;
  const xmp = flags & XMP_FLAG ? find("XMP ") : undefined;
  const { frame, bitstream } = firstFrame(others);
  const isWhole = find("ANMF") !== undefined || (frame.width === width && frame.height === height);
  if (!isWhole || frame.x + frame.width > width || frame.y + frame.height > height) {
    throw undecodable("WebP", "its frame does not fit its canvas");
  }
  return {
    width,
    height,
    frame,
    bitstream,
    exif,
    xmp: xmp === undefined ? undefined : latin1(xmp, 0, xmp.length),
  };
}

function firstFrame(chunks: readonly Chunk[]): { frame: WebpContainer["frame"]; bitstream: Chunk } {
  const animated = chunks.find((chunk) => chunk.kind === "ANMF")?.payload;
  const inner = animated === undefined ? chunks : readChunks(animated.subarray(16));
  const bitstream = inner.find((chunk) => chunk.kind === "VP8 " || chunk.kind === "VP8L");
  if (bitstream === undefined) throw undecodable("WebP", "it holds no picture");
  const size = bitstreamSize(bitstream);
  if (animated === undefined) return { frame: { x: 0, y: 0, ...size }, bitstream };
  const view = viewOf(animated);
  if (size.width !== uint24(view, 6) + 1 || size.height !== uint24(view, 9) + 1) {
    throw undecodable("WebP", "its first frame is not as large as it says");
  }
  return { frame: { x: 2 * uint24(view, 0), y: 2 * uint24(view, 3), ...size }, bitstream };
}

/** The first chunk of each kind, up to the first that is not whole; a pixel chunk that is not whole is refused. */
function readChunks(bytes: Uint8Array): Chunk[] {
  const view = viewOf(bytes);
  const chunks = new Map<string, Chunk>();
  let count = 0;
  for (let at = 0; at + 8 <= bytes.length; ) {
    count += 1;
    checkPartCount("WebP", count);
    const kind = latin1(bytes, at, at + 4);
    const length = view.getUint32(at + 4, true);
    if (at + 8 + length > bytes.length) {
      if (kind === "VP8 " || kind === "VP8L" || kind === "ANMF") throw undecodable("WebP", "it is cut short");
      break;
    }
    if (!chunks.has(kind)) chunks.set(kind, { kind, payload: bytes.subarray(at + 8, at + 8 + length) });
    at += 8 + length + (length % 2);
  }
  return [...chunks.values()];
}

function bitstreamSize({ kind, payload }: Chunk): { width: number; height: number } {
  const view = viewOf(payload);
  if (kind === "VP8 " && payload.length >= 10) {
    return { width: view.getUint16(6, true) & 0x3fff, height: view.getUint16(8, true) & 0x3fff };
  }
  if (kind === "VP8L" && payload.length >= 5 && payload[0] === 0x2f) {
    const bits = view.getUint32(1, true);
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  throw undecodable("WebP", "its picture has no valid header");
}

/** A WebP file that holds one bitstream and nothing else; a lossless one is told that it has no alpha. A copy. */
export function webpFileOf({ kind, payload }: WebpBitstream): Uint8Array {
  const padded = payload.length + (payload.length % 2);
  const file = Buffer.alloc(20 + padded);
  file.write("RIFF", 0, "latin1");
  file.writeUInt32LE(12 + padded, 4);
  file.write(`WEBP${kind}`, 8, "latin1");
  file.writeUInt32LE(payload.length, 16);
  file.set(payload, 20);
  if (kind === "VP8L") file.writeUInt8(file.readUInt8(24) & ~VP8L_ALPHA_BIT, 24);
  return file;
}

function uint24(view: DataView, at: number): number {
  return view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
}
