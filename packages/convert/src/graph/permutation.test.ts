import { describe, expect, it } from "vitest";
import { constantOf, elementsOf, float32Constant, int64Constant, sizeOf } from "./constant-values.js";
import {
  inverseOf,
  isIdentity,
  movesOnlyUnits,
  permutationBetween,
  permuteConstant,
  permuted,
  withoutAxes,
} from "./permutation.js";

/** One element after the other, by its place. */
function slowly(values: ArrayLike<number>, shape: readonly number[], perm: readonly number[]): number[] {
  const sizes = permuted(shape, perm);
  return Array.from({ length: sizeOf(shape) }, (_, index) => {
    let from = 0;
    sizes.forEach((size, axis) => {
      const place = Math.floor(index / sizeOf(sizes.slice(axis + 1))) % size;
      from += place * sizeOf(shape.slice((perm[axis] ?? 0) + 1));
    });
    return values[from] ?? Number.NaN;
  });
}

describe("permuteConstant", () => {
  it.each<[number[], number[]]>([
    [
      [3, 3, 40, 50],
      [3, 2, 0, 1],
    ],
    [
      [1, 1, 70, 33],
      [3, 2, 0, 1],
    ],
    [
      [3, 3, 40, 1],
      [2, 3, 0, 1],
    ],
    [
      [7, 7, 5, 9],
      [2, 0, 1, 3],
    ],
    [
      [2, 3, 4],
      [0, 2, 1],
    ],
    [
      [2, 3, 4],
      [1, 0, 2],
    ],
    [
      [65, 64],
      [1, 0],
    ],
    [
      [2, 3, 4, 5, 2],
      [4, 0, 3, 1, 2],
    ],
    [
      [2, 1, 3],
      [1, 0, 2],
    ],
    [[6], [0]],
    [[], []],
    [
      [0, 3],
      [1, 0],
    ],
  ])("moves the elements of %j by %j", (shape, perm) => {
    const values = Float32Array.from({ length: sizeOf(shape) }, (_, index) => index);
    const moved = permuteConstant(float32Constant(values, shape), perm);
    expect(moved.shape).toEqual(permuted(shape, perm));
    expect(Array.from(elementsOf(moved), Number)).toEqual(slowly(values, shape, perm));
  });

  it("moves int64 and bytes as well", () => {
    const wide = permuteConstant(int64Constant([1, 2, 3, 4, 5, 6], [2, 3]), [1, 0]);
    expect(elementsOf(wide)).toEqual(BigInt64Array.of(1n, 4n, 2n, 5n, 3n, 6n));
    const bytes = permuteConstant(constantOf("bool", [2, 2], Uint8Array.of(1, 0, 0, 1)), [1, 0]);
    expect(elementsOf(bytes)).toEqual(Uint8Array.of(1, 0, 0, 1));
  });

  it("shares the bytes when only axes of size 1 move", () => {
    const constant = float32Constant([1, 2, 3], [1, 1, 3]);
    expect(permuteConstant(constant, [0, 2, 1])).toEqual({ ...constant, shape: [1, 3, 1] });
    expect(permuteConstant(constant, [0, 2, 1]).bytes).toBe(constant.bytes);
  });
});

describe("permutations", () => {
  it("are undone by their inverse", () => {
    const perm = [2, 0, 3, 1];
    expect(isIdentity(permuted(perm, inverseOf(perm)))).toBe(true);
    expect(permuted(permuted("abcd".split(""), perm), permutationBetween(perm, [0, 1, 2, 3]))).toEqual(
      "abcd".split(""),
    );
  });

  it("keep the order of what is left when axes go", () => {
    expect(withoutAxes([0, 3, 1, 2], new Set([1, 2]))).toEqual([0, 1]);
    expect(withoutAxes([0, 3, 1, 2], new Set([0]))).toEqual([2, 0, 1]);
  });

  it("know when no element moves", () => {
    expect(movesOnlyUnits([0, 3, 1, 2], ["batch", 1, 1, 8])).toBe(true);
    expect(movesOnlyUnits([0, 3, 1, 2], ["batch", 1, 7, 8])).toBe(false);
  });
});
