import { cp, mkdir, mkdtemp, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { ServeError } from "@vitrine/protocol/status";
import { createLogger } from "@vitrine/runtime/logger";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Health } from "../health.js";
import { Servable } from "../servable.js";
import { LoadSlots } from "./load-slots.js";
import { type ModelConfig, singleModel } from "./model-config.js";
import { ModelRegistry } from "./model-registry.js";
import { ServedModels, type ServedModelsOptions } from "./served-models.js";

/** Puppets in place of sessions: what loads, and how it ends, the test decides. */
class Loads {
  readonly begun: string[] = [];
  readonly unloaded: string[] = [];
  /** Called instead of a load that works at once. */
  readonly answers = new Map<string, () => Promise<void>>();
  readonly broken = new Map<string, (error: ServeError) => void>();
  /** Holds each unload back. */
  unloading: Promise<void> = Promise.resolve();

  readonly load: ServedModelsOptions["load"] = async ({ name }, { version }, broken) => {
    const id = `${name}/${version}`;
    this.begun.push(id);
    await this.answers.get(id)?.();
    this.broken.set(id, broken);
    return new Servable({
      version,
      signatures: new Map(),
      contract: undefined,
      sessions: {
        unload: async () => {
          await this.unloading;
          this.unloaded.push(id);
        },
      } as never,
    });
  };
}

let base: string;
let loads: Loads;
let registry: ModelRegistry;
let models: ServedModels;
let clock: number;

function serve(options: Partial<ServedModelsOptions> = {}): ServedModels {
  return new ServedModels(
    registry,
    {
      load: loads.load,
      unloaded: () => {},
      broke: () => {},
      slots: new LoadSlots(1),
      maxLoadRetries: 1,
      loadRetryIntervalMs: 0,
      quietMs: 2000,
      now: () => clock,
      modelFile: undefined,
      allowLabelsForUnavailable: false,
      looksAgain: true,
      ...options,
    },
    createLogger({ name: "test", level: "error", stream: new PassThrough().resume() }),
  );
}

beforeEach(async () => {
  base = await mkdtemp(path.join(tmpdir(), "vitrine-served-"));
  loads = new Loads();
  registry = new ModelRegistry();
  // An hour on, so that what the test writes counts as complete.
  clock = Date.now() + 3_600_000;
  models = serve();
});

afterEach(async () => {
  await models.close();
  await rm(base, { recursive: true, force: true });
});

async function publish(model: string, ...versions: (number | string)[]): Promise<void> {
  for (const version of versions) {
    const folder = path.join(base, model, String(version));
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, "model.onnx"), "a model");
  }
}

const config = (name: string, rest: Partial<ModelConfig> = {}): ModelConfig => ({
  ...singleModel(name, path.join(base, name)),
  ...rest,
});

const specific = (...versions: number[]) => ({ policy: { kind: "specific", versions } as const });
const labels = (entries: Record<string, number>) => ({ labels: new Map(Object.entries(entries)) });

const statesOf = (name: string) =>
  registry
    .statuses(name)
    .map(({ version, state, error }) => [version, state, ...(error ? [error.message] : [])]);

async function look(): Promise<void> {
  await models.look();
  await models.settled();
}

const fails =
  (message: string, reason: "MODEL_INVALID" | "OVERLOADED" = "MODEL_INVALID") =>
  () =>
    Promise.reject(new ServeError(reason, message));

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "OK",
    (error: unknown) => (error instanceof ServeError ? `${error.code}: ${error.message}` : String(error)),
  );

describe("the versions that are served", () => {
  test.each<[string, Partial<ModelConfig>, number[]]>([
    ["the latest", {}, [10]],
    ["the latest two", { policy: { kind: "latest", count: 2 } }, [10, 9]],
    ["all", { policy: { kind: "all" } }, [10, 9, 2]],
    ["those that are named and there", specific(2, 9, 77), [9, 2]],
  ])("are %s, the highest first", async (_, rest, expected) => {
    await publish("m", 9, "0010", 2);
    await mkdir(path.join(base, "m", "backup"));
    await writeFile(path.join(base, "m", "11"), "a file is no version");
    await models.apply([config("m", rest)]);
    expect(loads.begun).toEqual(expected.map((version) => `m/${version}`));
    expect(statesOf("m")).toEqual(expected.map((version) => [version, "AVAILABLE"]));
  });

  test("change to a new one that appears; the old one goes when the new one answers", async () => {
    await publish("m", 1);
    await models.apply([config("m")]);
    await publish("m", 2);
    loads.answers.set("m/2", async () => {
      expect(registry.find({ name: "m" }).version).toBe(1);
    });
    await look();
    expect(registry.find({ name: "m" }).version).toBe(2);
    expect(loads.unloaded).toEqual(["m/1"]);
    await models.settled();
    expect(statesOf("m")).toEqual([
      [2, "AVAILABLE"],
      [1, "END"],
    ]);
  });

  test("stay when the new one does not load, and its status says why", async () => {
    await publish("m", 1);
    await models.apply([config("m")]);
    await publish("m", 2);
    loads.answers.set("m/2", fails("Protobuf parsing failed."));
    await look();
    await look();
    expect(loads.begun).toEqual(["m/1", "m/2"]);
    expect(statesOf("m")).toEqual([
      [2, "END", "Protobuf parsing failed."],
      [1, "AVAILABLE"],
    ]);
  });

  test("take one that failed when its files have changed", async () => {
    await publish("m", 1, 2);
    loads.answers.set("m/2", fails("cut short"));
    await codeOf(models.apply([config("m")]));
    loads.answers.clear();
    await writeFile(path.join(base, "m", "2", "model.onnx"), "the whole model");
    await look();
    expect(statesOf("m")).toEqual([[2, "AVAILABLE"]]);
  });

  test("take one that failed and that was taken away and brought back as it was", async () => {
    await publish("m", 1, 2);
    loads.answers.set("m/2", fails("a library was missing"));
    await codeOf(models.apply([config("m")]));
    await rename(path.join(base, "m", "2"), path.join(base, "aside"));
    await look();
    expect(statesOf("m")).toEqual([
      [2, "END", "a library was missing"],
      [1, "AVAILABLE"],
    ]);
    loads.answers.clear();
    await rename(path.join(base, "aside"), path.join(base, "m", "2"));
    await look();
    expect(registry.find({ name: "m" }).version).toBe(2);
  });

  test("take one again after a failure that passes, as often as the flag says", async () => {
    await publish("m", 1);
    loads.answers.set("m/1", fails("no memory", "OVERLOADED"));
    const outcome = await codeOf(models.apply([config("m")]));
    expect(outcome).toBe(
      "UNKNOWN: 1 servable(s) did not become available: {{{name: m version: 1} due to error: no memory}, }",
    );
    expect(loads.begun).toEqual(["m/1", "m/1"]);
  });

  test("are unloaded when their folder is deleted, the last one too", async () => {
    await publish("m", 1);
    await models.apply([config("m")]);
    await rm(path.join(base, "m", "1"), { recursive: true });
    await look();
    await models.settled();
    expect(statesOf("m")).toEqual([[1, "END"]]);
    expect(registry.unavailable()).toEqual([
      expect.stringMatching(
        /^model m is not available: .*\/m had neither version folders nor .*; version 1 is END$/,
      ),
    ]);
  });

  test("stay while the whole base path cannot be read", async () => {
    await publish("m", 1);
    await models.apply([config("m")]);
    await rm(path.join(base, "m"), { recursive: true });
    await look();
    expect(statesOf("m")).toEqual([[1, "AVAILABLE"]]);
  });

  test("come back when a deleted folder does", async () => {
    await publish("m", 1);
    await models.apply([config("m")]);
    await rm(path.join(base, "m", "1"), { recursive: true });
    await look();
    await publish("m", 1);
    await look();
    expect(statesOf("m")).toEqual([[1, "AVAILABLE"]]);
    expect(loads.begun).toEqual(["m/1", "m/1"]);
  });
});

describe("a folder that is still being copied", () => {
  test("is left alone until it was the same at two looks; the old version serves on, though it is gone", async () => {
    await publish("m", 1);
    await models.apply([config("m")]);
    clock = Date.now();
    await publish("m", 2);
    await look();
    await writeFile(path.join(base, "m", "2", "config.json"), "{}");
    await rm(path.join(base, "m", "1"), { recursive: true });
    await look();
    expect(loads.begun).toEqual(["m/1"]);
    expect(registry.find({ name: "m" }).version).toBe(1);
    await look();
    expect(statesOf("m")).toEqual([
      [2, "AVAILABLE"],
      [1, "END"],
    ]);
  });

  test("counts as such though the copy keeps the old times of its files", async () => {
    clock = Date.now();
    await publish("m", 1);
    const file = path.join(base, "m", "1", "model.onnx");
    await utimes(file, 1, 1);
    await utimes(path.dirname(file), 1, 1);
    await models.begin([config("m")]);
    expect(registry.unavailable()[0]).toContain("/1 is still being written");
    await look();
    expect(statesOf("m")).toEqual([[1, "AVAILABLE"]]);
  });

  test("is no matter for a folder that is renamed to its place", async () => {
    await publish("staging", 1);
    await mkdir(path.join(base, "m"));
    clock = Date.now() + 2100;
    await rename(path.join(base, "staging", "1"), path.join(base, "m", "1"));
    await models.apply([config("m")]);
    expect(statesOf("m")).toEqual([[1, "AVAILABLE"]]);
  });

  test("has no model yet, and the version before it is served", async () => {
    await publish("m", 1);
    await mkdir(path.join(base, "m", "2"));
    await models.apply([config("m")]);
    expect(statesOf("m")).toEqual([[1, "AVAILABLE"]]);
  });
});

describe("a model that is not there yet", () => {
  test("is waited for, and the reason can be read", async () => {
    const applied = models.apply([config("m"), config("n")]);
    await publish("n", 1);
    await look();
    expect(registry.unavailable()).toEqual([
      `model m is not available: ${base}/m could not be read (ENOENT), expected the folder that holds the model's version folders`,
    ]);
    // One that is missing does not hold up the others.
    expect(registry.isAvailable("n")).toBe(true);
    await publish("m", 3);
    await look();
    await applied;
    expect(registry.unavailable()).toEqual([]);
  });

  test("fails the start when nobody looks again", async () => {
    models = serve({ looksAgain: false });
    expect(await codeOf(models.apply([config("m")]))).toContain("m could not be read (ENOENT)");
  });
});

describe("a new configuration", () => {
  test("loads what is new, unloads what is gone, and leaves the rest", async () => {
    await publish("a", 1);
    await publish("b", 1);
    await publish("c", 1);
    await models.apply([config("a"), config("b")]);
    await models.apply([config("b"), config("c")]);
    await models.settled();
    expect(loads.begun.sort()).toEqual(["a/1", "b/1", "c/1"]);
    expect(loads.unloaded).toEqual(["a/1"]);
    expect(registry.names).toEqual(["b", "c"]);
    expect(statesOf("a")).toEqual([[1, "END"]]);
  });

  test("gives a known model another policy", async () => {
    await publish("m", 1, 2);
    await models.apply([config("m")]);
    await models.apply([config("m", specific(1))]);
    await models.settled();
    expect(registry.find({ name: "m" }).version).toBe(1);
    expect(loads.unloaded).toEqual(["m/2"]);
  });

  test("waits for what the one before still loads, no longer than it wants it", async () => {
    await publish("m", 1);
    const first = codeOf(models.apply([config("missing")]));
    await models.apply([config("m")]);
    expect(await first).toContain("model missing was removed");
  });

  test("may bring back a model that still finishes its requests: it is loaded anew when they are answered", async () => {
    await publish("m", 1);
    await models.apply([config("m")]);
    let finish = () => {};
    loads.unloading = new Promise((resolve) => {
      finish = resolve;
    });
    await models.apply([]);
    const back = models.apply([config("m")]);
    expect(statesOf("m")).toEqual([[1, "UNLOADING"]]);
    finish();
    await back;
    expect(loads.begun).toEqual(["m/1", "m/1"]);
    expect(loads.unloaded).toEqual(["m/1"]);
    expect(statesOf("m")).toEqual([[1, "AVAILABLE"]]);
  });

  test("brings the failing model's error to the caller, and the others serve", async () => {
    await publish("a", 1);
    await publish("b", 7);
    loads.answers.set("b/7", fails("Protobuf parsing failed."));
    expect(await codeOf(models.apply([config("a"), config("b")]))).toBe(
      "UNKNOWN: 1 servable(s) did not become available: {{{name: b version: 7} due to error: Protobuf parsing failed.}, }",
    );
    expect(registry.isAvailable("a")).toBe(true);
  });

  test("with a bad addition leaves the server ready; a first one has to be whole", async () => {
    await publish("a", 1);
    await publish("b", 1);
    loads.answers.set("b/1", fails("Protobuf parsing failed."));
    await models.apply([config("a")]);
    const health = new Health(registry);
    await codeOf(models.apply([config("a"), config("b")]));
    expect(health.isReady).toBe(true);
    await models.close();
    registry = new ModelRegistry();
    models = serve();
    await codeOf(models.apply([config("a"), config("b")]));
    expect(new Health(registry).whyNotReady).toContain("version 1 is END: Protobuf parsing failed.");
  });

  test("must not change the platform of a model", async () => {
    await publish("m", 1);
    await models.apply([config("m")]);
    expect(await codeOf(models.apply([config("m", { platform: "onnx" })]))).toContain(
      "INVALID_ARGUMENT: model m changed its platform from tensorflow to onnx",
    );
  });
});

describe("labels", () => {
  test("of a first configuration point at their versions when these are available", async () => {
    await publish("m", 1, 2);
    await models.apply([config("m", { ...specific(1, 2), ...labels({ stable: 1, canary: 2 }) })]);
    expect(registry.find({ name: "m", label: "stable" }).version).toBe(1);
    expect(registry.find({ name: "m", label: "canary" }).version).toBe(2);
  });

  test("move with a configuration that brings the version, and serve the old one until then", async () => {
    await publish("m", 1);
    await models.apply([config("m", labels({ stable: 1 }))]);
    await publish("m", 2);
    loads.answers.set("m/2", async () => {
      expect(registry.find({ name: "m", label: "stable" }).version).toBe(1);
    });
    await models.apply([config("m", labels({ stable: 2 }))]);
    expect(registry.find({ name: "m", label: "stable" }).version).toBe(2);
  });

  test("to a version that is not there change nothing at all", async () => {
    await publish("m", 1);
    await publish("n", 1);
    await models.apply([config("m", labels({ stable: 1 }))]);
    expect(await codeOf(models.apply([config("m", labels({ stable: 9 })), config("n")]))).toBe(
      "FAILED_PRECONDITION: Request to assign label to version 9 of model m, which is not currently available for inference",
    );
    expect(registry.names).toEqual(["m"]);
    expect(registry.find({ name: "m", label: "stable" }).version).toBe(1);
  });

  test("may be new and point at nothing yet where the flag allows it, but not move there", async () => {
    models = serve({ allowLabelsForUnavailable: true });
    await publish("m", 1);
    await models.apply([config("m", labels({ stable: 1 }))]);
    await models.apply([config("m", labels({ stable: 1, next: 9 }))]);
    expect(() => registry.find({ name: "m", label: "next" })).toThrow("Specific(m, 9)");
    expect(await codeOf(models.apply([config("m", labels({ stable: 9 }))]))).toContain("FAILED_PRECONDITION");
  });

  test("that a configuration leaves out are gone", async () => {
    await publish("m", 1);
    await models.apply([config("m", labels({ stable: 1 }))]);
    await models.apply([config("m")]);
    expect(() => registry.find({ name: "m", label: "stable" })).toThrow(
      "Unrecognized servable version label",
    );
  });
});

describe("a version that breaks down", () => {
  test("ends with the reason and is loaded again", async () => {
    await publish("m", 1);
    await publish("n", 1);
    await models.apply([config("m"), config("n")]);
    const loadedAgain = new Promise<void>((resolve) => {
      loads.answers.set("m/1", async () => resolve());
    });
    loads.broken.get("m/1")?.(new ServeError("WORKER_LOST", "workers died"));
    expect(statesOf("m")).toEqual([[1, "END", "workers died"]]);
    await loadedAgain;
    await models.settled();
    expect(statesOf("m")).toEqual([[1, "AVAILABLE"]]);
  });

  test("is given up when it breaks down again and again", async () => {
    models = serve({ maxLoadRetries: 0 });
    await publish("m", 1);
    await models.apply([config("m")]);
    loads.broken.get("m/1")?.(new ServeError("WORKER_LOST", "workers died"));
    await look();
    expect(loads.begun).toEqual(["m/1"]);
  });

  test("is tried again however often it breaks down in its life, when it was sound for ten minutes each time", async () => {
    await publish("m", 1);
    await models.apply([config("m")]);
    const breakDown = async () => {
      const loadedAgain = new Promise<void>((resolve) => {
        loads.answers.set("m/1", async () => resolve());
      });
      loads.broken.get("m/1")?.(new ServeError("WORKER_LOST", "workers died"));
      return loadedAgain;
    };
    for (let time = 0; time < 4; time++) {
      clock += 600_000;
      await breakDown();
      await models.settled();
      expect(statesOf("m")).toEqual([[1, "AVAILABLE"]]);
    }
    clock += 599_999;
    void breakDown();
    await look();
    expect(loads.begun).toHaveLength(5);
    expect(statesOf("m")).toEqual([[1, "END", "workers died"]]);
  });
});

test("closing unloads everything and abandons what loads", async () => {
  await publish("m", 1);
  await publish("n", 1);
  await cp(path.join(base, "m"), path.join(base, "o"), { recursive: true });
  await models.apply([config("m"), config("n")]);
  await models.close();
  expect(loads.unloaded.sort()).toEqual(["m/1", "n/1"]);
});
