import { expect, test } from "vitest";
import { mapInOrder } from "./map-in-order.js";

async function* count(to: number, onTaken: (item: number) => void = () => {}): AsyncGenerator<number> {
  for (let item = 0; item < to; item++) {
    onTaken(item);
    yield item;
  }
}

/** Work that ends item by item, when the test says so. */
function puppetWork() {
  const begun: number[] = [];
  const finish = new Map<number, () => void>();
  return {
    begun,
    finish: (item: number): void => finish.get(item)?.(),
    work: (item: number): Promise<string> => {
      begun.push(item);
      return new Promise((resolve) => finish.set(item, () => resolve(`done ${item}`)));
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("results come in the order of the items, whatever ends first", async () => {
  const { work, finish } = puppetWork();
  const results = mapInOrder(count(3), 3, work);
  const first = results.next();
  await turn();
  for (const item of [2, 1, 0]) finish(item);
  expect([await first, await results.next(), await results.next()].map(({ value }) => value)).toEqual([
    "done 0",
    "done 1",
    "done 2",
  ]);
  expect((await results.next()).done).toBe(true);
});

test("no more than the given number are worked on at a time", async () => {
  const { work, finish, begun } = puppetWork();
  const results = mapInOrder(count(5), 2, work);
  const first = results.next();
  await turn();
  expect(begun).toEqual([0, 1]);
  finish(0);
  expect((await first).value).toBe("done 0");
  const second = results.next();
  await turn();
  finish(1);
  expect((await second).value).toBe("done 1");
  await results.return(undefined);
});

test("behind one slow item at most four times the concurrency is begun", async () => {
  const taken: number[] = [];
  const results = mapInOrder(
    count(100, (item) => taken.push(item)),
    2,
    (item) => (item === 0 ? new Promise<number>(() => {}) : Promise.resolve(item)),
  );
  void results.next();
  for (let turns = 0; turns < 50; turns++) await turn();
  expect(taken.length).toBeLessThanOrEqual(9);
});

test("a result that is there is yielded before the input ends", async () => {
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  async function* slowInput(): AsyncGenerator<number> {
    yield 0;
    yield 1;
    await gate;
    yield 2;
  }
  const results = mapInOrder(slowInput(), 1, async (item) => item);
  expect((await results.next()).value).toBe(0);
  release();
  expect((await results.next()).value).toBe(1);
  expect((await results.next()).value).toBe(2);
});

test("a rejection ends the stream at its item's turn", async () => {
  const results = mapInOrder(count(3), 3, async (item) => {
    if (item === 1) throw new Error("bug");
    return item;
  });
  expect((await results.next()).value).toBe(0);
  await expect(results.next()).rejects.toThrow("bug");
});
