/** The EXIF orientation of a JPEG. */

const ORIENTATION_TAG = 0x0112;
const UPRIGHT = 1;

/**
 * The photo such that a browser decodes its pixels as they are stored: a JPEG with its orientation set to upright.
 * undefined for every other kind of picture, whose orientation lies elsewhere.
 *
 * Browsers always turn a picture as its tag says: `imageOrientation: "none"` of createImageBitmap means "from-image"
 * (HTML, 8.11.2), so the tag itself has to go.
 */
export async function withStoredOrientation(photo: Blob): Promise<Blob | undefined> {
  const bytes = new Uint8Array(await photo.arrayBuffer());
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined;
  const offset = orientationOffset(new DataView(bytes.buffer));
  if (offset === undefined) return photo;
  const { value, isLittleEndian } = offset;
  new DataView(bytes.buffer).setUint16(value, UPRIGHT, isLittleEndian);
  return new Blob([bytes], { type: "image/jpeg" });
}

interface OrientationPlace {
  /** Byte offset of the 16-bit value. */
  readonly value: number;
  readonly isLittleEndian: boolean;
}

/**
 * Where a JPEG stores its orientation; undefined where it has none, or what is there is no EXIF.
 *
 * Source: JPEG marker segments, ITU T.81 B.1.1; EXIF 2.32, 4.5.4 (APP1) and 4.6.2 (IFD).
 */
export function orientationOffset(view: DataView): OrientationPlace | undefined {
  for (let marker = 2; marker + 4 <= view.byteLength; ) {
    const code = view.getUint16(marker);
    const length = view.getUint16(marker + 2);
    const isLast = code === 0xffda || code < 0xff00 || length < 2;
    if (isLast) return undefined;
    const isExif =
      code === 0xffe1 && marker + 18 <= view.byteLength && view.getUint32(marker + 4) === 0x45786966;
    if (isExif) return inTiff(view, marker + 10, Math.min(view.byteLength, marker + 2 + length));
    marker += 2 + length;
  }
  return undefined;
}

/** @param start of the TIFF header, from which its offsets count. */
function inTiff(view: DataView, start: number, end: number): OrientationPlace | undefined {
  if (start + 8 > end) return undefined;
  const order = view.getUint16(start);
  if (order !== 0x4949 && order !== 0x4d4d) return undefined;
  const isLittleEndian = order === 0x4949;
  const directory = start + view.getUint32(start + 4, isLittleEndian);
  if (directory + 2 > end) return undefined;
  const entries = view.getUint16(directory, isLittleEndian);
  for (let index = 0; index < entries; index += 1) {
    const entry = directory + 2 + 12 * index;
    if (entry + 12 > end) return undefined;
    if (view.getUint16(entry, isLittleEndian) === ORIENTATION_TAG)
      return { value: entry + 8, isLittleEndian };
  }
  return undefined;
}
