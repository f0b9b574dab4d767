/** The few statistics that every benchmark prints. */

/** Value below which the share `quantile` of the numbers lies; NaN of none. */
export function percentile(numbers: readonly number[], quantile: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] ?? Number.NaN;
}

export function median(numbers: readonly number[]): number {
  return percentile(numbers, 0.5);
}

/** Median, least and greatest, such as `126 (124 to 126)`. */
export function spread(numbers: readonly number[], digits = 0): string {
  const [middle, least, greatest] = [median(numbers), Math.min(...numbers), Math.max(...numbers)];
  return `${middle.toFixed(digits)} (${least.toFixed(digits)} to ${greatest.toFixed(digits)})`;
}
