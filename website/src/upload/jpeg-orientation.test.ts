import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { orientationOffset, withStoredOrientation } from "./jpeg-orientation.js";

/** Stored as 640 x 480 with EXIF orientation 6. */
const TURNED = new URL("../../../tests/e2e/pictures/trousers.jpg", import.meta.url);

/** A JPEG that ends after its EXIF: one IFD entry, the orientation 6, in either byte order. */
function exifJpeg(isLittleEndian: boolean): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(2 + 2 + 2 + 6 + 8 + 2 + 12 + 4);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0xffd8);
  view.setUint16(2, 0xffe1);
  view.setUint16(4, bytes.length - 4);
  view.setUint32(6, 0x45786966);
  const tiff = 12;
  view.setUint16(tiff, isLittleEndian ? 0x4949 : 0x4d4d);
  view.setUint16(tiff + 2, 42, isLittleEndian);
  view.setUint32(tiff + 4, 8, isLittleEndian);
  view.setUint16(tiff + 8, 1, isLittleEndian);
  view.setUint16(tiff + 10, 0x0112, isLittleEndian);
  view.setUint16(tiff + 12, 3, isLittleEndian);
  view.setUint32(tiff + 14, 1, isLittleEndian);
  view.setUint16(tiff + 18, 6, isLittleEndian);
  return bytes;
}

function orientationOf(bytes: Uint8Array<ArrayBuffer>): number | undefined {
  const view = new DataView(bytes.buffer);
  const place = orientationOffset(view);
  return place === undefined ? undefined : view.getUint16(place.value, place.isLittleEndian);
}

async function bytesOf(blob: Blob | undefined): Promise<Uint8Array<ArrayBuffer>> {
  if (blob === undefined) throw new Error("there is no photo");
  return new Uint8Array(await blob.arrayBuffer());
}

describe("withStoredOrientation", () => {
  it("sets the orientation of a real photo to upright and changes nothing else", async () => {
    const before = new Uint8Array(await readFile(TURNED));
    const after = await bytesOf(await withStoredOrientation(new Blob([before])));
    expect(orientationOf(before)).toBe(6);
    expect(orientationOf(after)).toBe(1);
    const changed = [...after].filter((byte, index) => byte !== before[index]);
    expect(changed).toEqual([1]);
  });

  it.each([true, false])("reads either byte order (little-endian: %s)", async (isLittleEndian) => {
    const after = await bytesOf(await withStoredOrientation(new Blob([exifJpeg(isLittleEndian)])));
    expect(orientationOf(after)).toBe(1);
  });

  it("leaves a JPEG without orientation as it is, and other kinds alone", async () => {
    const plain = new Blob([new Uint8Array([0xff, 0xd8, 0xff, 0xda, 0, 2, 1, 2, 3])]);
    expect(await withStoredOrientation(plain)).toBe(plain);
    expect(await withStoredOrientation(new Blob(["\x89PNG\r\n"]))).toBeUndefined();
  });

  it("survives EXIF that is cut off or points outside itself", () => {
    const whole = exifJpeg(true);
    for (let length = 2; length < whole.length; length += 1) {
      expect(() => orientationOffset(new DataView(whole.slice(0, length).buffer))).not.toThrow();
    }
    const far = exifJpeg(false);
    new DataView(far.buffer).setUint32(16, 0xfffffff0);
    expect(orientationOf(far)).toBeUndefined();
  });
});
