/** How many requests may be under way, learnt from the answers: additive increase, multiplicative decrease. */

/** Part of the pace that stays when the gateway says "later". */
const DECREASE = 0.7;

export interface Pace {
  /**
   * Waits for a place.
   *
   * @returns what gives it back: with `true` when the gateway took the request, `false` when it said "later".
   * @throws the signal's reason when it aborts before there is one.
   */
  enter(signal: AbortSignal): Promise<(taken: boolean) => void>;
}

/**
 * Begins with `most` places and never has fewer than one. Of many requests that are refused together only the first one slows the pace down: the others
 * were on their way before it could.
 *
 * Source: the congestion avoidance of TCP (RFC 5681, section 3.1).
 */
export function createPace(most: number): Pace {
  let window = most;
  let underWay = 0;
  /** Counts the slow-downs; a request carries the count of when it began. */
  let slowDowns = 0;
  const waiting: (() => void)[] = [];

  function release(): void {
    while (waiting.length > 0 && underWay < Math.floor(window)) {
      underWay++;
      waiting.shift()?.();
    }
  }

  return {
    async enter(signal) {
      signal.throwIfAborted();
      if (waiting.length === 0 && underWay < Math.floor(window)) underWay++;
      else await placeOf(waiting, signal);
      const began = slowDowns;
      return (taken) => {
        underWay--;
        if (taken) window = Math.min(most, window + 1 / window);
        else if (began === slowDowns) {
          slowDowns++;
          window = Math.max(1, window * DECREASE);
        }
        release();
      };
    },
  };
}

async function placeOf(waiting: (() => void)[], signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const onPlace = (): void => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    };
    const onAbort = (): void => {
      waiting.splice(waiting.indexOf(onPlace), 1);
      reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    waiting.push(onPlace);
  });
}
