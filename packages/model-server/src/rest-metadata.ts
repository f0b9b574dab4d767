/** Status and metadata as TensorFlow Serving's REST API prints them: snake case, 64-bit integers as strings. */
import { DataType } from "@vitrine/protocol/tensor";
import type { VersionStatus } from "./model-registry.js";
import type { Servable } from "./servable.js";
import { DEFAULT_SIGNATURE, PREDICT_METHOD_NAME, type TensorSpec } from "./signature.js";

export function statusBody(statuses: readonly VersionStatus[]): unknown {
  return {
    model_version_status: statuses.map(({ version, state, error }) => ({
      version: String(version),
      state,
      status: { error_code: error?.code ?? "OK", error_message: error?.message ?? "" },
    })),
  };
}

export function metadataBody(name: string, { version, signature }: Servable): unknown {
  const signatureDef = {
    inputs: tensorInfos(signature.inputs),
    outputs: tensorInfos(signature.outputs),
    method_name: PREDICT_METHOD_NAME,
    defaults: {},
  };
  return {
    model_spec: { name, signature_name: "", version: String(version) },
    // Nested twice: the member of the metadata map, and the field of SignatureDefMap.
    metadata: { signature_def: { signature_def: { [DEFAULT_SIGNATURE]: signatureDef } } },
  };
}

const DTYPE_NAMES = new Map<DataType, string>(Object.entries(DataType).map(([name, dtype]) => [dtype, name]));

function tensorInfos(specs: ReadonlyMap<string, TensorSpec>): Record<string, unknown> {
  return Object.fromEntries(
    [...specs].map(([alias, { dtype, shape }]) => [
      alias,
      {
        dtype: DTYPE_NAMES.get(dtype),
        tensor_shape: { dim: shape.map((size) => ({ size: String(size), name: "" })), unknown_rank: false },
        name: `${alias}:0`,
      },
    ]),
  );
}
