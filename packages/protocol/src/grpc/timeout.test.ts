import { expect, test } from "vitest";
import { formatTimeout, parseTimeoutMs } from "./timeout.js";

test.each([
  ["0n", 0],
  ["500000n", 0.5],
  ["1500u", 1.5],
  ["250m", 250],
  ["20S", 20_000],
  ["2M", 120_000],
  ["99999999H", 99_999_999 * 3_600_000],
])("%s is %d ms", (header, ms) => {
  expect(parseTimeoutMs(header)).toBeCloseTo(ms, 9);
});

test.each(["", "5", "m", "-1m", "1.5S", "123456789m", "5s", "5 m", "1m\n"])("%j is no timeout", (header) => {
  expect(() => parseTimeoutMs(header)).toThrow(/^grpc-timeout was/);
});

test.each([
  [0, "0u"],
  [-5, "0u"],
  [0.0001, "1u"],
  [20_000, "20000000u"],
  [99_999.9991, "100000m"],
  [200_000_000, "200000S"],
  [1e14, "27777778H"],
  [Number.MAX_VALUE, "99999999H"],
])("%d ms is %s", (ms, header) => {
  expect(formatTimeout(ms)).toBe(header);
});
