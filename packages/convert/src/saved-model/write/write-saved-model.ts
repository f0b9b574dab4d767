/** Writes a graph as a SavedModel that TensorFlow and TensorFlow Serving load. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import {
  VariableAggregation,
  VariableDef,
  VariableSynchronization,
} from "../../gen/tensorflow/core/framework/variable.js";
import type {
  CollectionDef,
  MetaGraphDef,
  SignatureDef,
  TensorInfo,
} from "../../gen/tensorflow/core/protobuf/meta_graph.js";
import { SavedModel } from "../../gen/tensorflow/core/protobuf/saved_model.js";
import { type SaverDef, SaverDef_CheckpointFormatVersion } from "../../gen/tensorflow/core/protobuf/saver.js";
import { TENSORFLOW_TYPES } from "../../graph/element-type.js";
import type { Graph, GraphInput } from "../../graph/graph.js";
import { withOutputShapes } from "../../graph/infer-shapes.js";
import { toLayout } from "../../graph/layout.js";
import { optimise } from "../../graph/optimise.js";
import { shapeProto, tensorAttr, typeAttr, typesAttr } from "./attr-values.js";
import { type TensorFlowModel, toTensorFlow } from "./graph-def.js";
import { writeTensorBundle } from "./tensor-bundle.js";
import type { TensorFlowGraph, TensorRef } from "./tensorflow-graph.js";

/** Version of the graphs that TensorFlow 2.11 wrote: every later one reads them. */
const GRAPH_PRODUCER = 1286;
const GRAPH_MIN_CONSUMER = 12;

/** Collection under which TensorFlow looks for a graph's variables. */
const GLOBAL_VARIABLES = "variables";

export interface SavedModelOptions {
  /** Signature under which the graph is called; default `serving_default`. */
  readonly signatureKey?: string | undefined;
  /** Where the model came from; put beside it as `assets.extra/vitrine.json`. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** A SavedModel that is ready to be written: from here on only the disk can fail it. */
export interface PreparedSavedModel {
  /** Nodes of TensorFlow's graph, constants and restore included. */
  readonly operators: number;
  /** @param folder the version folder; it is made. */
  write(folder: string): Promise<void>;
}

/**
 * Says a graph in TensorFlow's operators.
 *
 * @param graph in any layout. What is returned holds none of it but the weights that are written as they are.
 * @throws {ServeError} MODEL_UNSUPPORTED that names what TensorFlow cannot say. Nothing has been written then.
 */
export function prepareSavedModel(graph: Graph, options: SavedModelOptions = {}): PreparedSavedModel {
  const source = withOutputShapes(optimise(toLayout(optimise(graph), "NHWC")));
  const model = toTensorFlow(source);
  const { variables } = model.graph;
  const restore = variables.length === 0 ? undefined : addRestore(model.graph);
  const metaGraph: MetaGraphDef = {
    metaInfoDef: {
      metaGraphVersion: "",
      strippedOpList: undefined,
      anyInfo: undefined,
      tags: ["serve"],
      tensorflowVersion: "",
      tensorflowGitVersion: "",
      strippedDefaultAttrs: false,
      functionAliases: new Map(),
    },
    saverDef: restore?.saver,
    graphDef: {
      node: model.graph.nodes,
      library: undefined,
      version: 0,
      versions: { producer: GRAPH_PRODUCER, minConsumer: GRAPH_MIN_CONSUMER, badConsumers: [] },
    },
    collectionDef: new Map(restore === undefined ? [] : [[GLOBAL_VARIABLES, restore.variables]]),
    signatureDef: new Map([[options.signatureKey ?? "serving_default", signatureOf(source, model)]]),
    assetFileDef: [],
    objectGraphDef: undefined,
  };
  return {
    operators: model.graph.nodes.length,
    write: async (folder) => {
      await mkdir(path.join(folder, "variables"), { recursive: true });
      const message = SavedModel.encode({ savedModelSchemaVersion: 1n, metaGraphs: [metaGraph] }).finish();
      await writeFile(path.join(folder, "saved_model.pb"), message);
      if (variables.length > 0) {
        const tensors = new Map(variables.map((variable) => [variable.name, variable]));
        await writeTensorBundle(path.join(folder, "variables", "variables"), tensors);
      }
      if (options.metadata === undefined) return;
      await mkdir(path.join(folder, "assets.extra"), { recursive: true });
      const text = `${JSON.stringify(options.metadata, undefined, 2)}\n`;
      await writeFile(path.join(folder, "assets.extra", "vitrine.json"), text);
    },
  };
}

/** Prepares and writes in one go. @throws {ServeError} as {@link prepareSavedModel}. */
export async function writeSavedModel(
  graph: Graph,
  folder: string,
  options: SavedModelOptions = {},
): Promise<void> {
  await prepareSavedModel(graph, options).write(folder);
}

function signatureOf(source: Graph, model: TensorFlowModel): SignatureDef {
  return {
    methodName: "tensorflow/serving/predict",
    inputs: infosOf(source.inputs, model.inputs),
    outputs: infosOf(source.outputs, model.outputs),
    defaults: new Map(),
  };
}

function infosOf(
  values: readonly Pick<GraphInput, "alias" | "shape">[],
  tensors: readonly TensorRef[],
): Map<string, TensorInfo> {
  return new Map(
    values.flatMap(({ alias, shape }, index): [string, TensorInfo][] => {
      const tensor = tensors[index];
      if (tensor === undefined) return [];
      const name = tensor.ref.includes(":") ? tensor.ref : `${tensor.ref}:0`;
      const dtype = TENSORFLOW_TYPES[tensor.type];
      return [[alias, { encoding: { $case: "name", value: name }, dtype, tensorShape: shapeProto(shape) }]];
    }),
  );
}

interface Restore {
  readonly saver: SaverDef;
  /** Tells TensorFlow which nodes are variables: without it two models in one process would share them by name. */
  readonly variables: CollectionDef;
}

/** Adds the nodes that fill the variables from the files beside the graph; the loader runs the last of them. */
function addRestore(graph: TensorFlowGraph): Restore {
  const { variables } = graph;
  const prefix = graph.effect("Const", "save/Const", [], stringsValue(["model"], []));
  const names = variables.map(({ name }) => name);
  const list = [names.length];
  const nameList = graph.effect("Const", "save/RestoreV2/tensor_names", [], stringsValue(names, list));
  const slices = names.map(() => "");
  const sliceList = graph.effect("Const", "save/RestoreV2/shape_and_slices", [], stringsValue(slices, list));
  const restored = graph.effect("RestoreV2", "save/RestoreV2", [prefix, nameList, sliceList], {
    dtypes: typesAttr(variables.map(({ type }) => type)),
  });
  const assigned = variables.map(({ name, type }, index) =>
    graph.effect("AssignVariableOp", "save/AssignVariableOp", [name, `${restored}:${index}`], {
      dtype: typeAttr(type),
    }),
  );
  const after = assigned.map((node) => `^${node}`);
  const saver = {
    filenameTensorName: `${prefix}:0`,
    // Nothing is ever saved from this graph, but the loader wants a tensor here.
    saveTensorName: `${prefix}:0`,
    restoreOpName: graph.effect("NoOp", "save/restore_all", after),
    maxToKeep: 5,
    sharded: false,
    keepCheckpointEveryNHours: 10_000,
    version: SaverDef_CheckpointFormatVersion.V2,
  };
  const value = variables.map(({ name, read }, index) =>
    VariableDef.encode({
      variableName: `${name}:0`,
      initializerName: assigned[index] ?? "",
      initialValueName: `${restored}:${index}`,
      snapshotName: `${read}:0`,
      isResource: true,
      trainable: false,
      synchronization: VariableSynchronization.VARIABLE_SYNCHRONIZATION_AUTO,
      aggregation: VariableAggregation.VARIABLE_AGGREGATION_NONE,
    }).finish(),
  );
  return { saver, variables: { kind: { $case: "bytesList", value: { value } } } };
}

function stringsValue(texts: readonly string[], shape: readonly number[]) {
  const strings = texts.map((text) => Buffer.from(text));
  return {
    dtype: typeAttr("string"),
    value: tensorAttr({ type: "string", shape, bytes: new Uint8Array(0), strings }),
  };
}
