/** Changes to a preprocessor_config.json: the keys to set, null for those to remove. */

export type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Sets the keys of the patch; objects are merged, except for sizes, which are set as a whole. */
export function patched(config: JsonObject, patch: JsonObject): JsonObject {
  const result: Record<string, unknown> = { ...config };
  for (const [key, value] of Object.entries(patch)) {
    const merges = key === "vitrine" || key === "resize";
    const inner = merges && isObject(value) ? patched(asObject(config[key]), value) : value;
    if (inner === null || (merges && isObject(inner) && Object.keys(inner).length === 0)) delete result[key];
    else result[key] = inner;
  }
  return result;
}

/** What has to be set, null for what has to go, to come from one configuration to the other. */
export function differenceOf(from: JsonObject, to: JsonObject): JsonObject {
  const difference: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const [before, after] = [from[key], to[key]];
    if (JSON.stringify(before) === JSON.stringify(after)) continue;
    const merges = key === "vitrine" || key === "resize";
    difference[key] = merges ? differenceOf(asObject(before), asObject(after)) : (after ?? null);
  }
  return difference;
}

function asObject(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}
