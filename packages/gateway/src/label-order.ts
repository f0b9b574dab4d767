/** The JSON of answers, with labels in the model's order. */

/** A name that JavaScript puts before all others of an object, whenever it was added. Source: ECMA-262, OrdinaryOwnPropertyKeys. */
const INDEX = /^(?:0|[1-9]\d*)$/;

/**
 * Writes an answer as JSON. Objects that have the labels as their names, such as `predictions`, have them in the order of
 * `labels`, also where those are numbers ("10", "2").
 */
export function jsonInLabelOrder(answer: unknown, labels: readonly string[]): string {
  return labels.some((label) => INDEX.test(label)) ? written(answer, labels) : JSON.stringify(answer);
}

function written(value: unknown, labels: readonly string[]): string {
  if (Array.isArray(value)) return `[${value.map((each) => written(each, labels)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = new Map(Object.entries(value).filter(([, member]) => member !== undefined));
  const isByLabel = members.size === labels.length && labels.every((label) => members.has(label));
  const names = isByLabel ? labels : [...members.keys()];
  return `{${names.map((name) => `${JSON.stringify(name)}:${written(members.get(name), labels)}`).join(",")}}`;
}
