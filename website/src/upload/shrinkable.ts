/** Whether a browser's decoder and the gateway's give the same pixels of a picture, as far as its header tells. */

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47] as const;

/**
 * True for pictures of three plain channels that both decode alike: JPEG without CMYK, PNG of at most 8 bits, WebP. EXIF in a
 * PNG or WebP, which may turn it, is not read by every browser, so such a picture is left alone; so is every other kind.
 */
export function isShrinkable(bytes: Uint8Array): boolean {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return isPlainJpeg(bytes);
  if (PNG_SIGNATURE.every((byte, index) => bytes[index] === byte)) {
    const bitDepth = bytes[24] ?? 16;
    return bitDepth <= 8 && !includes(bytes, "eXIf");
  }
  return textAt(bytes, 0) === "RIFF" && textAt(bytes, 8) === "WEBP" && !includes(bytes, "EXIF");
}

/** Source: ITU T.81, B.2.2 (frame header): precision, height, width, number of components. */
function isPlainJpeg(bytes: Uint8Array): boolean {
  for (let marker = 2; marker + 9 < bytes.length; ) {
    const code = bytes[marker + 1] ?? 0;
    // A frame header of any process; C4, C8 and CC are tables and extensions.
    const isFrame = code >= 0xc0 && code <= 0xcf && code !== 0xc4 && code !== 0xc8 && code !== 0xcc;
    if (isFrame) return bytes[marker + 4] === 8 && (bytes[marker + 9] ?? 4) <= 3;
    if (bytes[marker] !== 0xff) return false;
    marker += 2 + (bytes[marker + 2] ?? 0) * 256 + (bytes[marker + 3] ?? 0);
  }
  return false;
}

function textAt(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 4));
}

/** Whether four letters, the name of a chunk, occur anywhere. */
function includes(bytes: Uint8Array, name: string): boolean {
  for (
    let at = bytes.indexOf(name.charCodeAt(0));
    at !== -1;
    at = bytes.indexOf(name.charCodeAt(0), at + 1)
  ) {
    if (textAt(bytes, at) === name) return true;
  }
  return false;
}
