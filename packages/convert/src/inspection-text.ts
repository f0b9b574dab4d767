/** An inspection as text for a person and as JSON for a program. */
import path from "node:path";
import type { ModelContract } from "@vitrine/protocol/contract";
import type { Inspection } from "./inspect.js";
import type { ModelFacts, TensorFact } from "./model-facts.js";
import { FORMAT_NAMES } from "./model-source.js";

/** Words for what `--preprocess FAMILY` computes. */
const ARITHMETIC: Readonly<Record<string, string>> = {
  xception: "x / 127.5 - 1",
  inception_v3: "x / 127.5 - 1",
  inception_resnet_v2: "x / 127.5 - 1",
  mobilenet: "x / 127.5 - 1",
  mobilenet_v2: "x / 127.5 - 1",
  nasnet: "x / 127.5 - 1",
  resnet_v2: "x / 127.5 - 1",
  densenet: "ImageNet's mean and deviation",
  resnet: "BGR less ImageNet's mean",
  vgg16: "BGR less ImageNet's mean",
  vgg19: "BGR less ImageNet's mean",
  convnext: "none: the model does it",
  efficientnet: "none: the model does it",
  efficientnet_v2: "none: the model does it",
  mobilenet_v3: "none: the model does it",
};

export function inspectionText(inspection: Inspection): string {
  const { source, facts, signatures, contract, unsupported } = inspection;
  const rows: [string, string][] = [
    [FORMAT_NAMES[source.format], `${path.basename(path.resolve(source.path))}, ${bytesText(source.bytes)}`],
    ...(signatures.length > 1 ? [["signatures", signatures.join(", ")] as [string, string]] : []),
    ...facts.inputs.map((tensor): [string, string] => ["input", inputText(tensor)]),
    ...facts.outputs.map((tensor): [string, string] => ["output", outputText(tensor, facts)]),
    ...(facts.parameters === undefined
      ? []
      : [["parameters", facts.parameters.toLocaleString("en")] as [string, string]]),
    ["operators", operatorsText(facts.operators)],
    ["contract", contractText(contract)],
  ];
  const suggestion = suggestionOf(inspection);
  if (suggestion !== undefined) rows.push(["suggestion", suggestion.text]);
  if (unsupported !== undefined) rows.push(["cannot run", unsupported]);
  const [head, ...rest] = rows;
  const width = Math.max(...rest.map(([label]) => label.length));
  const lines = rest.map(([label, value]) => `  ${label.padEnd(width)}  ${value}\n`);
  return `${head?.[0]}: ${head?.[1]}\n${lines.join("")}`;
}

function inputText({ name, type, shape, layout }: TensorFact): string {
  const picture = layout === undefined ? "" : `  pictures, ${layout}`;
  return `${name}  ${type ?? "of an unknown type"} ${shapeText(shape)}${picture}`;
}

function outputText({ name, type, shape }: TensorFact, facts: ModelFacts): string {
  const scores = name === facts.scores ? `  ${facts.classes} classes, ${facts.scoreKind}` : "";
  return `${name}  ${type ?? "of an unknown type"} ${shapeText(shape)}${scores}`;
}

function shapeText(shape: readonly number[] | undefined): string {
  return shape === undefined ? "of any rank" : `[${shape.join(", ")}]`;
}

function operatorsText(operators: ReadonlyMap<string, number>): string {
  return [...operators].map(([op, count]) => `${count} ${op}`).join(", ") || "none";
}

function contractText(contract: ModelContract | undefined): string {
  if (contract === undefined) return "none beside the model";
  const shown = contract.labels.slice(0, 12).join(", ");
  const more = contract.labels.length > 12 ? ", …" : "";
  return `${contract.labels.length} labels (${shown}${more}), ${contract.scoreKind}, ${contract.digest.slice(0, 19)}`;
}

export function bytesText(bytes: number): string {
  if (bytes < 1e3) return `${bytes} bytes`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

interface Suggestion {
  readonly text: string;
  readonly family: string | undefined;
  readonly flags: readonly string[];
}

/** Flags that would give a model without a contract one; the family is a guess by the names of its layers. */
function suggestionOf({ contract, facts }: Inspection): Suggestion | undefined {
  const { family, pictureSize, classes, scoreKind, inputs } = facts;
  if (contract !== undefined || classes === undefined) return undefined;
  const isPixels = inputs.some(({ type, layout }) => type === "uint8" && layout !== undefined);
  if (!inputs.some(({ layout }) => layout !== undefined)) return undefined;
  const guess = isPixels ? "none" : (family ?? "FAMILY");
  const size =
    pictureSize === undefined
      ? "PIXELS"
      : pictureSize.width === pictureSize.height
        ? String(pictureSize.width)
        : `${pictureSize.width}x${pictureSize.height}`;
  const flags = [
    "--preprocess",
    guess,
    "--size",
    size,
    "--labels",
    `A,B,… (${classes})`,
    "--score-kind",
    scoreKind ?? "logits",
  ];
  const why = isPixels
    ? "the input is pixels"
    : family === undefined
      ? "the layers' names are of no family that is known"
      : `a guess by the layers' names: ${ARITHMETIC[family] ?? family}`;
  return { text: `${flags.join(" ")}  (${why})`, family: isPixels ? "none" : family, flags };
}

/** What `--json` prints; shapes have -1 for what is known at run time only, null for any rank. */
export function inspectionJson(inspection: Inspection): string {
  const { source, facts, signatures, contract, unsupported } = inspection;
  const tensor = ({ name, type, shape, layout }: TensorFact) => ({
    name,
    dtype: type ?? null,
    shape: shape ?? null,
    ...(layout === undefined ? {} : { layout }),
  });
  const suggestion = suggestionOf(inspection);
  const json = {
    format: source.format,
    path: source.path,
    bytes: source.bytes,
    signatures,
    inputs: facts.inputs.map(tensor),
    outputs: facts.outputs.map(tensor),
    scores: facts.scores ?? null,
    classes: facts.classes ?? null,
    score_kind: facts.scoreKind ?? null,
    parameters: facts.parameters ?? null,
    operators: Object.fromEntries(facts.operators),
    contract:
      contract === undefined
        ? null
        : { digest: contract.digest, labels: contract.labels, score_kind: contract.scoreKind },
    suggested_contract:
      suggestion === undefined
        ? null
        : {
            preprocess: suggestion.family ?? null,
            size: facts.pictureSize ?? null,
            score_kind: facts.scoreKind ?? null,
            is_guess: true,
          },
    unsupported: unsupported ?? null,
  };
  return `${JSON.stringify(json, undefined, 2)}\n`;
}
