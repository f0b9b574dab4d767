import { expect, test } from "vitest";
import { crc32c, maskCrc } from "./crc32c.js";

// Test vectors of RFC 3720, appendix B.4.
test.each([
  ["32 zeros", new Uint8Array(32), 0x8a9136aa],
  ["32 ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ["0 to 31", Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd794e],
  ["digits", new TextEncoder().encode("123456789"), 0xe3069283],
])("the checksum of %s is the standard's", (_, bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected);
});

test("a checksum is continued from part to part", () => {
  const bytes = new TextEncoder().encode("a checksum of parts, the first of odd length");
  expect(crc32c(bytes.subarray(7), crc32c(bytes.subarray(0, 7)))).toBe(crc32c(bytes));
});

test("checksums are stored rotated by 15 and shifted", () => {
  expect(maskCrc(0)).toBe(0xa282ead8);
  expect(maskCrc(0xffff8000)).toBe((0x0001ffff + 0xa282ead8) >>> 0);
});

test("bytes may begin anywhere and be few", () => {
  const digits = new TextEncoder().encode("...123456789");
  for (let start = 0; start < 3; start++) expect(crc32c(digits.subarray(start, start))).toBe(0);
  expect(crc32c(digits.subarray(1, 2))).toBe(crc32c(Uint8Array.of(46)));
  expect(crc32c(digits.subarray(3))).toBe(0xe3069283);
});
