interface Begun<Result> {
  readonly result: Promise<Result>;
  settled: boolean;
}

/**
 * Works on items side by side and yields the results in the order of the items, each as soon as those before
 * it are there. Memory is bounded: at most `4 * concurrency` items are begun and not yet yielded, so one slow
 * item holds up the others only then.
 *
 * @param work must not fail for what is wrong with one item: its rejection ends the whole stream.
 */
export async function* mapInOrder<Item, Result>(
  items: AsyncIterable<Item>,
  concurrency: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const begun: Begun<Result>[] = [];
  const running = new Set<Promise<unknown>>();
  for await (const item of items) {
    const entry: Begun<Result> = { result: work(item), settled: false };
    const note = (): void => {
      entry.settled = true;
      running.delete(end);
    };
    // A rejection is noted like any end; it reaches the reader when the item's turn comes.
    const end: Promise<void> = entry.result.then(note, note);
    running.add(end);
    begun.push(entry);
    // The next item is only taken when it can be begun.
    while (true) {
      const head = begun[0];
      if (head !== undefined && (head.settled || begun.length >= 4 * concurrency)) {
        yield await head.result;
        begun.shift();
      } else if (running.size >= concurrency) {
        await Promise.race(running);
      } else break;
    }
  }
  for (const { result } of begun) yield await result;
}
