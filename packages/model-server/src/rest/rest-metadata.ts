/** Status and metadata as TensorFlow Serving's REST API prints them: snake case, 64-bit integers as strings. */
import { DataType } from "@vitrine/protocol/tensor";
import type { VersionStatus } from "../models/model-registry.js";
import type { Servable } from "../servable.js";
import type { TensorSpec } from "../signature.js";

export function statusBody(statuses: readonly VersionStatus[]): unknown {
  return {
    model_version_status: statuses.map(({ version, state, error }) => ({
      version: String(version),
      state,
      status: { error_code: error?.code ?? "OK", error_message: error?.message ?? "" },
    })),
  };
}

export function metadataBody(name: string, { version, signatures }: Servable): unknown {
  const signatureDefs = [...signatures].map(([key, { inputs, outputs, methodName }]) => [
    key,
    { inputs: tensorInfos(inputs), outputs: tensorInfos(outputs), method_name: methodName, defaults: {} },
  ]);
  return {
    model_spec: { name, signature_name: "", version: String(version) },
    // Nested twice: the member of the metadata map, and the field of SignatureDefMap.
    metadata: { signature_def: { signature_def: Object.fromEntries(signatureDefs) } },
  };
}

const DTYPE_NAMES = new Map<DataType, string>(Object.entries(DataType).map(([name, dtype]) => [dtype, name]));

function tensorInfos(specs: ReadonlyMap<string, TensorSpec>): Record<string, unknown> {
  return Object.fromEntries(
    [...specs].map(([alias, { dtype, shape, tensorName, unknownRank }]) => [
      alias,
      {
        dtype: DTYPE_NAMES.get(dtype),
        tensor_shape: {
          dim: shape.map((size) => ({ size: String(size), name: "" })),
          unknown_rank: unknownRank,
        },
        name: tensorName,
      },
    ]),
  );
}
