/** The functions of a SavedModel's root object, as `saved_model_cli show --all` lists them. */
import type { FunctionDef } from "../../gen/tensorflow/core/framework/function.js";
import type { NodeDef } from "../../gen/tensorflow/core/framework/node_def.js";
import type { OpDef } from "../../gen/tensorflow/core/framework/op_def.js";
import type { MetaGraphDef } from "../../gen/tensorflow/core/protobuf/meta_graph.js";
import type { SavedObjectGraph } from "../../gen/tensorflow/core/protobuf/saved_object_graph.js";
import type { StructuredValue } from "../../gen/tensorflow/core/protobuf/struct.js";
import { compareCodePoints } from "./python-text.js";
import { sortedFields, tensorSpecRepr, typeName, valueText } from "./structured-value.js";

const NOT_LISTED = "\nConcrete Functions: N/A (could not be listed due to unknown reasons)\n";

/**
 * @param metaGraphs all of the model's.
 * @returns the empty text where no MetaGraph has objects; the last part of `show --all` otherwise.
 */
export function concreteFunctionsText(metaGraphs: readonly MetaGraphDef[]): string {
  if (metaGraphs.every(({ objectGraphDef }) => objectGraphDef === undefined)) return "";
  const [metaGraph, ...others] = metaGraphs;
  // TensorFlow loads objects from models of one MetaGraph only.
  if (metaGraph?.objectGraphDef === undefined || others.length > 0) return NOT_LISTED;
  const loaded = loadedNames(metaGraph);
  if (loaded === undefined) return NOT_LISTED;
  const functions = rootFunctions(metaGraph.objectGraphDef)
    .sort((a, b) => compareCodePoints(a.name, b.name))
    .map((entry) => functionText(entry, metaGraph.objectGraphDef, loaded));
  return `\nConcrete Functions:${functions.join("")}`;
}

interface RootFunction {
  readonly name: string;
  readonly concreteFunctions: readonly string[];
}

function rootFunctions({ nodes }: SavedObjectGraph): RootFunction[] {
  const children = new Map((nodes[0]?.children ?? []).map(({ localName, nodeId }) => [localName, nodeId]));
  return [...children].flatMap(([name, id]): RootFunction[] => {
    const kind = nodes[id]?.kind;
    if (kind?.$case === "function") return [{ name, concreteFunctions: kind.value.concreteFunctions }];
    if (kind?.$case !== "bareConcreteFunction") return [];
    return [{ name, concreteFunctions: [kind.value.concreteFunctionName] }];
  });
}

function functionText(
  { name, concreteFunctions }: RootFunction,
  objects: SavedObjectGraph | undefined,
  loaded: ReadonlyMap<string, string>,
): string {
  const options = [...concreteFunctions]
    .sort((a, b) => compareCodePoints(loaded.get(a) ?? a, loaded.get(b) ?? b))
    .map((concrete, index) => {
      const signature = objects?.concreteFunctions.get(concrete)?.canonicalizedInputSignature;
      return optionText(index + 1, signature);
    });
  return `\n  Function Name: '${name}'\n${options.join("")}`;
}

/** @param signature a tuple of the positional arguments (a tuple) and the named ones (a dict). */
function optionText(number: number, signature: StructuredValue | undefined): string {
  const [args, named] = members(signature);
  const positional = members(args);
  const kwargs = named?.kind?.$case === "dictValue" ? sortedFields(named.kind.value.fields) : [];
  const lines: string[] = [];
  if (positional.length > 0) {
    lines.push(`    Option #${number}\n      Callable with:\n`);
    for (const [index, value] of positional.entries()) {
      lines.push(`        Argument #${index + 1}\n${argumentText(value)}`);
    }
  }
  // Of the named ones only the names are shown.
  for (const [index, [key]] of kwargs.entries()) {
    lines.push(`        Named Argument #${index + 1}\n          ${key}\n`);
  }
  return lines.join("");
}

function members(value: StructuredValue | undefined): readonly StructuredValue[] {
  const kind = value?.kind;
  return kind?.$case === "tupleValue" || kind?.$case === "listValue" ? kind.value.values : [];
}

const INDENT = "          ";

function argumentText(value: StructuredValue): string {
  const { kind } = value;
  switch (kind?.$case) {
    case "stringValue":
      return `${INDENT}${kind.value}\n`;
    case "tensorSpecValue":
    case "boundedTensorSpecValue":
      return `${INDENT}${kind.value.name === "" ? "None" : kind.value.name}: ${tensorSpecRepr(kind.value)}\n`;
    case "listValue":
    case "tupleValue":
      return listText(typeName(value), kind.value.values.map(quoted));
    case "namedTupleValue":
      return listText(
        typeName(value),
        kind.value.values.map(({ value: member }) => (member === undefined ? "None" : quoted(member))),
      );
    case "dictValue": {
      const fields = sortedFields(kind.value.fields).map(([key, field]) => `'${key}': ${quoted(field)}, `);
      // TensorFlow takes the last comma back by two backspaces, which stay in what it prints.
      return `${INDENT}DType: dict\n${INDENT}Value: {${fields.join("")}\b\b}\n`;
    }
    default:
      return `${INDENT}DType: ${typeName(value)}\n${INDENT}Value: ${valueText(value)}\n`;
  }
}

function listText(type: string, items: readonly string[]): string {
  return `${INDENT}DType: ${type}\n${INDENT}Value: [${items.map((item) => `${item}, `).join("")}\b\b]\n`;
}

function quoted(value: StructuredValue): string {
  const text = valueText(value);
  return value.kind?.$case === "stringValue" ? `'${text}'` : text;
}

/**
 * Names that TensorFlow gives the functions when it loads them; it sorts the options of a function by them.
 *
 * Each ends in a number that counts everything with an identity made so far: the graph, the load, every tensor of
 * every function, and per function two more. Sorted as text, ..._99 comes after ..._100, so the numbers matter.
 *
 * @returns undefined when the functions call each other in a circle, which TensorFlow cannot load.
 */
function loadedNames(metaGraph: MetaGraphDef): ReadonlyMap<string, string> | undefined {
  const library = metaGraph.graphDef?.library;
  const functions = library?.function ?? [];
  const ops = new Map((metaGraph.metaInfoDef?.strippedOpList?.op ?? []).map((op) => [op.name, op]));
  const gradients = new Map<string, string>();
  let taken = 2;
  for (const { registeredOpType, gradientFunc } of library?.registeredGradients ?? []) {
    if (registeredOpType === "") continue;
    gradients.set(registeredOpType, gradientFunc);
    taken++;
  }
  const byName = new Map(functions.map((definition) => [nameOf(definition), definition]));
  const order = loadOrder(functions, byName, gradients);
  if (order === undefined) return undefined;
  const names = new Map<string, string>();
  for (const definition of order) {
    taken += definition.signature?.inputArg.length ?? 0;
    for (const node of definition.nodeDef) taken += outputCount(node, ops, byName);
    const name = nameOf(definition);
    const [, own = name] = /^__inference_(.*)_\d+$/.exec(name) ?? [];
    names.set(name, `__inference_${own}_${taken + 1}`);
    taken += 2;
  }
  return names;
}

function nameOf(definition: FunctionDef): string {
  return definition.signature?.name ?? "";
}

/** Each function after those that it calls; of those that are ready, the one that became so last. */
function loadOrder(
  functions: readonly FunctionDef[],
  byName: ReadonlyMap<string, FunctionDef>,
  gradients: ReadonlyMap<string, string>,
): FunctionDef[] | undefined {
  const callers = new Map<string, string[]>();
  const waiting = new Map<string, number>();
  for (const definition of functions) {
    const name = nameOf(definition);
    const called = calledBy(definition, byName, gradients);
    waiting.set(name, called.size);
    for (const callee of called) {
      const list = callers.get(callee);
      if (list === undefined) callers.set(callee, [name]);
      else list.push(name);
    }
  }
  const ready = functions.filter((definition) => waiting.get(nameOf(definition)) === 0).map(nameOf);
  const order: FunctionDef[] = [];
  for (let name = ready.pop(); name !== undefined; name = ready.pop()) {
    const definition = byName.get(name);
    if (definition !== undefined) order.push(definition);
    for (const caller of callers.get(name) ?? []) {
      const left = (waiting.get(caller) ?? 0) - 1;
      waiting.set(caller, left);
      if (left === 0) ready.push(caller);
    }
  }
  return order.length === functions.length ? order : undefined;
}

function calledBy(
  definition: FunctionDef,
  byName: ReadonlyMap<string, FunctionDef>,
  gradients: ReadonlyMap<string, string>,
): Set<string> {
  const called = new Set<string>();
  for (const node of definition.nodeDef) {
    const gradient = gradientOf(node, gradients);
    if (byName.has(node.op)) called.add(node.op);
    else if (gradient !== undefined) called.add(gradient);
    else {
      for (const { value } of node.attr.values()) {
        if (value?.$case === "func") called.add(value.value.name);
        else if (value?.$case === "list") for (const { name } of value.value.func) called.add(name);
      }
    }
  }
  return called;
}

function gradientOf(node: NodeDef, gradients: ReadonlyMap<string, string>): string | undefined {
  if (node.op === "StatefulPartitionedCall" || node.op === "PartitionedCall") return undefined;
  const type = node.attr.get("_gradient_op_type")?.value;
  return type?.$case === "s" ? gradients.get(Buffer.from(type.value).toString()) : undefined;
}

function outputCount(
  node: NodeDef,
  ops: ReadonlyMap<string, OpDef>,
  functions: ReadonlyMap<string, FunctionDef>,
): number {
  const signature = functions.get(node.op)?.signature ?? ops.get(node.op);
  // Models that leave out the list of their operators: nearly all have one output.
  if (signature === undefined) return 1;
  return signature.outputArg.reduce((count, { numberAttr, typeListAttr }) => {
    const attr = node.attr.get(numberAttr === "" ? typeListAttr : numberAttr)?.value;
    if (numberAttr !== "") return count + (attr?.$case === "i" ? Number(attr.value) : 1);
    if (typeListAttr !== "") return count + (attr?.$case === "list" ? attr.value.type.length : 0);
    return count + 1;
  }, 0);
}
