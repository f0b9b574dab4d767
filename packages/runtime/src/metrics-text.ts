/** As much of Prometheus' text format as it takes to add up the samples of one name. */

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?[ \t]+(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/**
 * Adds up the samples of a metric.
 *
 * @param labels what a sample's labels must have; its others do not matter.
 * @returns undefined when the text has no such metric at all; 0 when it has, but no sample with these labels.
 */
export function sumOfMetric(
  text: string,
  metric: string,
  labels: ReadonlyMap<string, string>,
): number | undefined {
  let sum: number | undefined;
  for (const line of text.split("\n")) {
    if (!line.includes(metric)) continue;
    // A gauge without samples, as of a server that has no model yet, still says its type.
    if (line === `# TYPE ${metric} gauge`) sum ??= 0;
    const [, name, labelText = "", value] = SAMPLE.exec(line) ?? [];
    if (name !== metric) continue;
    const found = new Map([...labelText.matchAll(LABEL)].map(([, key = "", quoted = ""]) => [key, quoted]));
    const isAsked = [...labels].every(([key, wanted]) => found.get(key) === wanted);
    const number = Number(value);
    sum = (sum ?? 0) + (isAsked && Number.isFinite(number) ? number : 0);
  }
  return sum;
}
