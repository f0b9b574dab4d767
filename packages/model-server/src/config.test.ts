import { resolveSettings, UsageError } from "@vitrine/runtime/settings";
import { describe, expect, test } from "vitest";
import { serveSettings } from "./config.js";
import { locateModel } from "./models/model-settings.js";

function locate(flags: Record<string, string>, env: Record<string, string> = {}) {
  return locateModel(resolveSettings(serveSettings, { flags, env }).config);
}

describe("the model's place", () => {
  test("is the flag's folder, named after it", () => {
    expect(locate({ modelBasePath: "/srv/models/birds/" })).toEqual({
      name: "birds",
      basePath: "/srv/models/birds",
    });
  });

  test("may be relative", () => {
    expect(locate({ modelBasePath: "." }).basePath).toBe(process.cwd());
  });

  test("is the name's folder under MODEL_BASE_PATH, as in TensorFlow Serving's image", () => {
    expect(locate({}, { MODEL_BASE_PATH: "/models", MODEL_NAME: "birds" })).toEqual({
      name: "birds",
      basePath: "/models/birds",
    });
    expect(locate({}, { MODEL_BASE_PATH: "/models" })).toEqual({ name: "model", basePath: "/models/model" });
  });

  test("by flag wins over the environment, whose name still counts", () => {
    const env = { MODEL_BASE_PATH: "/models", MODEL_NAME: "birds" };
    expect(locate({ modelBasePath: "/srv/x" }, env)).toEqual({ name: "birds", basePath: "/srv/x" });
  });

  test("is needed", () => {
    expect(() => locate({})).toThrow(UsageError);
  });
});

test("ports come from GRPC_PORT and REST_PORT, and may be automatic", () => {
  const { config } = resolveSettings(serveSettings, {
    flags: { restApiPort: "auto" },
    env: { GRPC_PORT: "9500", REST_PORT: "9501" },
  });
  expect([config.port, config.restApiPort]).toEqual([9500, "auto"]);
});
