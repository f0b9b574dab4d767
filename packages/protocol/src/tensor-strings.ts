/**
 * Splits the `tensor_content` of a DT_STRING tensor: first the length of each element as a varint, then all
 * bytes one after another.
 *
 * @returns views of `content`; undefined when it does not hold exactly `elements` strings.
 *
 * Source: tensorflow/core/platform/coding and `port::DecodeStringList`; measured.
 */
export function stringsFromContent(content: Uint8Array, elements: number): readonly Uint8Array[] | undefined {
  // Each element takes at least the byte of its length, so a huge shape fails before it allocates.
  if (elements > content.byteLength) return undefined;
  const lengths: number[] = [];
  let offset = 0;
  for (let element = 0; element < elements; element++) {
    let length = 0;
    let shift = 0;
    let byte: number | undefined;
    do {
      byte = content[offset++];
      if (byte === undefined || shift > 28) return undefined;
      length += (byte & 0x7f) * 2 ** shift;
      shift += 7;
    } while (byte >= 0x80);
    lengths.push(length);
  }
  const strings: Uint8Array[] = [];
  for (const length of lengths) {
    if (offset + length > content.byteLength) return undefined;
    strings.push(content.subarray(offset, offset + length));
    offset += length;
  }
  return offset === content.byteLength ? strings : undefined;
}
