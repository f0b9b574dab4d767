/** One piece of work for everyone who asks for the same thing at the same time. */
import { ServeError } from "@vitrine/protocol/status";
import { abortError } from "./deadline.js";

interface Flight<Result> {
  readonly result: Promise<Result>;
  readonly work: AbortController;
  waiting: number;
}

export class SharedWork<Result> {
  readonly #flights = new Map<string, Flight<Result>>();

  /**
   * Does `work`, or waits for the same key's work of an earlier caller.
   *
   * @param signal of this caller: when it aborts, this caller is let go; the work ends when all have gone.
   * @param work   gets a signal that outlives the caller who brought it.
   * @throws what the work throws; what `signal` was aborted with. A caller who joined work that ran out of the time
   *   of whoever began it starts over with its own.
   */
  async run(
    key: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    for (;;) {
      const joined = this.#flights.get(key);
      const flight = joined ?? this.#start(key, work);
      try {
        return await this.#wait(key, flight, signal);
      } catch (error) {
        const isTimeOfAnother =
          joined !== undefined && error instanceof ServeError && error.reason === "DEADLINE_EXCEEDED";
        if (signal.aborted || !isTimeOfAnother) throw error;
      }
    }
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<Result>): Flight<Result> {
    const controller = new AbortController();
    const result = work(controller.signal);
    const flight: Flight<Result> = { result, work: controller, waiting: 0 };
    this.#flights.set(key, flight);
    const land = () => this.#forget(key, flight);
    result.then(land, land);
    return flight;
  }

  #wait(key: string, flight: Flight<Result>, signal: AbortSignal): Promise<Result> {
    if (signal.aborted) return Promise.reject(abortError(signal));
    flight.waiting += 1;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        flight.waiting -= 1;
        if (flight.waiting === 0) {
          // Who comes from here on must not join work that is being given up.
          this.#forget(key, flight);
          flight.work.abort(signal.reason);
        }
        reject(abortError(signal));
      };
      signal.addEventListener("abort", leave, { once: true });
      const arrive = (): void => signal.removeEventListener("abort", leave);
      flight.result.then(
        (result) => {
          arrive();
          resolve(result);
        },
        (error: unknown) => {
          arrive();
          reject(error);
        },
      );
    });
  }

  #forget(key: string, flight: Flight<Result>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }
}
