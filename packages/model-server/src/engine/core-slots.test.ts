import { describe, expect, test } from "vitest";
import { type CoreShare, CoreSlots } from "./core-slots.js";

/**
 * Models whose runs have known costs, on a clock of its own: no threads, no time. Each model always has requests
 * waiting, from `from` until `until`.
 */
class Simulation {
  readonly #slots: CoreSlots;
  readonly #ends: { at: number; end: () => void }[] = [];
  readonly models: SimulatedModel[] = [];
  now = 0;

  constructor(slots: number) {
    this.#slots = new CoreSlots(slots);
  }

  /** @param costMs of its runs. @param sessions it has. */
  add(costMs: number, { sessions = 64, from = 0, until = Number.POSITIVE_INFINITY } = {}): SimulatedModel {
    const model = new SimulatedModel(this, this.#slots, { costMs, sessions, from, until });
    this.models.push(model);
    this.later(from, () => model.wake());
    return model;
  }

  later(milliseconds: number, end: () => void): void {
    this.#ends.push({ at: this.now + milliseconds, end });
  }

  run(untilMs: number): void {
    for (;;) {
      this.#ends.sort((a, b) => a.at - b.at);
      const [next] = this.#ends;
      if (next === undefined || next.at > untilMs) return;
      this.#ends.shift();
      this.now = next.at;
      next.end();
    }
  }
}

class SimulatedModel {
  readonly #simulation: Simulation;
  readonly #share: CoreShare;
  readonly #shape: { costMs: number; sessions: number; from: number; until: number };
  #running = 0;
  runs = 0;
  /** Milliseconds of sessions it has had. */
  usedMs = 0;
  longestWaitMs = 0;
  #lastStart = 0;

  constructor(
    simulation: Simulation,
    slots: CoreSlots,
    shape: { costMs: number; sessions: number; from: number; until: number },
  ) {
    this.#simulation = simulation;
    this.#shape = shape;
    this.#share = slots.join({ wake: () => this.wake(), hasWaiting: () => false, callBackAhead: () => {} });
  }

  /** What a batcher does: starts all that it may. */
  wake(): void {
    const { costMs, sessions, from, until } = this.#shape;
    const { now } = this.#simulation;
    while (now >= from && now < until && this.#share.isFree && this.#running < sessions) {
      this.longestWaitMs = Math.max(this.longestWaitMs, now - Math.max(from, this.#lastStart));
      this.#lastStart = now;
      this.#running += 1;
      this.#share.started();
      this.#simulation.later(costMs, () => {
        this.#running -= 1;
        this.runs += 1;
        this.usedMs += costMs;
        this.#share.ended(costMs);
      });
    }
  }
}

/** Least share of the greatest: 1 is perfectly even. */
function evenness(models: readonly SimulatedModel[]): number {
  const used = models.map(({ usedMs }) => usedMs);
  return Math.min(...used) / Math.max(...used);
}

describe("models that always have work", () => {
  test.each([
    ["of equal cost", 2, [10, 10]],
    ["of which one costs fifty times as much", 2, [5, 250]],
    ["of which one costs much, on one core", 1, [5, 100]],
    ["many, on many cores", 16, [3, 7, 20, 50, 90, 120, 8, 8]],
    ["more than cores", 2, [10, 20, 30, 40, 50, 60]],
  ])("%s get the same time", (_, slots, costs) => {
    const simulation = new Simulation(slots);
    for (const cost of costs) simulation.add(cost);
    simulation.run(60_000);
    expect(evenness(simulation.models)).toBeGreaterThan(0.97);
    const used = simulation.models.reduce((sum, { usedMs }) => sum + usedMs, 0);
    expect(used / (slots * 60_000)).toBeGreaterThan(0.98);
  });

  test("that rested has no claim on what it did not use", () => {
    const simulation = new Simulation(2);
    const steady = simulation.add(10);
    const late = simulation.add(10, { from: 30_000 });
    simulation.run(30_000);
    const before = steady.usedMs;
    simulation.run(60_000);
    const ratio = late.usedMs / (steady.usedMs - before);
    expect(ratio).toBeGreaterThan(0.97);
    expect(ratio).toBeLessThan(1.03);
  });

  test("leave a newcomer no longer without a session than the runs under way take", () => {
    const simulation = new Simulation(4);
    for (let model = 0; model < 3; model++) simulation.add(40);
    const newcomer = simulation.add(5, { from: 10_000, until: 10_500 });
    simulation.run(20_000);
    expect(newcomer.longestWaitMs).toBeLessThanOrEqual(80);
  });

  test("hand on what one of few sessions cannot use", () => {
    const simulation = new Simulation(8);
    const narrow = simulation.add(10, { sessions: 1 });
    const wide = simulation.add(10);
    simulation.run(10_000);
    expect(narrow.usedMs / 10_000).toBeGreaterThan(0.98);
    expect(wide.usedMs / 70_000).toBeGreaterThan(0.98);
  });
});

test.each([1, 2, 4, 8, 16, 64])("one model alone uses all of %d slots, and no more", (slots) => {
  const simulation = new Simulation(slots);
  const model = simulation.add(10);
  simulation.run(10_000);
  expect(model.runs).toBe(slots * 1000);
});

/** A version that notes what it is asked. */
function holder(hasWaiting = false) {
  const asked: string[] = [];
  return {
    asked,
    wake: () => void asked.push("wake"),
    hasWaiting: () => hasWaiting,
    callBackAhead: () => void asked.push("call back"),
  };
}

test("a version that left is woken no more", () => {
  const slots = new CoreSlots(1);
  const gone = holder(true);
  const leaving = slots.join(gone);
  const staying = slots.join(holder());
  staying.started();
  staying.ended(1);
  expect(gone.asked).toEqual(["wake"]);
  leaving.leave();
  staying.started();
  staying.ended(1);
  staying.claimTurn();
  expect(gone.asked).toEqual(["wake"]);
  expect(staying.isContended).toBe(false);
});

test("a version may send ahead only while no other waits, and one that waits has the others' called back", () => {
  const slots = new CoreSlots(1);
  const [first, second, third] = [holder(false), holder(true), holder(false)];
  const [firstShare, secondShare] = [first, second, third].map((each) => slots.join(each));
  expect(firstShare?.isContended).toBe(true);
  expect(secondShare?.isContended).toBe(false);
  secondShare?.claimTurn();
  expect([first.asked, second.asked, third.asked]).toEqual([["call back"], [], ["call back"]]);
});
