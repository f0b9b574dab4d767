/**
 * Shares the cores among all versions of all models that one server has loaded: at most so many sessions run at once,
 * and where more could, the version goes first that has had the least of them.
 */

/** One version's part in the slots. */
export interface CoreShare {
  /** True while a run may start. */
  readonly isFree: boolean;
  /** Another version waits: nothing may be sent ahead, for whose turn is next shows when a run ends. */
  readonly isContended: boolean;
  /** This version waits for a core: others shall take back what they have sent ahead. */
  claimTurn(): void;
  /** A run of this version has started. */
  started(): void;
  /** A run of this version is over after so many milliseconds. */
  ended(runMs: number): void;
  /** The version was unloaded. */
  leave(): void;
}

/** What a version does when the slots ask it. */
export interface ShareHolder {
  /** Starts what it has waiting while {@link CoreShare.isFree}; or nothing. */
  wake(): void;
  /** It has requests that have not begun. */
  hasWaiting(): boolean;
  /** Takes back what it has sent ahead. */
  callBackAhead(): void;
}

interface Share {
  readonly holder: ShareHolder;
  running: number;
  /** Milliseconds of sessions it has had; lifted when it was idle, so that rest gives no claim. */
  used: number;
  /** What its next run is expected to take: the moving average of those before. */
  expectedMs: number;
}

/** Weight of the newest run in the average. */
const NEWEST = 0.25;

/**
 * Start-time fair queueing over several servers. A version is charged for a run when it starts, by what its runs took
 * before, and corrected when it ends: else one with many waiting requests would take every slot before it is charged
 * for the first.
 *
 * Source: P. Goyal, H. Vin, H. Cheng, Start-time Fair Queueing, SIGCOMM 1996.
 */
export class CoreSlots {
  readonly #slots: number;
  readonly #shares = new Set<Share>();
  #running = 0;
  /** The greatest `used` of any version when it started a run: where a version that rested begins. */
  #now = 0;
  #offering = false;

  /** @param slots sessions that may run at once, of all versions together. */
  constructor(slots: number) {
    this.#slots = slots;
  }

  /** Sessions that run. */
  get running(): number {
    return this.#running;
  }

  get slots(): number {
    return this.#slots;
  }

  join(holder: ShareHolder): CoreShare {
    const slots = this;
    const share: Share = { holder, running: 0, used: this.#now, expectedMs: 0 };
    this.#shares.add(share);
    return {
      get isFree() {
        return slots.#running < slots.#slots;
      },
      get isContended() {
        for (const other of slots.#shares) if (other !== share && other.holder.hasWaiting()) return true;
        return false;
      },
      claimTurn: () => {
        for (const other of this.#shares) if (other !== share) other.holder.callBackAhead();
      },
      started: () => this.#started(share),
      ended: (runMs) => this.#ended(share, runMs),
      leave: () => {
        this.#shares.delete(share);
      },
    };
  }

  #started(share: Share): void {
    this.#running += 1;
    share.running += 1;
    share.used = Math.max(share.used, this.#now);
    this.#now = share.used;
    share.used += share.expectedMs;
  }

  #ended(share: Share, runMs: number): void {
    this.#running -= 1;
    share.running -= 1;
    share.used += runMs - share.expectedMs;
    share.expectedMs += NEWEST * (runMs - share.expectedMs);
    this.#offer();
  }

  /** Wakes the versions, the one first that has had the least. */
  #offer(): void {
    // A run that fails at once ends within the loop below, which then sees the free slot by itself.
    if (this.#offering) return;
    this.#offering = true;
    const byUse = [...this.#shares].sort((a, b) => a.used - b.used);
    for (const { holder } of byUse) {
      if (this.#running >= this.#slots) break;
      holder.wake();
    }
    this.#offering = false;
  }
}
