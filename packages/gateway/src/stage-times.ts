/** Where the time of one request went. */

export const STAGES = ["fetch", "decode", "resize", "predict", "explain", "total"] as const;

export type Stage = (typeof STAGES)[number];

export interface StageTimes {
  /** Adds milliseconds that were measured elsewhere. */
  add(stage: Stage, ms: number): void;
  /** Adds the time until `work` settles, however it does. */
  time<T>(stage: Stage, work: () => Promise<T>): Promise<T>;
  /** Milliseconds of every stage that took part, to a hundredth. */
  readonly ms: Readonly<Partial<Record<Stage, number>>>;
}

/** @param ended is told of each stage when it ends, with its milliseconds. */
export function createStageTimes(ended: (stage: Stage, ms: number) => void = () => {}): StageTimes {
  const ms: Partial<Record<Stage, number>> = {};

  function add(stage: Stage, more: number): void {
    ms[stage] = Math.round(((ms[stage] ?? 0) + more) * 100) / 100;
    ended(stage, more);
  }

  return {
    ms,
    add,
    async time(stage, work) {
      const startedAt = performance.now();
      try {
        return await work();
      } finally {
        add(stage, performance.now() - startedAt);
      }
    },
  };
}
