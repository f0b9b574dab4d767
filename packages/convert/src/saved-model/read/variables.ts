/** Which tensor of the checkpoint each variable takes: read from the operators that restore it. */
import { ServeError } from "@vitrine/protocol/status";
import { tensorFromProto } from "@vitrine/protocol/tensor";
import type { NodeIndex } from "../../gen/vitrine/saved_model_index.js";
import { attributeOf } from "./nodes.js";
import type { Place, Scope, Scopes } from "./scopes.js";
import { isControl, parseTensorName } from "./tensor-names.js";

/** Where a variable's value lies in the checkpoint. */
export interface Restored {
  readonly key: string;
  /** `shape_and_slices` of RestoreV2; "" is the whole tensor. */
  readonly spec: string;
}

const HANDLES: ReadonlySet<string> = new Set(["VarHandleOp", "VariableV2", "Variable"]);
const ASSIGNS: ReadonlySet<string> = new Set(["AssignVariableOp", "Assign"]);

/** Whether the operator is a variable, and its output therefore the variable's value. */
export function isVariable(op: string): boolean {
  return HANDLES.has(op);
}

/**
 * Follows the restore operator as TensorFlow Serving runs it: RestoreV2 reads tensors by their keys, assignments put
 * them into variables. The same holds for TensorFlow 1 (operators in the graph) and 2 (in a function).
 *
 * @param restoreOp `restore_op_name` of the SaverDef.
 * @returns by name of the variable's node.
 */
export function restoredVariables(scopes: Scopes, restoreOp: string): ReadonlyMap<string, Restored> {
  const variables = new Map<string, Restored>();
  const lists = new Map<NodeIndex, readonly string[]>();
  const seen = new Set<string>();
  const pending: { scope: Scope; name: string }[] = [
    { scope: scopes.main, name: parseTensorName(restoreOp).node },
  ];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { scope, name } = next;
    scopes.spend();
    const key = `${scope.id} ${name}`;
    const node = scope.nodes.get(name);
    if (node === undefined || seen.has(key)) continue;
    seen.add(key);
    const callee = scopes.called(scope, node);
    // All of a function runs, whether or not its outputs need it.
    for (const inner of callee?.nodes.keys() ?? []) pending.push({ scope: callee ?? scope, name: inner });
    if (ASSIGNS.has(node.op)) {
      assign(scopes, scope, node, lists, variables);
    } else {
      for (const input of node.input) {
        pending.push({ scope, name: parseTensorName(input.replace(/^\^/, "")).node });
      }
    }
  }
  return variables;
}

function assign(
  scopes: Scopes,
  scope: Scope,
  node: NodeIndex,
  lists: Map<NodeIndex, readonly string[]>,
  variables: Map<string, Restored>,
): void {
  const [target, source] = node.input.filter((input) => !isControl(input));
  if (target === undefined || source === undefined) return;
  const variable = scopes.find(scope, target);
  const value = scopes.find(scope, source);
  // Other assignments initialise what a checkpoint does not hold; they are no restores.
  if (!isVariable(variable.node.op) || value.node.op !== "RestoreV2") return;
  const [, names, specs] = value.node.input;
  if (names === undefined || specs === undefined) return;
  const key = stringAt(lists, scopes.find(value.scope, names), value.index);
  const spec = stringAt(lists, scopes.find(value.scope, specs), value.index);
  variables.set(variable.node.name, { key, spec });
}

function stringAt(lists: Map<NodeIndex, readonly string[]>, { node }: Place, index: number): string {
  const strings = lists.get(node) ?? stringsOf(node);
  lists.set(node, strings);
  const text = strings[index];
  if (text !== undefined) return text;
  throw new ServeError(
    "MODEL_INVALID",
    `node ${node.name} had no string ${index}, expected one per variable`,
  );
}

function stringsOf(node: NodeIndex): readonly string[] {
  const value = attributeOf(node, "value");
  if (node.op !== "Const" || value?.$case !== "tensor") {
    throw new ServeError(
      "MODEL_UNSUPPORTED",
      `node ${node.name} is a ${node.op}, expected a constant list of the variables to restore`,
    );
  }
  const { data } = tensorFromProto(value.value, node.name);
  const text = new TextDecoder();
  return ArrayBuffer.isView(data) ? [] : data.map((bytes) => text.decode(bytes));
}
