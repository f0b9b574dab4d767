import { expect, test } from "vitest";
import { decodeMessageText, encodeMessageText, truncateMessage } from "./message-text.js";

test.each([
  ["plain text, ~ and {}", "plain text, ~ and {}"],
  ["100%", "100%25"],
  ["a\tb\nc\u007f", "a%09b%0Ac%7F"],
  ["größer 模型 😀", "gr%C3%B6%C3%9Fer %E6%A8%A1%E5%9E%8B %F0%9F%98%80"],
])("%j travels as %j", (text, encoded) => {
  expect(encodeMessageText(text)).toBe(encoded);
  expect(decodeMessageText(encoded)).toBe(text);
});

test.each([
  ["100%", "100%"],
  ["%4", "%4"],
  ["%zz%41", "%zzA"],
  ["%c3%b6", "ö"],
  ["%ff", "\ufffd"],
  ["%%41", "%A"],
])("what is not well-formed is read all the same: %j is %j", (encoded, text) => {
  expect(decodeMessageText(encoded)).toBe(text);
});

test("a message of 1024 bytes is whole, a longer one is cut there", () => {
  expect(truncateMessage("x".repeat(1024))).toBe("x".repeat(1024));
  expect(truncateMessage("x".repeat(1025))).toBe(`${"x".repeat(1024)}...TRUNCATED`);
});

test("a message is not cut within a character", () => {
  expect(truncateMessage(`x${"ö".repeat(1000)}`)).toBe(`x${"ö".repeat(511)}...TRUNCATED`);
});
