/** Recorded requests as runs that each new session does before it takes others. */
import type { PredictRequest } from "@vitrine/protocol/gen/tensorflow_serving/apis/predict";
import type { PredictionLog } from "@vitrine/protocol/gen/tensorflow_serving/apis/prediction_log";
import { ServeError } from "@vitrine/protocol/status";
import { type Tensor, tensorFromProto } from "@vitrine/protocol/tensor";
import type { WarmUpRun } from "./session-pool.js";
import type { SessionJob } from "./session-thread.js";
import {
  checkInputNames,
  checkTensors,
  DEFAULT_SIGNATURE,
  type Signature,
  type Signatures,
  selectOutputs,
} from "./signature.js";
import { joinRequests } from "./tensor-batch.js";
import { zeroTensor } from "./warm-up.js";
import type { SessionMetadata } from "./worker-messages.js";

/** Largest tensor of a recorded request. */
const MAX_TENSOR_BYTES = 1024 * 1024 * 1024;

/**
 * One run for each recorded request and iteration. As in TensorFlow Serving, one that cannot run fails the load, and
 * which model and version a request names does not matter.
 */
export function recordedRuns(
  logs: readonly PredictionLog[],
  signatures: Signatures,
  graph: SessionMetadata,
  iterations: number,
): WarmUpRun[] {
  const jobs = logs.map((log) => recordedJob(log, signatures, graph));
  return Array.from({ length: iterations }, () => jobs)
    .flat()
    .map((job) => ({ job, required: true }));
}

function recordedJob(log: PredictionLog, signatures: Signatures, graph: SessionMetadata): SessionJob {
  try {
    if (log.logType?.$case !== "predictLog") {
      throw new ServeError(
        "MODEL_UNSUPPORTED",
        `a warm-up record was a ${log.logType?.$case ?? "PredictionLog without a log"}, expected a predictLog`,
      );
    }
    const { request } = log.logType.value;
    if (request === undefined) throw new ServeError("MODEL_INVALID", "a warm-up record had no request");
    return predictJob(request, signatures, graph);
  } catch (error) {
    // The pool asks for the feeds at the time of the run, and fails the load by what they throw.
    return {
      fetches: [],
      feeds: () => {
        throw error;
      },
    };
  }
}

function predictJob(
  { modelSpec, inputs, outputFilter }: PredictRequest,
  signatures: Signatures,
  graph: SessionMetadata,
): SessionJob {
  const name = modelSpec?.signatureName || DEFAULT_SIGNATURE;
  const signature = signatures.get(name);
  if (signature === undefined) {
    throw new ServeError("SIGNATURE_NOT_FOUND", `Serving signature key "${name}" not found.`);
  }
  checkInputNames(signature, inputs);
  const tensors = new Map<string, Tensor>();
  for (const [alias, proto] of inputs) {
    tensors.set(alias, tensorFromProto(proto, alias, { maxBytes: MAX_TENSOR_BYTES }));
  }
  const wanted = new Set(selectOutputs(signature, outputFilter));
  checkTensors(signature, tensors);
  const outputs = [...signature.outputs.values()].filter(({ alias }) => wanted.has(alias));
  return {
    feeds: (allocate) => ({
      ...unusedInputs(signature, graph),
      ...joinRequests(signature.inputs, [tensors], 0, allocate),
    }),
    fetches: [...new Set(outputs.map(({ graphName }) => graphName))],
  };
}

function unusedInputs({ inputs }: Signature, graph: SessionMetadata) {
  const used = new Set([...inputs.values()].map(({ graphName }) => graphName));
  const unused = graph.inputs.filter(({ name }) => !used.has(name));
  return Object.fromEntries(unused.map((input) => [input.name, zeroTensor(input, 1)]));
}
