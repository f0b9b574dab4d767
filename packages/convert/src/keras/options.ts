/** A layer's configuration, read value by value with the layer's name in every complaint. */
import { damaged } from "./fault.js";

export type Json = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "number");
}

/** A Python tuple is an object with `items` in some versions of Keras 3; a list elsewhere. */
export function listOf(value: unknown): unknown {
  return isRecord(value) && value.class_name === "__tuple__" && Array.isArray(value.items)
    ? value.items
    : value;
}

export class Options {
  /** Path of the layer, for messages. */
  readonly layer: string;
  readonly values: Json;

  constructor(layer: string, values: Json) {
    this.layer = layer;
    this.values = values;
  }

  has(key: string): boolean {
    return this.values[key] !== undefined && this.values[key] !== null;
  }

  /** The first of `keys` that is set: Keras renamed options between its versions. */
  any(...keys: string[]): unknown {
    const key = keys.find((candidate) => this.has(candidate));
    return key === undefined ? undefined : listOf(this.values[key]);
  }

  number(keys: string | readonly string[], otherwise?: number): number {
    const value = this.any(...[keys].flat());
    if (value === undefined && otherwise !== undefined) return otherwise;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    // Keras 3 writes numpy's float32 as an object.
    const wrapped = isRecord(value) && isRecord(value.config) ? value.config.value : undefined;
    if (typeof wrapped === "number" && Number.isFinite(wrapped)) return wrapped;
    throw this.wrong(keys, value, "a number");
  }

  optionalNumber(keys: string | readonly string[]): number | undefined {
    return this.any(...[keys].flat()) === undefined ? undefined : this.number(keys);
  }

  /** A size of at least `least`. */
  size(keys: string | readonly string[], otherwise?: number, least = 1): number {
    const value = this.number(keys, otherwise);
    if (!Number.isSafeInteger(value) || value < least || value > 2 ** 31)
      throw this.wrong(keys, value, `a whole number of at least ${least}`);
    return value;
  }

  /** `count` sizes; one number stands for all. */
  sizes(keys: string | readonly string[], count: number, otherwise?: number, least = 1): number[] {
    const value = this.any(...[keys].flat()) ?? otherwise;
    const list = typeof value === "number" ? new Array<number>(count).fill(value) : value;
    if (
      !isNumbers(list) ||
      list.length !== count ||
      !list.every((size) => Number.isSafeInteger(size) && size >= least && size <= 2 ** 31)
    )
      throw this.wrong(keys, value, `${count} whole numbers of at least ${least}`);
    return list;
  }

  boolean(key: string, otherwise: boolean): boolean {
    const value = this.any(key);
    if (value === undefined) return otherwise;
    if (typeof value === "boolean") return value;
    if (value === 0 || value === 1) return value === 1;
    throw this.wrong(key, value, "true or false");
  }

  text(keys: string | readonly string[], otherwise: string): string {
    const value = this.any(...[keys].flat());
    if (value === undefined) return otherwise;
    if (typeof value === "string") return value;
    throw this.wrong(keys, value, "text");
  }

  /** A whole number or a list of them, as axes come. */
  axes(keys: string | readonly string[], otherwise: number | readonly number[]): number[] {
    const value = this.any(...[keys].flat()) ?? otherwise;
    const list = typeof value === "number" ? [value] : value;
    if (!isNumbers(list) || !list.every(Number.isSafeInteger))
      throw this.wrong(keys, value, "an axis or a list of axes");
    return list;
  }

  wrong(keys: string | readonly string[], value: unknown, expected: string): Error {
    const found = value === undefined ? "missing" : JSON.stringify(value).slice(0, 80);
    return damaged(`${this.layer}: ${[keys].flat()[0]} was ${found}, expected ${expected}`);
  }
}
