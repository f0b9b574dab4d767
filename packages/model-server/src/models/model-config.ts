/** Which models a server has, as one list: from flags, from a model_config_file, or from HandleReloadConfigRequest. */
import path from "node:path";
import type { ModelServerConfig } from "@vitrine/protocol/gen/tensorflow_serving/config/model_server_config";
import { ServeError } from "@vitrine/protocol/status";
import { modelServerConfigSchema } from "../server-config-files.js";
import { parseTextProto } from "../text-proto/text-proto-schema.js";

/** Which of the versions under a base path are served; always chosen by number. */
export type VersionPolicy =
  | { readonly kind: "latest"; readonly count: number }
  | { readonly kind: "all" }
  | { readonly kind: "specific"; readonly versions: readonly number[] };

export const LATEST_VERSION: VersionPolicy = { kind: "latest", count: 1 };

export interface ModelConfig {
  readonly name: string;
  /** Absolute. */
  readonly basePath: string;
  readonly platform: string;
  readonly policy: VersionPolicy;
  /** Version of each label, such as `stable`. */
  readonly labels: ReadonlyMap<string, number>;
}

/** What the server cannot do with a model that it serves all the same. */
export type ConfigWarning = (message: string) => void;

const PLATFORM = "tensorflow";
/** `tensorflow` means SavedModels there and whatever lies in the folder here; `onnx` says what it is. */
const PLATFORMS: ReadonlySet<string> = new Set([PLATFORM, "onnx"]);

/** A model as flags give it. */
export function singleModel(name: string, basePath: string): ModelConfig {
  return { name, basePath, platform: PLATFORM, policy: LATEST_VERSION, labels: new Map() };
}

/**
 * Reads the text of a model_config_file.
 *
 * @param source name of the file, for messages.
 * @throws {TextProtoError} with line and column when it is not such a file.
 * @throws {ServeError} MODEL_CONFIG_INVALID when its models cannot be served.
 */
export function modelsFromText(text: string, source: string, warn: ConfigWarning): ModelConfig[] {
  const { model_config_list, custom_model_config } = parseTextProto(modelServerConfigSchema, text, source);
  if (custom_model_config !== undefined) throw onlyLists();
  const models = (model_config_list?.config ?? []).map((config) => {
    const { latest, all, specific } = config.model_version_policy ?? {};
    const labels = [...config.version_labels].map(([label, version]) => [label, version ?? 0] as const);
    if (config.logging_config !== undefined || config.logging_configs.length > 0) {
      warn(`logging_config of model ${config.name ?? ""} is ignored: requests are not recorded`);
    }
    return checkedModel({
      name: config.name ?? "",
      basePath: config.base_path ?? "",
      type: config.model_type ?? "MODEL_TYPE_UNSPECIFIED",
      platform: config.model_platform ?? "",
      policy:
        specific !== undefined
          ? { kind: "specific", versions: specific.versions }
          : all !== undefined
            ? { kind: "all" }
            : latestOf(latest?.num_versions ?? 0),
      labels: new Map(labels),
    });
  });
  return withoutDuplicates(models);
}

/**
 * Reads the message that HandleReloadConfigRequest carries.
 *
 * @throws {ServeError} MODEL_CONFIG_INVALID when its models cannot be served.
 */
export function modelsFromMessage({ config }: ModelServerConfig): ModelConfig[] {
  if (config?.$case !== "modelConfigList") throw onlyLists();
  const models = config.value.config.map((model) => {
    const choice = model.modelVersionPolicy?.policyChoice;
    return checkedModel({
      name: model.name,
      basePath: model.basePath,
      type: MODEL_TYPE_NAMES[model.modelType] ?? "OTHER",
      platform: model.modelPlatform,
      policy:
        choice?.$case === "specific"
          ? { kind: "specific", versions: choice.value.versions.map(Number) }
          : choice?.$case === "all"
            ? { kind: "all" }
            : latestOf(choice?.value.numVersions ?? 0),
      labels: new Map([...model.versionLabels].map(([label, version]) => [label, Number(version)])),
    });
  });
  return withoutDuplicates(models);
}

const MODEL_TYPE_NAMES: Readonly<Record<number, RawModel["type"]>> = {
  0: "MODEL_TYPE_UNSPECIFIED",
  1: "TENSORFLOW",
};

interface RawModel extends ModelConfig {
  readonly type: "MODEL_TYPE_UNSPECIFIED" | "TENSORFLOW" | "OTHER";
}

/** 0 counts as 1, as there. */
function latestOf(count: number): VersionPolicy {
  return { kind: "latest", count: Math.max(1, count) };
}

/** The rules and their status are those of TensorFlow Serving's server core. */
function checkedModel({ type, ...model }: RawModel): ModelConfig {
  const { name, basePath, policy } = model;
  if (name === "") throw invalid("a model had no name, expected one for requests to ask for");
  if (type !== "MODEL_TYPE_UNSPECIFIED" && model.platform !== "") {
    throw invalid(`model ${name} had both model_type and model_platform, expected model_platform alone`);
  }
  if (type === "OTHER") throw invalid(`model ${name} had model_type OTHER, expected TENSORFLOW`);
  const platform = type === "TENSORFLOW" ? PLATFORM : model.platform;
  if (!PLATFORMS.has(platform)) {
    const was = platform === "" ? "no model_platform" : `model_platform "${platform}"`;
    throw invalid(`model ${name} had ${was}, expected "${[...PLATFORMS].join('" or "')}"`);
  }
  if (/^[a-z0-9+.-]+:\/\//i.test(basePath)) {
    throw invalid(`model ${name} had base_path ${basePath}, expected a folder: mount the storage as one`);
  }
  if (!path.isAbsolute(basePath)) {
    throw invalid(`model ${name} had base_path "${basePath}", expected an absolute path`);
  }
  if (policy.kind === "specific" && policy.versions.length === 0) {
    throw invalid(`model ${name} asked for specific versions and named none, expected at least one`);
  }
  return { ...model, platform };
}

function withoutDuplicates(models: readonly ModelConfig[]): ModelConfig[] {
  const names = new Set<string>();
  for (const { name } of models) {
    if (names.has(name)) throw invalid(`model ${name} was listed twice, expected each name once`);
    names.add(name);
  }
  return [...models];
}

function onlyLists(): ServeError {
  return invalid("the configuration held no model_config_list, expected one: no other kind is supported");
}

function invalid(message: string): ServeError {
  return new ServeError("MODEL_CONFIG_INVALID", message);
}
