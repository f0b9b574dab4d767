/** The `grpc-timeout` header: at most 8 digits and a unit. Source: grpc/doc/PROTOCOL-HTTP2.md, Timeout. */
import { ServeError } from "../status.js";

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  n: 1e-6,
  u: 1e-3,
  m: 1,
  S: 1000,
  M: 60_000,
  H: 3_600_000,
};

/** Node's timers take no longer delay; 24 days are as good as none. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * @returns milliseconds, possibly a fraction.
 * @throws {ServeError} REQUEST_INVALID when the header is not of that form.
 */
export function parseTimeoutMs(header: string): number {
  const [, digits, unit] = /^(\d{1,8})([numSMH])$/.exec(header) ?? [];
  const msPerUnit = unit === undefined ? undefined : MS_PER_UNIT[unit];
  if (msPerUnit === undefined) {
    throw new ServeError(
      "REQUEST_INVALID",
      `grpc-timeout was ${JSON.stringify(header.slice(0, 20))}, expected at most 8 digits and one of n u m S M H`,
    );
  }
  return Number(digits) * msPerUnit;
}

/** The header of a timeout: the finest unit that holds it in 8 digits, rounded up. Negative values are 0. */
export function formatTimeout(timeoutMs: number): string {
  const ms = Math.max(0, timeoutMs);
  for (const unit of ["u", "m", "S", "M"]) {
    const value = Math.ceil(ms / (MS_PER_UNIT[unit] ?? 1));
    if (value < 1e8) return `${value}${unit}`;
  }
  return `${Math.min(Math.ceil(ms / 3_600_000), 99_999_999)}H`;
}
