import { resolveSettings } from "@vitrine/runtime/settings";
import { describe, expect, it } from "vitest";
import { gatewaySettings, parseEndpoint } from "./config.js";

const configOf = (flags: Record<string, unknown>, env: Record<string, string> = {}) =>
  resolveSettings(gatewaySettings, { flags, env }).config;

describe("TF_SERVING_HOST", () => {
  it.each([
    ["localhost:8500", "localhost", 8500],
    ["tf-serving", "tf-serving", 8500],
    ["tf-serving.default.svc.cluster.local.:9000", "tf-serving.default.svc.cluster.local.", 9000],
    ["10.0.0.7:8500", "10.0.0.7", 8500],
    ["[::1]", "::1", 8500],
    ["[fd00::7]:9000", "fd00::7", 9000],
  ])("%s", (text, host, port) => {
    expect(parseEndpoint(text)).toEqual({ host, port });
    expect(configOf({}, { TF_SERVING_HOST: text }).tfServingHost).toEqual([{ host, port }]);
  });

  it.each(["", "http://a:8500", "a:b", "a:0", "a:70000", "::1", "a b"])("%j is refused in words", (text) => {
    expect(parseEndpoint(text)).toBeUndefined();
    if (text !== "") {
      expect(() => configOf({ tfServingHost: text })).toThrow(/HOST, HOST:PORT or \[IPV6\]:PORT/);
    }
  });
});

it("the defaults are those of the interface", () => {
  expect(configOf({})).toMatchObject({
    host: "0.0.0.0",
    port: 9696,
    tfServingHost: [{ host: "localhost", port: 8500 }],
    modelName: "clothing-model",
    signatureName: "serving_default",
    allowImageHost: [],
    timeoutMs: 20_000,
    responseFormat: "predictions",
    logLevel: "info",
  });
});

it("the environment's names are those of the interface", () => {
  const config = configOf(
    {},
    { PORT: "1", MODEL_NAME: "m", SIGNATURE_NAME: "s", ALLOW_IMAGE_HOSTS: "a,b:9000", LOG_LEVEL: "warn" },
  );
  expect(config).toMatchObject({
    port: 1,
    modelName: "m",
    signatureName: "s",
    allowImageHost: [
      { host: "a", port: undefined },
      { host: "b", port: 9000 },
    ],
    logLevel: "warn",
  });
});

it("the flags of a model without a contract are read as the interface writes them", () => {
  const flags = {
    preprocess: "xception",
    size: "299",
    resample: "nearest",
    labels: ["a,b", "c"],
    scoreKind: "logits",
  };
  expect(configOf(flags)).toMatchObject({
    preprocess: "xception",
    size: { width: 299, height: 299 },
    resample: "nearest",
    labels: ["a", "b", "c"],
    scoreKind: "logits",
  });
  expect(configOf({ size: "320x240" }).size).toEqual({ width: 320, height: 240 });
});

it("all that is wrong is told at once", () => {
  const wrong = {
    size: "big",
    preprocess: "lenet",
    resample: "cubic",
    allowImageHost: ["http://a"],
    timeoutMs: "0",
  };
  expect(() => configOf(wrong)).toThrow(
    /--preprocess[\s\S]*--size[\s\S]*WIDTHxHEIGHT[\s\S]*--resample[\s\S]*--allow-image-host[\s\S]*HOST:PORT[\s\S]*--timeout-ms/,
  );
});
