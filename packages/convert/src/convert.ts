/** The story of `vitrine convert`: read, check, write under another name, read back and run, rename. */
import { mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import { contractFromFiles, type ModelContract, readContract } from "@vitrine/protocol/contract";
import { ServeError } from "@vitrine/protocol/status";
import type { Tensor } from "@vitrine/protocol/tensor";
import { collectGarbage } from "./collect-garbage.js";
import type { Layout } from "./graph/attributes.js";
import type { Graph } from "./graph/graph.js";
import { pixelsPreprocessor, takePixels } from "./graph/input-pixels.js";
import { changeInputLayout } from "./graph/layout.js";
import { factsOf, type ModelFacts } from "./model-facts.js";
import { digestOfSource, findSource, type ModelSource, readSource } from "./model-source.js";
import { converterVersion } from "./provenance.js";
import { type Difference, TOLERANCE, verifyFiles, verifyRecorded, writeTrial } from "./verify.js";
import { placeModel, planTarget, type Target } from "./version-folder.js";
import { modelFile, type PreparedModel, prepareModel, writeContract } from "./write-model.js";

export interface ConvertRequest {
  readonly source: string;
  readonly destination: string;
  readonly to: "savedmodel" | "onnx" | undefined;
  /** uint8: pixels go in, and the contract's arithmetic becomes part of the graph. */
  readonly inputDtype: "uint8" | undefined;
  /** Order of the axes of pictures that are fed; default: the source's own. */
  readonly inputLayout: Layout | undefined;
  /** Of ONNX; default: the newest that ONNX Runtime takes without a warning. */
  readonly opset: number | undefined;
  /** Of a SavedModel that is read. */
  readonly tags: readonly string[] | undefined;
  readonly signature: string | undefined;
  readonly overwrite: boolean;
  /**
   * The contract to put beside the model.
   *
   * @param brought the one that lies beside the source.
   * @param facts   of the model as it will be written, before pixels go in.
   */
  readonly contract: (brought: ModelContract | undefined, facts: ModelFacts) => ModelContract | undefined;
  /** Recorded elsewhere: what the source gives for an input. */
  readonly recorded: { readonly input: Tensor; readonly output: Tensor } | undefined;
  /** Largest difference, relative to the range of the outputs. */
  readonly tolerance: number | undefined;
}

export interface ConvertProgress {
  /** One line each, for a person. */
  say(line: string): void;
  readonly signal: AbortSignal;
}

export interface Checked {
  readonly largest: number;
  readonly relative: number;
  readonly tolerance: number;
}

export interface ConvertReport {
  readonly source: ModelSource;
  readonly digest: string;
  readonly target: Target;
  readonly facts: ModelFacts;
  readonly contract: ModelContract | undefined;
  /** What was written, against the graph as it was read: the worst output. */
  readonly readBack: Checked;
  /** Against what was recorded elsewhere; undefined: not verified against the source. */
  readonly recorded: Checked | undefined;
}

/**
 * Allowed against records of a quantised model: rounded activations differ by a step wherever another runtime's sum
 * comes out a hair to the other side. See docs/converting.md.
 */
const QUANTIZED_TOLERANCE = 0.1;

/**
 * Converts a model.
 *
 * Whatever fails, nothing is left at the destination: the model is written beside it under another name and takes its
 * place when all checks have passed.
 *
 * @throws {ServeError} MODEL_INVALID for a damaged source, a destination that is there already, or a difference above
 *   the tolerance; MODEL_UNSUPPORTED for what cannot be converted; MODEL_CONTRACT_MISMATCH for a contract that does not
 *   fit the model.
 */
export async function convertModel(
  request: ConvertRequest,
  { say, signal }: ConvertProgress,
): Promise<ConvertReport> {
  const source = await findSource(request.source);
  const target = await planTarget(request, source.format);
  const draft = await mkdtemp(path.join(target.parent, `.${target.name}.`));
  try {
    const digest = await digestOfSource(source, signal);
    const place = path.join(draft, target.name);
    const trial = { source: path.join(draft, "source.trial"), written: path.join(draft, "written.trial") };
    const prepared = await readAndPrepare({
      request,
      source,
      target,
      digest,
      trial: trial.source,
      say,
      signal,
    });
    signal.throwIfAborted();
    // What was read is no longer needed, only what is to be written.
    collectGarbage();
    const written = await writePrepared(prepared, place, target);
    say(`wrote ${written.operators} operators; running what was written`);
    signal.throwIfAborted();

    // From here on no graph is in memory: ONNX Runtime needs the room.
    collectGarbage();
    if (target.kind === "saved-model") {
      await readBack(place, trial.written);
      collectGarbage();
    } else trial.written = modelFile(place, target);
    const checks = await checkWritten(written, trial, request, signal);
    await placeModel(place, target);
    const { facts, contract } = written;
    return { source, digest, target, facts, contract, ...checks };
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

interface Written {
  /** Of the graph that was written, in the words of its callers. */
  readonly inputs: Graph["inputs"];
  readonly outputs: Graph["outputs"];
  readonly isQuantized: boolean;
  readonly facts: ModelFacts;
  readonly contract: ModelContract | undefined;
  readonly operators: number;
}

interface Prepared extends Written {
  /** Taken out when it has been written, so that its weights can go. */
  model: PreparedModel | undefined;
}

interface Preparing {
  readonly request: ConvertRequest;
  readonly source: ModelSource;
  readonly target: Target;
  readonly digest: string;
  /** File for the graph as it was read, to be run. */
  readonly trial: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

async function readAndPrepare(preparing: Preparing): Promise<Prepared> {
  const { request, source, target, say, signal } = preparing;
  const read = await readSource(source, request);
  signal.throwIfAborted();
  say(`read ${source.path}: ${read.nodes.length} operators`);
  const { graph, contract, facts } = asWanted(read, request, await readContract(source.folder));
  const metadata = {
    "vitrine.converter": `vitrine ${await converterVersion()}`,
    "vitrine.source": path.basename(path.resolve(source.path)),
    "vitrine.source_format": source.format,
    "vitrine.source_sha256": preparing.digest,
  };
  const model = await prepareModel(graph, { target, metadata, opset: request.opset });
  await writeTrial(graph, "plain", preparing.trial);
  const { inputs, outputs } = graph;
  const { operators } = model;
  return { model, inputs, outputs, isQuantized: isQuantized(read), facts, contract, operators };
}

async function writePrepared(prepared: Prepared, place: string, target: Target): Promise<Written> {
  const { model, contract } = prepared;
  prepared.model = undefined;
  await model?.write(place);
  if (contract !== undefined) await writeContract(contract, place, target);
  return prepared;
}

async function readBack(folder: string, trial: string): Promise<void> {
  const { readSavedModel } = await import("./saved-model/read/read-saved-model.js");
  // Nothing joined here either: what was written is what is to be checked.
  await writeTrial(await readSavedModel(folder), "plain", trial);
}

/** Two rows must not mix, and a batch of one must not have been built in; one row is enough to see that weights are right. */
function batchSizeFor({ parameters }: ModelFacts): number {
  return (parameters ?? 0) > LARGE_MODEL_PARAMETERS ? 1 : 2;
}

/** From here on running the model takes most of the time of its conversion. */
const LARGE_MODEL_PARAMETERS = 8_000_000;

async function checkWritten(
  { inputs, outputs, isQuantized: quantized, facts }: Written,
  trial: { readonly source: string; readonly written: string },
  { recorded, tolerance: wanted }: ConvertRequest,
  signal: AbortSignal,
): Promise<Pick<ConvertReport, "readBack" | "recorded">> {
  const tolerance = wanted ?? TOLERANCE;
  const recordedTolerance = wanted ?? (quantized ? QUANTIZED_TOLERANCE : TOLERANCE);
  const { differences } = await verifyFiles(inputs, trial.source, trial.written, {
    batchSizes: [batchSizeFor(facts)],
    tolerance,
  });
  signal.throwIfAborted();
  const [worst] = [...differences].sort((a, b) => b.relative - a.relative);
  const compared =
    recorded === undefined
      ? undefined
      : await verifyRecorded({ inputs, outputs }, trial.written, recorded, recordedTolerance);
  const checked = (one: Difference | undefined, allowed: number): Checked => ({
    largest: one?.largest ?? 0,
    relative: one?.relative ?? 0,
    tolerance: allowed,
  });
  return {
    readBack: checked(worst, tolerance),
    recorded: compared && checked(compared, recordedTolerance),
  };
}

function isQuantized({ nodes }: Graph): boolean {
  return nodes.some(({ op }) => op === "QuantizeLinear");
}

/** The graph and its contract, with pixels in and in the layout that was asked for. */
function asWanted(
  read: Graph,
  request: ConvertRequest,
  brought: ModelContract | undefined,
): { graph: Graph; contract: ModelContract | undefined; facts: ModelFacts } {
  const facts = factsOf(read);
  const contract = request.contract(brought, facts);
  refuseMisfit(contract, facts);
  const pixels = request.inputDtype === "uint8" ? withPixels(read, contract) : { graph: read, contract };
  const { inputLayout } = request;
  if (inputLayout === undefined) return { ...pixels, facts: factsOf(pixels.graph) };
  const graph = changeInputLayout(pixels.graph, inputLayout);
  return { graph, contract: withLayout(pixels.contract, inputLayout), facts: factsOf(graph) };
}

function withPixels(
  read: Graph,
  contract: ModelContract | undefined,
): { graph: Graph; contract: ModelContract } {
  if (contract === undefined) {
    throw new ServeError(
      "MODEL_CONTRACT_MISMATCH",
      "--input-dtype uint8 puts the preprocessing into the graph, expected a contract that says what it is: --preprocess and --labels, or --contract DIR",
    );
  }
  return {
    graph: takePixels(read, contract.preprocessor),
    contract: contractOf(contract, pixelsPreprocessor(record(contract.files.preprocessor))),
  };
}

function withLayout(contract: ModelContract | undefined, layout: Layout): ModelContract | undefined {
  if (contract === undefined) return undefined;
  const preprocessor = record(contract.files.preprocessor);
  return contractOf(contract, { ...preprocessor, vitrine: { ...record(preprocessor.vitrine), layout } });
}

function refuseMisfit(contract: ModelContract | undefined, { classes }: ModelFacts): void {
  if (contract === undefined || classes === undefined || classes === contract.labels.length) return;
  throw new ServeError(
    "MODEL_CONTRACT_MISMATCH",
    `the contract had ${contract.labels.length} labels, expected ${classes}, as many as the model has classes`,
  );
}

function contractOf({ files }: ModelContract, preprocessor: Record<string, unknown>): ModelContract {
  return contractFromFiles(files.config, preprocessor);
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}
