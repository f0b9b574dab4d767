/** Classify and Regress: a signature that takes tf.Examples, and its outputs as classes or values. */
import type { ModelContract } from "@vitrine/protocol/contract";
import { Example } from "@vitrine/protocol/gen/tensorflow/core/example/example";
import type { ClassificationResult } from "@vitrine/protocol/gen/tensorflow_serving/apis/classification";
import type { Input } from "@vitrine/protocol/gen/tensorflow_serving/apis/input";
import type { RegressionResult } from "@vitrine/protocol/gen/tensorflow_serving/apis/regression";
import { ServeError } from "@vitrine/protocol/status";
import { DataType, dtypeName, type Tensor } from "@vitrine/protocol/tensor";
import type { TensorMap } from "../engine/tensor-batch.js";
import type { RequestDetails } from "../request-log.js";
import type { Servable } from "../servable.js";
import type { Signature } from "../signature.js";

/** Aliases that such signatures have by convention. Source: tensorflow/core/... signature_constants. */
/** The one input of a signature for examples. */
export const INPUTS = "inputs";
const CLASSES = "classes";
const SCORES = "scores";
const OUTPUTS = "outputs";

export interface ExampleCall {
  readonly signatureName: string;
  readonly input: Input | undefined;
  readonly signal: AbortSignal;
  /** Gets to know the examples and the batch that answered. */
  readonly details: RequestDetails;
}

/** @throws {ServeError} REQUEST_INVALID in TensorFlow Serving's words; what the run throws. */
export async function classify(servable: Servable, call: ExampleCall): Promise<ClassificationResult> {
  const signature = signatureNamed(servable, call.signatureName);
  const { inputs, outputs } = signature;
  if (inputs.size !== 1) throw invalid("Expected one input Tensor.");
  if (outputs.size !== 1 && outputs.size !== 2) {
    throw invalid(`Expected one or two output Tensors, found ${outputs.size}`);
  }
  if (!inputs.has(INPUTS)) {
    throw invalid(`No classification inputs found in SignatureDef: ${signature.name}`);
  }
  const wanted = [CLASSES, SCORES].filter((alias) => outputs.has(alias));
  if (wanted.length === 0) {
    throw invalid(
      `Expected classification signature outputs to contain at least one of "classes" or "scores". Signature was: ${signature.name}`,
    );
  }
  const { rows, output } = await run(servable, call, wanted);
  return classificationsOf(output, rows, servable.contract);
}

/** @throws {ServeError} REQUEST_INVALID in TensorFlow Serving's words; what the run throws. */
export async function regress(servable: Servable, call: ExampleCall): Promise<RegressionResult> {
  const signature = signatureNamed(servable, call.signatureName);
  const { inputs, outputs } = signature;
  if (inputs.size !== 1) throw invalid("Expected one input Tensor.");
  if (outputs.size !== 1) throw invalid("Expected one output Tensor.");
  if (!inputs.has(INPUTS)) throw invalid(`No regression inputs found in SignatureDef: ${signature.name}`);
  if (!outputs.has(OUTPUTS)) throw invalid(`No regression outputs found in SignatureDef: ${signature.name}`);
  const { rows, output } = await run(servable, call, [OUTPUTS]);
  const values = output.get(OUTPUTS);
  if (values === undefined) throw new Error(`no output ${OUTPUTS}`);
  const { shape, dtype, data } = values;
  const fits = shape.length === 1 || (shape.length === 2 && shape[1] === 1);
  if (!fits) {
    throw invalid(
      `Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [${shape.join(",")}]`,
    );
  }
  if (shape[0] !== rows) throw invalid(`Expected output batch size to be ${rows}.  Got: ${shape[0]}`);
  if (!(data instanceof Float32Array)) {
    throw invalid(`Expected output Tensor of DT_FLOAT.  Got: ${dtypeName(dtype)}`);
  }
  return { regressions: Array.from(data, (value) => ({ value })) };
}

function signatureNamed({ signatures }: Servable, name: string): Signature {
  const signature = signatures.get(name);
  // Not Predict's code: TensorFlow Serving has another one here.
  if (signature === undefined) throw invalid(`No signature was found with the name: ${name}`);
  return signature;
}

async function run(
  servable: Servable,
  { signatureName, input, signal, details }: ExampleCall,
  outputFilter: readonly string[],
): Promise<{ readonly rows: number; readonly output: TensorMap }> {
  const examples = serialisedExamples(input);
  if (examples.length === 0) throw invalid("Input is empty.");
  details.examples = examples.length;
  const { output, ...batch } = await servable.predict({
    signatureName,
    inputs: new Map([[INPUTS, examples]]),
    read: (data): Tensor => ({ dtype: DataType.DT_STRING, shape: [data.length], data }),
    outputFilter,
    signal,
  });
  details.batch = batch;
  return { rows: examples.length, output };
}

/**
 * With a context, its bytes go before each example's: protobuf merges what is concatenated.
 *
 * @returns [] when there are none.
 */
export function serialisedExamples(input: Input | undefined): readonly Uint8Array[] {
  const kind = input?.kind;
  switch (kind?.$case) {
    case "exampleList":
      return kind.value.examples.map((example) => Example.encode(example).finish());
    case "exampleListWithContext": {
      const { context, examples } = kind.value;
      const prefix = context === undefined ? new Uint8Array(0) : Example.encode(context).finish();
      return examples.map((example) => Buffer.concat([prefix, Example.encode(example).finish()]));
    }
    default:
      return [];
  }
}

/**
 * Classes of each example, in the order of the outputs. Where the model gives scores alone, they get the labels of
 * its contract; TensorFlow Serving leaves them empty.
 */
function classificationsOf(
  output: TensorMap,
  rows: number,
  contract: ModelContract | undefined,
): ClassificationResult {
  const classes = output.get(CLASSES);
  const scores = output.get(SCORES);
  for (const [name, tensor] of [
    ["classes", classes],
    ["scores", scores],
  ] as const) {
    if (tensor === undefined) continue;
    const { shape, dtype } = tensor;
    if (shape.length !== 2) {
      throw invalid(`Expected Tensor shape: [batch_size num_classes] but got [${shape.join(",")}]`);
    }
    const expected = name === "classes" ? DataType.DT_STRING : DataType.DT_FLOAT;
    if (dtype !== expected) {
      throw invalid(`Expected ${name} Tensor of ${DTYPE_WORDS[expected]}. Got: ${dtypeName(dtype)}`);
    }
    if (shape[0] !== rows) throw invalid(`Expected ${name} output batch size of ${rows}. Got: ${shape[0]}`);
  }
  const count = classes?.shape[1] ?? scores?.shape[1] ?? 0;
  if (classes !== undefined && scores !== undefined && classes.shape[1] !== scores.shape[1]) {
    throw invalid(
      `Tensors class and score should match in second dimension. Got ${classes.shape[1]} vs. ${scores.shape[1]}`,
    );
  }
  const fromContract = contract?.labels.length === count ? contract.labels : undefined;
  const labelAt = (row: number, index: number) => {
    const bytes = classes?.data[row * count + index];
    if (bytes instanceof Uint8Array) return Buffer.from(bytes).toString("utf8");
    return fromContract?.[index] ?? "";
  };
  return {
    classifications: Array.from({ length: rows }, (_, row) => ({
      classes: Array.from({ length: count }, (__, index) => ({
        label: labelAt(row, index),
        score: Number(scores?.data[row * count + index] ?? 0),
      })),
    })),
  };
}

const DTYPE_WORDS = { [DataType.DT_STRING]: "DT_STRING", [DataType.DT_FLOAT]: "DT_FLOAT" } as const;

function invalid(message: string): ServeError {
  return new ServeError("REQUEST_INVALID", message);
}
