/** As much of Prometheus' text format as it takes to add up the samples of one name. */

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?[ \t]+(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** What a text has of a metric. */
export interface MetricSum {
  /** Of the samples that match. */
  readonly sum: number;
  /** All of the metric's. 0 for a gauge that has only its type, as of a server without a model. */
  readonly samples: number;
  /** Those that have the labels asked for. */
  readonly matching: number;
}

/**
 * Adds up the samples of a metric.
 *
 * @param labels what a sample's labels must have; its others do not matter.
 * @returns undefined when the text has no such metric at all.
 */
export function readMetric(
  text: string,
  metric: string,
  labels: ReadonlyMap<string, string>,
): MetricSum | undefined {
  let [sum, samples, matching, isThere] = [0, 0, 0, false];
  for (const line of text.split("\n")) {
    if (!line.includes(metric)) continue;
    if (line === `# TYPE ${metric} gauge`) isThere = true;
    const [, name, labelText = "", value] = SAMPLE.exec(line) ?? [];
    if (name !== metric) continue;
    isThere = true;
    samples++;
    const found = new Map([...labelText.matchAll(LABEL)].map(([, key = "", quoted = ""]) => [key, quoted]));
    if (![...labels].every(([key, wanted]) => found.get(key) === wanted)) continue;
    matching++;
    const number = Number(value);
    if (Number.isFinite(number)) sum += number;
  }
  return isThere ? { sum, samples, matching } : undefined;
}

/** @returns {@link readMetric}'s sum alone: 0 also when no sample has these labels. */
export function sumOfMetric(
  text: string,
  metric: string,
  labels: ReadonlyMap<string, string>,
): number | undefined {
  return readMetric(text, metric, labels)?.sum;
}
