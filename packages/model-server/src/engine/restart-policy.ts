/** When a dead session worker is replaced, and when a row of deaths means that no replacement will help. */

export interface RestartOptions {
  /** So many deaths within `crashWindowMs` without one answered run between them are a crash loop. */
  readonly crashLimit: number;
  readonly crashWindowMs: number;
  /** Wait before a dead worker is replaced: none for the first, then this, doubled each time up to 5 s. */
  readonly restartDelayMs: number;
}

export type Restart =
  | { readonly kind: "after"; readonly delayMs: number }
  | { readonly kind: "never"; readonly deaths: number };

const MAX_RESTART_DELAY_MS = 5_000;

export class RestartPolicy {
  readonly #options: RestartOptions;
  /** Times of death since the last answered run. */
  #deaths: number[] = [];

  constructor(options: RestartOptions) {
    this.#options = options;
  }

  /** A worker answered: what came before is forgiven. */
  answered(): void {
    if (this.#deaths.length > 0) this.#deaths = [];
  }

  /** @param diedAt milliseconds of a clock that does not jump. */
  died(diedAt: number): Restart {
    const { crashLimit, crashWindowMs, restartDelayMs } = this.#options;
    this.#deaths = [...this.#deaths.filter((time) => diedAt - time < crashWindowMs), diedAt];
    const deaths = this.#deaths.length;
    if (deaths >= crashLimit) return { kind: "never", deaths };
    const delayMs = deaths === 1 ? 0 : Math.min(restartDelayMs * 2 ** (deaths - 2), MAX_RESTART_DELAY_MS);
    return { kind: "after", delayMs };
  }
}
