/** Rows of several tensors laid one after another, small ones into the place of large ones. */

/** Elements in cells: a byte each of a number's, or a whole string. */
export type Cells = Uint8Array<ArrayBufferLike> | string[];

export interface Part {
  readonly shape: readonly number[];
  readonly cells: Cells;
}

/**
 * Lays the parts one after another from the beginning of `joined`, and fills what is left with the last one's first row.
 *
 * @param row  sizes behind the first dimension, none less than in any part.
 * @param unit cells of one element.
 */
export function layRows<Joined extends Cells>(
  joined: Joined,
  parts: readonly Part[],
  row: readonly number[],
  unit: number,
): Joined {
  const rowCells = product(row) * unit;
  let end = 0;
  let lastStart = 0;
  for (const { shape, cells } of parts) {
    const [rows = 1, ...ownRow] = shape;
    lastStart = end;
    end += rows * rowCells;
    if (cells.length === end - lastStart) {
      copyCells(joined, lastStart, cells, 0, cells.length);
      continue;
    }
    for (let at = lastStart; at < end; at += unit) copyCells(joined, at, cells, 0, unit);
    forEachRun(rows, ownRow, row, (from, to, count) =>
      copyCells(joined, lastStart + to * unit, cells, from * unit, count * unit),
    );
  }
  for (; end < joined.length; end += rowCells) copyCells(joined, end, joined, lastStart, rowCells);
  return joined;
}

function copyCells(to: Cells, at: number, from: Cells, start: number, count: number): void {
  if (ArrayBuffer.isView(to) && ArrayBuffer.isView(from)) {
    to.set(from.subarray(start, start + count), at);
  } else {
    for (let index = 0; index < count; index++) to[at + index] = from[start + index] ?? "";
  }
}

/** Sizes of the greatest part in each dimension behind the first; the ranks are equal. */
export function largestRow(shapes: readonly (readonly number[])[]): readonly number[] {
  const [first = []] = shapes;
  return first.slice(1).map((_, axis) => Math.max(...shapes.map((shape) => shape[axis + 1] ?? 0)));
}

/**
 * Calls `copy` for each run of elements that lie together in both, when rows of one size stand at the beginning of
 * each dimension of larger rows. Row-major.
 *
 * @param row    sizes behind the first dimension.
 * @param target the same of the larger tensor; none is less than in `row`.
 * @param copy   offsets and count in elements.
 */
export function forEachRun(
  rows: number,
  row: readonly number[],
  target: readonly number[],
  copy: (from: number, to: number, count: number) => void,
): void {
  // Dimensions at the end that are equal in both make one run.
  let split = row.length;
  while (split > 0 && row[split - 1] === target[split - 1]) split -= 1;
  const tail = product(row.slice(split));
  const runLength = split === 0 ? tail : (row[split - 1] ?? 1) * tail;
  const outer = [rows, ...row.slice(0, Math.max(0, split - 1))];
  const strides = outer.map((_, axis) => product(target.slice(axis)));
  const index = outer.map(() => 0);
  const runs = runLength === 0 ? 0 : product(outer);
  for (let run = 0; run < runs; run++) {
    const to = index.reduce((sum, position, axis) => sum + position * (strides[axis] ?? 0), 0);
    copy(run * runLength, to, runLength);
    advance(index, outer);
  }
}

/** The next index in row-major order; the last one is followed by zeros. */
function advance(index: number[], sizes: readonly number[]): void {
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    const next = (index[axis] ?? 0) + 1;
    index[axis] = next < (sizes[axis] ?? 1) ? next : 0;
    if (index[axis] !== 0) return;
  }
}

export function product(sizes: readonly number[]): number {
  return sizes.reduce((result, size) => result * size, 1);
}
