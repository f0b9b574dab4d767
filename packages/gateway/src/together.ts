/**
 * Runs one task per item at the same time. The first failure aborts the others and is thrown once all have
 * ended, so that nothing works on for a request that has its answer.
 *
 * @param signal aborts all.
 */
export async function together<Item, Result>(
  items: readonly Item[],
  signal: AbortSignal,
  task: (item: Item, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const [only] = items;
  if (only !== undefined && items.length === 1) return [await task(only, signal)];
  const siblings = new AbortController();
  const either = AbortSignal.any([signal, siblings.signal]);
  let failure: { error: unknown } | undefined;
  const results = await Promise.all(
    items.map(async (item): Promise<Result[]> => {
      try {
        return [await task(item, either)];
      } catch (error) {
        failure ??= { error };
        siblings.abort(error);
        return [];
      }
    }),
  );
  if (failure !== undefined) throw failure.error;
  return results.flat();
}
