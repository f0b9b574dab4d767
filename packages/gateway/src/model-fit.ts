/** A model and the contract it is worked by, proven to fit each other. */
import type { ModelContract } from "@vitrine/protocol/contract";
import { ServeError } from "@vitrine/protocol/status";
import { DataType, dtypeName } from "@vitrine/protocol/tensor";
import { type ContractFlags, contractWithFlags, inWordsOfFlags } from "./contract-from-flags.js";
import type { ModelDescription, TensorSpec } from "./prediction-client.js";
import { type PreprocessPlan, planPreprocessing } from "./preprocess-plan.js";

/** Everything that a request needs to know about the model. */
export interface FittedModel {
  readonly description: ModelDescription;
  readonly contract: ModelContract;
  readonly plan: PreprocessPlan;
  readonly input: TensorSpec;
  /** undefined: the signature leaves it open. */
  readonly inputSize: { readonly width: number; readonly height: number } | undefined;
  readonly scoresOutput: string;
  /** undefined: the model does not say where its evidence lies. */
  readonly activationMapOutput: string | undefined;
}

/** What the gateway was told about the contract: a folder's, and single flags over it. */
export interface ContractSource {
  /** Of `--contract`; it takes the place of what the server says. */
  readonly folderContract: ModelContract | undefined;
  readonly flags: ContractFlags;
}

/**
 * Checks the contract against the signature.
 *
 * @throws {ServeError} MODEL_CONTRACT_MISMATCH that names both sides of the first disagreement.
 */
export function fitModel(description: ModelDescription, source: ContractSource): FittedModel {
  const input = soleInput(description);
  const inputSize = fixedSize(input.shape ?? []);
  const brought = source.folderContract ?? description.contract;
  const isNchw = isChannelsFirst(input.shape ?? []);
  const contract = contractWithFlags(brought, source.flags, { size: inputSize, isNchw });
  const plan = inWordsOfFlags(source.flags, () => planPreprocessing(contract.preprocessor, input));
  const scores = scoresOutputOf(description, contract);
  const labels = contract.labels.length;
  const width = scores.shape?.at(-1);
  if (width !== undefined && width !== -1 && width !== labels) {
    throw mismatch(`contract had ${labels} labels`, `${width}, the width of output "${scores.alias}"`);
  }
  if (scores.dtype !== DataType.DT_FLOAT && scores.dtype !== DataType.DT_DOUBLE) {
    throw mismatch(`output "${scores.alias}" was ${dtypeName(scores.dtype)}`, "float or double");
  }
  return {
    description,
    contract,
    plan,
    input,
    inputSize,
    scoresOutput: scores.alias,
    activationMapOutput: activationMapOutputOf(description, contract),
  };
}

/** True when a picture prepared for `a` may be answered by `b`, and the answer read by the same rules. */
export function isSameWork(a: FittedModel, b: FittedModel): boolean {
  return (
    a.contract.digest === b.contract.digest &&
    a.input.alias === b.input.alias &&
    a.input.dtype === b.input.dtype &&
    JSON.stringify(a.input.shape) === JSON.stringify(b.input.shape) &&
    a.scoresOutput === b.scoresOutput &&
    a.activationMapOutput === b.activationMapOutput
  );
}

function soleInput({ inputs, signatureName }: ModelDescription): TensorSpec {
  const [input] = inputs;
  if (input === undefined || inputs.length !== 1) {
    throw mismatch(`signature "${signatureName}" had ${inputs.length} inputs`, "one that takes a picture");
  }
  return input;
}

/** An NCHW input shows its 3 channels first. */
function isChannelsFirst(shape: readonly number[]): boolean {
  return shape.length === 4 && shape[1] === 3 && shape[3] !== 3;
}

/** Height and width of the input. */
function fixedSize(shape: readonly number[]): { width: number; height: number } | undefined {
  const [height = -1, width = -1] = isChannelsFirst(shape) ? shape.slice(2) : shape.slice(1, 3);
  return shape.length === 4 && height > 0 && width > 0 ? { width, height } : undefined;
}

/** The output that the contract names; else the only one; else the only one as wide as there are labels. */
function scoresOutputOf({ outputs }: ModelDescription, contract: ModelContract): TensorSpec {
  const aliases = outputs.map((output) => output.alias).join(", ");
  if (contract.scoresOutput !== undefined) {
    const named = outputs.find((output) => output.alias === contract.scoresOutput);
    if (named === undefined)
      throw mismatch(`scores_output was "${contract.scoresOutput}"`, `one of ${aliases}`);
    return named;
  }
  const candidates =
    outputs.length === 1
      ? outputs
      : outputs.filter(({ shape }) => shape?.length === 2 && shape[1] === contract.labels.length);
  const [scores] = candidates;
  if (scores === undefined || candidates.length !== 1) {
    throw mismatch("contract named no scores_output", `the one of ${aliases} that holds the scores`);
  }
  return scores;
}

/** A model exported without the maps that its contract names still classifies: it only cannot explain. */
function activationMapOutputOf({ outputs }: ModelDescription, contract: ModelContract): string | undefined {
  const output = outputs.find(({ alias }) => alias === contract.activationMapOutput);
  if (output === undefined) return undefined;
  const maps = output.shape?.[1];
  if (output.dtype !== DataType.DT_FLOAT || (maps !== -1 && maps !== contract.labels.length)) {
    throw mismatch(
      `activation_map_output "${output.alias}" was ${dtypeName(output.dtype)} [${output.shape?.join(", ")}]`,
      `float [N, ${contract.labels.length}, h, w]`,
    );
  }
  return output.alias;
}

function mismatch(was: string, expected: string): ServeError {
  return new ServeError("MODEL_CONTRACT_MISMATCH", `${was}, expected ${expected}`);
}
