/** Numbers of one kind, as many as a load brings, and what is said of them. */

export interface Summary {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export interface Series {
  readonly count: number;
  add(value: number): void;
  /** undefined when there is none. */
  summary(): Summary | undefined;
}

/** Keeps every number, 8 bytes each, so that percentiles are exact. */
export function createSeries(): Series {
  let values = new Float64Array(1024);
  let count = 0;
  return {
    get count() {
      return count;
    },
    add(value) {
      if (count === values.length) {
        const larger = new Float64Array(2 * values.length);
        larger.set(values);
        values = larger;
      }
      values[count++] = value;
    },
    summary() {
      if (count === 0) return undefined;
      const sorted = values.slice(0, count).sort();
      const at = (quantile: number) => sorted[Math.ceil(quantile * count) - 1] ?? Number.NaN;
      const mean = sorted.reduce((sum, value) => sum + value, 0) / count;
      return { mean, p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), max: at(1) };
    },
  };
}
