import { readFileSync } from "node:fs";
import { ModelServerConfig } from "@vitrine/protocol/gen/tensorflow_serving/config/model_server_config";
import { RELOAD_CONFIG } from "@vitrine/protocol/services";
import { describe, expect, test } from "vitest";
import { type ModelConfig, modelsFromMessage, modelsFromText } from "./model-config.js";

const list = (text: string) => `model_config_list { ${text} }`;
const MODEL = 'name: "m" base_path: "/m" model_platform: "tensorflow"';

const read = (text: string, warnings: string[] = []): ModelConfig[] =>
  modelsFromText(text, "models.config", (message) => warnings.push(message));

describe("a model_config_file", () => {
  test("gives names, folders, policies and labels", () => {
    const text = list(`
      config { ${MODEL} model_version_policy { specific { versions: [3, 4] } } version_labels { key: "stable" value: 3 } }
      config { name: "a" base_path: "/a" model_type: TENSORFLOW model_version_policy { all {} } }
      config { name: "n" base_path: "/n" model_platform: "onnx" model_version_policy { latest { num_versions: 2 } } }
      config { name: "z" base_path: "/z" model_platform: "tensorflow" model_version_policy { latest {} } }`);
    expect(read(text)).toEqual([
      {
        name: "m",
        basePath: "/m",
        platform: "tensorflow",
        policy: { kind: "specific", versions: [3, 4] },
        labels: new Map([["stable", 3]]),
      },
      { name: "a", basePath: "/a", platform: "tensorflow", policy: { kind: "all" }, labels: new Map() },
      {
        name: "n",
        basePath: "/n",
        platform: "onnx",
        policy: { kind: "latest", count: 2 },
        labels: new Map(),
      },
      {
        name: "z",
        basePath: "/z",
        platform: "tensorflow",
        policy: { kind: "latest", count: 1 },
        labels: new Map(),
      },
    ]);
  });

  test("may be empty: a server that waits for a reload", () => {
    expect(read("")).toEqual([]);
    expect(read(list(""))).toEqual([]);
  });

  test("may ask for a log of requests, which is warned of", () => {
    const warnings: string[] = [];
    read(list(`config { ${MODEL} logging_config { sampling_config { sampling_rate: 1 } } }`), warnings);
    expect(warnings).toEqual(["logging_config of model m is ignored: requests are not recorded"]);
  });

  test.each<[string, string]>([
    [
      "config { name: 'm' base_path: '/m' }",
      'model m had no model_platform, expected "tensorflow" or "onnx"',
    ],
    ["config { name: 'm' base_path: '/m' model_platform: 'torch' }", 'had model_platform "torch"'],
    [`config { ${MODEL} model_type: TENSORFLOW }`, "had both model_type and model_platform"],
    ["config { name: 'm' base_path: '/m' model_type: OTHER }", "had model_type OTHER"],
    ["config { base_path: '/m' model_platform: 'tensorflow' }", "a model had no name"],
    [
      "config { name: 'm' base_path: 'm' model_platform: 'tensorflow' }",
      'had base_path "m", expected an absolute',
    ],
    [
      "config { name: 'm' base_path: 's3://b/m' model_platform: 'tensorflow' }",
      "had base_path s3://b/m, expected a folder",
    ],
    [`config { ${MODEL} } config { ${MODEL} }`, "model m was listed twice"],
    [
      `config { ${MODEL} model_version_policy { specific {} } }`,
      "asked for specific versions and named none",
    ],
  ])("%s is refused", (text, message) => {
    expect(() => read(list(text))).toThrow(message);
  });

  test("of another kind is refused", () => {
    expect(() => read("custom_model_config {}")).toThrow("held no model_config_list");
  });
});

describe("HandleReloadConfigRequest", () => {
  const message = (config: ModelServerConfig["config"]) =>
    ModelServerConfig.decode(ModelServerConfig.encode({ config }).finish());
  const model = {
    name: "m",
    basePath: "/m",
    modelType: 0 as const,
    modelPlatform: "tensorflow",
    modelVersionPolicy: undefined,
    versionLabels: new Map([["stable", 3n]]),
  };

  test("gives the same models as the file does", () => {
    const specific = { $case: "specific" as const, value: { versions: [3n, 4n] } };
    const config = message({
      $case: "modelConfigList",
      value: { config: [{ ...model, modelVersionPolicy: { policyChoice: specific } }] },
    });
    expect(modelsFromMessage(config)).toEqual(
      read(
        list(
          `config { ${MODEL} model_version_policy { specific { versions: [3, 4] } } version_labels { key: "stable" value: 3 } }`,
        ),
      ),
    );
    expect(modelsFromMessage(message({ $case: "modelConfigList", value: { config: [] } }))).toEqual([]);
  });

  // Written by the Python client from the text beside it; see golden/generate_reload.py.
  test.each(["two-models", "no-models"])("of the Python client reads as its text does: %s", (name) => {
    const file = (ending: string) =>
      readFileSync(new URL(`../../golden/reload/${name}.${ending}`, import.meta.url));
    const { config } = RELOAD_CONFIG.decodeRequest(file("binpb"));
    expect(modelsFromMessage(config ?? { config: undefined })).toEqual(read(file("config").toString()));
  });

  test("is refused for the same reasons", () => {
    expect(() => modelsFromMessage(message(undefined))).toThrow("held no model_config_list");
    const relative = { ...model, basePath: "m" };
    expect(() =>
      modelsFromMessage(message({ $case: "modelConfigList", value: { config: [relative] } })),
    ).toThrow('base_path "m", expected an absolute path');
  });
});
