/** Reads Keras files: HDF5 of Keras 1, 2 and 3 and of tf.keras, and .keras of Keras 2.12 and later. */
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { Graph } from "../graph/graph.js";
import { parseModelConfig } from "./config.js";
import { damaged } from "./fault.js";
import { type Hdf5, readHdf5 } from "./hdf5.js";
import { openKerasArchive } from "./keras-archive.js";
import type { KerasVersion } from "./layer-call.js";
import { modelGraph } from "./model-graph.js";
import { namedWeights, numberedWeights, textsOf } from "./weights.js";

export interface KerasOptions {
  readonly hdf5WorkerUrl?: URL;
}

/** What optimizers keep is as large as the model twice over, and of no use here. */
const OPTIMIZER_GROUPS = ["/optimizer_weights", "/optimizer", "/_optimizer"];

const HDF5_SIGNATURE = Buffer.from("\x89HDF\r\n\x1a\n", "latin1");
const ZIP_SIGNATURE = Buffer.from("PK");

/**
 * Reads a Keras model as a graph.
 *
 * Its inputs and outputs keep the names that `tf.saved_model.save` gives them. Arithmetic is float32 whatever the model's
 * dtype policy. Layers that do nothing at inference are left out; no code in the file is ever run.
 *
 * @param file .h5, .hdf5 or .keras; told apart by content.
 * @throws {ServeError} MODEL_UNSUPPORTED naming up to ten layers that cannot be converted, and what would help;
 *   MODEL_INVALID when the file is damaged, is no Keras model, or holds weights alone.
 */
export async function readKeras(file: string, options: KerasOptions = {}): Promise<Graph> {
  const beginning = await firstBytes(file);
  if (beginning.subarray(0, 2).equals(ZIP_SIGNATURE)) return readArchive(file, options);
  // HDF5 may begin with a block of the user's own, of 512 bytes or a power of two more.
  const isHdf5 = [0, 512, 1024, 2048].some((at) => beginning.subarray(at, at + 8).equals(HDF5_SIGNATURE));
  if (isHdf5) return readLegacy(file, options);
  throw damaged("the file was neither HDF5 nor a zip, expected a Keras model (.h5 or .keras)");
}

async function firstBytes(file: string): Promise<Buffer> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2056), 0, 2056, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function readLegacy(file: string, options: KerasOptions): Promise<Graph> {
  const hdf5 = await readTree(file, options);
  const root = hdf5.groups.get("/") ?? {};
  const config = root.model_config;
  if (typeof config !== "string") throw noConfig(hdf5);
  const weights = hdf5.groups.has("/model_weights") ? "/model_weights" : "";
  const version = majorVersion(root.keras_version ?? hdf5.groups.get(weights)?.keras_version, config);
  return modelGraph(parseModelConfig(config), version, namedWeights(hdf5, weights));
}

function readTree(file: string, { hdf5WorkerUrl }: KerasOptions): Promise<Hdf5> {
  return readHdf5(file, {
    skippedGroups: OPTIMIZER_GROUPS,
    ...(hdf5WorkerUrl === undefined ? {} : { workerUrl: hdf5WorkerUrl }),
  });
}

function noConfig({ groups }: Hdf5): Error {
  const weightsOnly = textsOf(groups.get("/") ?? {}, "layer_names").length > 0 || groups.has("/layers");
  return damaged(
    weightsOnly
      ? "the file held weights alone, expected a whole model: load them into the model in Keras and save that with model.save"
      : "the HDF5 file had no model_config, expected a Keras model saved with model.save",
  );
}

async function readArchive(file: string, options: KerasOptions): Promise<Graph> {
  const folder = await mkdtemp(join(tmpdir(), "vitrine-keras-"));
  try {
    const weightsFile = join(folder, "model.weights.h5");
    const { config, metadata } = await openKerasArchive(file, weightsFile);
    const hdf5 = await readTree(weightsFile, options);
    const model = parseModelConfig(config);
    return modelGraph(model, majorVersion(versionIn(metadata), config), numberedWeights(hdf5));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const Metadata = z.object({ keras_version: z.string() });

function versionIn(metadata: string | undefined): string | undefined {
  if (metadata === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(metadata);
  } catch (cause) {
    throw damaged(`metadata.json was not JSON (${cause instanceof Error ? cause.message : String(cause)})`);
  }
  const parsed = Metadata.safeParse(json);
  return parsed.success ? parsed.data.keras_version : undefined;
}

/** tf.keras up to TensorFlow 2.15 is Keras 2; files of the first Keras 1 state no version, but their own words. */
function majorVersion(stated: string | readonly string[] | undefined, config: string): KerasVersion {
  const major = typeof stated === "string" ? Number.parseInt(stated, 10) : Number.NaN;
  if (major === 1 || major === 2 || major === 3) return major;
  if (
    /"(nb_filter|output_dim|border_mode|subsample)":/.test(config) &&
    !/"batch_input_shape":.*"units":/.test(config)
  )
    return 1;
  return config.includes('"registered_name"') && config.includes('"build_config"') ? 3 : 2;
}
