import { ServeError } from "@vitrine/protocol/status";
import { afterEach, describe, expect, test } from "vitest";
import { Health } from "../health.js";
import type { Servable } from "../servable.js";
import { loadTestServable } from "../testing/servable.js";
import { fixture, REAL_WORKER } from "../testing/start.js";
import { ModelRegistry } from "./model-registry.js";

const loaded: Servable[] = [];
afterEach(async () => {
  await Promise.all(loaded.splice(0).map((servable) => servable.unload()));
});

async function load(version: number): Promise<Servable> {
  const servable = await loadTestServable(fixture("add/1/model.onnx"), version, REAL_WORKER);
  loaded.push(servable);
  return servable;
}

const reasonOf = (call: () => unknown) => {
  try {
    call();
  } catch (error) {
    return error instanceof ServeError ? error.reason : String(error);
  }
  return "found";
};

const statesOf = (registry: ModelRegistry) =>
  registry.statuses("m").map(({ version, state }) => `${version} ${state}`);

describe("a version's states", () => {
  test("are told one after the other, and only AVAILABLE answers", async () => {
    const registry = new ModelRegistry();
    const seen: string[] = [];
    registry.add("m", true);
    registry.onChange(() => seen.push(statesOf(registry).join(", ")));
    await registry.load("m", 1, () => load(1));
    await registry.load("m", 2, async () => {
      expect(registry.find({ name: "m" }).version).toBe(1);
      return load(2);
    });
    await registry.unload("m", 1);
    expect(seen).toEqual([
      "1 LOADING",
      "1 AVAILABLE",
      "2 LOADING, 1 AVAILABLE",
      "2 AVAILABLE, 1 AVAILABLE",
      "2 AVAILABLE, 1 UNLOADING",
      "2 AVAILABLE, 1 END",
    ]);
    expect(reasonOf(() => registry.find({ name: "m", version: 1 }))).toBe("MODEL_NOT_FOUND");
  });

  test("of one that does not load is END with the reason, beside the one that serves", async () => {
    const registry = new ModelRegistry();
    await registry.load("m", 1, () => load(1));
    const refused = new ServeError("MODEL_INVALID", "Protobuf parsing failed.");
    await expect(registry.load("m", 2, () => Promise.reject(refused))).rejects.toBe(refused);
    expect(registry.find({ name: "m" }).version).toBe(1);
    expect(registry.statuses("m")).toEqual([
      { version: 2, state: "END", error: refused },
      { version: 1, state: "AVAILABLE", error: undefined },
    ]);
  });
});

describe("finding a servable", () => {
  test("takes the highest version unless one is named", async () => {
    const registry = new ModelRegistry();
    await registry.load("m", 9, () => load(9));
    await registry.load("m", 10, () => load(10));
    expect(registry.find({ name: "m" }).version).toBe(10);
    expect(registry.find({ name: "m", version: 9 }).version).toBe(9);
  });

  test("follows a label to its version, whatever else is available", async () => {
    const registry = new ModelRegistry();
    await registry.load("m", 1, () => load(1));
    await registry.load("m", 2, () => load(2));
    registry.setLabels(
      "m",
      new Map([
        ["stable", 1],
        ["gone", 7],
      ]),
    );
    expect(registry.find({ name: "m", label: "stable" }).version).toBe(1);
    expect(() => registry.find({ name: "m", label: "gone" })).toThrow(
      "Servable not found for request: Specific(m, 7)",
    );
    expect(() => registry.find({ name: "m", label: "canary" })).toThrow(
      "Unrecognized servable version label: canary",
    );
  });

  test.each([
    [{ name: "" }, "REQUEST_INVALID"],
    [{ name: "n" }, "MODEL_NOT_FOUND"],
    [{ name: "m", version: 1 }, "MODEL_NOT_FOUND"],
    [{ name: "m", label: "stable" }, "LABEL_NOT_FOUND"],
  ])("%j is %s", (choice, reason) => {
    expect(reasonOf(() => new ModelRegistry().find(choice))).toBe(reason);
  });
});

describe("health", () => {
  test("follows the model: unknown, not serving while it loads, serving, then not", async () => {
    const registry = new ModelRegistry();
    const health = new Health(registry);
    const controller = new AbortController();
    const told: number[] = [];
    const watched = (async () => {
      for await (const status of health.watch("m", controller.signal)) told.push(status);
    })();
    await registry.load("m", 1, () => load(1));
    await registry.unload("m", 1);
    await new Promise(setImmediate);
    controller.abort();
    await watched;
    const [unknown, notServing, serving] = [3, 2, 1];
    expect(told).toEqual([unknown, notServing, serving, notServing]);
  });

  test("says that it drains, and lets the watches end", async () => {
    const registry = new ModelRegistry();
    await registry.load("m", 1, () => load(1));
    const health = new Health(registry);
    expect(health.isReady).toBe(true);
    const watch = health.watch("", new AbortController().signal);
    expect(await watch.next()).toEqual({ done: false, value: 1 });
    health.drain();
    expect(await watch.next()).toEqual({ done: false, value: 2 });
    expect(await watch.next()).toEqual({ done: true, value: undefined });
    expect(health.isReady).toBe(false);
  });
});
