/** Recorded requests as runs that each new session does before it takes others. */
import type { Input } from "@vitrine/protocol/gen/tensorflow_serving/apis/input";
import type { PredictionLog } from "@vitrine/protocol/gen/tensorflow_serving/apis/prediction_log";
import { ServeError } from "@vitrine/protocol/status";
import { DataType, type Tensor, tensorFromProto } from "@vitrine/protocol/tensor";
import type { PredictInput } from "../engine/predict-batcher.js";
import type { WarmUpRun } from "../engine/session-pool.js";
import type { SessionJob } from "../engine/session-thread.js";
import { joinRequests } from "../engine/tensor-batch.js";
import type { SessionMetadata } from "../engine/worker-messages.js";
import { INPUTS, serialisedExamples } from "../grpc/classify.js";
import { checkedInput } from "../servable.js";
import { DEFAULT_SIGNATURE, type Signature, type Signatures } from "../signature.js";
import { zeroTensor } from "./warm-up.js";

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
    const { signature, tensors, fetches } = recordedInput(log, signatures);
    const wanted = [...signature.outputs.values()].filter(({ alias }) => fetches.includes(alias));
    return {
      feeds: (allocate) => ({
        ...unusedInputs(signature, graph),
        ...joinRequests(signature.inputs, [tensors], 0, allocate),
      }),
      fetches: [...new Set(wanted.map(({ graphName }) => graphName))],
    };
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

function recordedInput({ logType }: PredictionLog, signatures: Signatures): PredictInput {
  switch (logType?.$case) {
    case "predictLog": {
      const request = required(logType.value.request);
      return checkedInput(signatures, {
        signatureName: request.modelSpec?.signatureName || DEFAULT_SIGNATURE,
        inputs: request.inputs,
        read: (proto, alias) => tensorFromProto(proto, alias, { maxBytes: MAX_TENSOR_BYTES }),
        outputFilter: request.outputFilter,
      });
    }
    case "classifyLog":
    case "regressLog": {
      const { modelSpec, input } = required(logType.value.request);
      return exampleInput(modelSpec?.signatureName, input, signatures);
    }
    case "multiInferenceLog": {
      const { tasks, input } = required(logType.value.request);
      return exampleInput(tasks[0]?.modelSpec?.signatureName, input, signatures);
    }
    default:
      throw new ServeError(
        "MODEL_UNSUPPORTED",
        `a warm-up record was a ${logType?.$case ?? "PredictionLog without a log"}, expected a request that is served here`,
      );
  }
}

function exampleInput(
  signatureName: string | undefined,
  input: Input | undefined,
  signatures: Signatures,
): PredictInput {
  const examples = serialisedExamples(input);
  if (examples.length === 0) throw new ServeError("REQUEST_INVALID", "Input is empty.");
  return checkedInput(signatures, {
    signatureName: signatureName || DEFAULT_SIGNATURE,
    inputs: new Map([[INPUTS, examples]]),
    read: (data): Tensor => ({ dtype: DataType.DT_STRING, shape: [data.length], data }),
    outputFilter: [],
  });
}

function required<T>(request: T | undefined): T {
  if (request === undefined) throw new ServeError("MODEL_INVALID", "a warm-up record had no request");
  return request;
}

function unusedInputs({ inputs }: Signature, graph: SessionMetadata) {
  const used = new Set([...inputs.values()].map(({ graphName }) => graphName));
  const unused = graph.inputs.filter(({ name }) => !used.has(name));
  return Object.fromEntries(unused.map((input) => [input.name, zeroTensor(input, 1)]));
}
