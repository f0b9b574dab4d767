/** The ModelSpec of a gRPC request: which servable it means, and what the answer says of it. */
import type { ModelSpec } from "@vitrine/protocol/gen/tensorflow_serving/apis/model";
import { ServeError } from "@vitrine/protocol/status";
import type { ModelChoice, ModelRegistry } from "../models/model-registry.js";
import type { RequestDetails } from "../request-log.js";
import type { Servable } from "../servable.js";

/** @throws {ServeError} REQUEST_INVALID when there is none. */
export function requiredSpec(modelSpec: ModelSpec | undefined, details: RequestDetails): ModelSpec {
  if (modelSpec === undefined) throw new ServeError("REQUEST_INVALID", "Missing ModelSpec");
  details.model = modelSpec.name;
  return modelSpec;
}

export function findServable(registry: ModelRegistry, spec: ModelSpec, details: RequestDetails): Servable {
  const servable = registry.find(choiceOf(spec, registry));
  details.version = servable.version;
  return servable;
}

export function choiceOf({ name, versionChoice }: ModelSpec, registry: ModelRegistry): ModelChoice {
  switch (versionChoice?.$case) {
    case "version":
      return withoutVersionZero({ name, version: versionChoice.value.value }, registry);
    case "versionLabel":
      return { name, label: versionChoice.value };
    default:
      return { name };
  }
}

/**
 * Version 0 of a model that never had one means any, as in OpenVINO Model Server, whose client (ovmsclient) always
 * sends it; TensorFlow Serving would not find it.
 */
export function withoutVersionZero(choice: ModelChoice, registry: ModelRegistry): ModelChoice {
  const { name, version } = choice;
  return version === 0 && registry.stateOf(name, 0) === undefined ? { name } : choice;
}

/** Name, version and signature; never the label. */
export function specOf(name: string, { version }: Servable, signatureName: string): ModelSpec {
  return { name, versionChoice: { $case: "version", value: { value: version } }, signatureName };
}
