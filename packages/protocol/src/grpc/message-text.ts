/**
 * The text of `grpc-message`: UTF-8, percent-encoded outside of printable ASCII.
 * Source: grpc/doc/PROTOCOL-HTTP2.md, Status-Message.
 */

const MAX_MESSAGE_BYTES = 1024;
const TRUNCATED = "...TRUNCATED";

export function encodeMessageText(text: string): string {
  let encoded = "";
  for (const byte of Buffer.from(text, "utf8")) {
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/** Never fails: a `%` that begins no escape stands for itself, and bytes that are not UTF-8 become U+FFFD. */
export function decodeMessageText(encoded: string): string {
  const bytes = Buffer.from(encoded, "utf8");
  if (!bytes.includes(0x25)) return encoded;
  const text = Buffer.alloc(bytes.length);
  let length = 0;
  for (let index = 0; index < bytes.length; index++) {
    const escaped = /^%([0-9a-fA-F]{2})$/.exec(bytes.toString("latin1", index, index + 3));
    if (escaped?.[1] === undefined) {
      text[length++] = bytes[index] ?? 0;
    } else {
      text[length++] = Number.parseInt(escaped[1], 16);
      index += 2;
    }
  }
  return text.toString("utf8", 0, length);
}

/** Cuts a message at 1024 bytes, as TensorFlow Serving does, but never within a character. */
export function truncateMessage(text: string): string {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= MAX_MESSAGE_BYTES) return text;
  let end = MAX_MESSAGE_BYTES;
  // A byte 10xxxxxx continues a character.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end) + TRUNCATED;
}
