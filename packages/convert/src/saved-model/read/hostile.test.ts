import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { ServeError } from "@vitrine/protocol/status";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { AttrValue } from "../../gen/tensorflow/core/framework/attr_value.js";
import type { FunctionDef } from "../../gen/tensorflow/core/framework/function.js";
import type { NodeDef } from "../../gen/tensorflow/core/framework/node_def.js";
import { DataType } from "../../gen/tensorflow/core/framework/types.js";
import { SavedModel } from "../../gen/tensorflow/core/protobuf/saved_model.js";
import { readAllSignatures, readSavedModel } from "./read-saved-model.js";
import { unpackGolden } from "./testing/tensorflow-golden.js";

const FLOAT = DataType.DT_FLOAT;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "vitrine-hostile-"));
});
afterEach(() => rm(folder, { recursive: true }));

type Attributes = Readonly<Record<string, AttrValue["value"]>>;

function node(name: string, op: string, input: readonly string[] = [], attributes: Attributes = {}): NodeDef {
  const attr = new Map(Object.entries(attributes).map(([key, value]) => [key, { value }]));
  return { name, op, input: [...input], device: "", attr };
}

const X = node("x", "Placeholder", [], { dtype: { $case: "type", value: FLOAT } });

function call(name: string, callee: string, input: readonly string[]): NodeDef {
  return node(name, "PartitionedCall", input, {
    f: { $case: "func", value: { name: callee, attr: new Map() } },
  });
}

function functionOf(name: string, nodes: readonly NodeDef[], returned: string): FunctionDef {
  const argument = (label: string) => ({
    name: label,
    description: "",
    type: FLOAT,
    typeAttr: "",
    numberAttr: "",
    typeListAttr: "",
    isRef: false,
  });
  return {
    signature: {
      name,
      inputArg: [argument("a")],
      outputArg: [argument("r")],
      controlOutput: [],
      attr: [],
      deprecation: undefined,
      summary: "",
      description: "",
      isCommutative: false,
      isAggregate: false,
      isStateful: false,
      allowsUninitializedInput: false,
      isDistributedCommunication: false,
    },
    attr: new Map(),
    argAttr: new Map(),
    resourceArgUniqueId: new Map(),
    nodeDef: [...nodes],
    ret: new Map([["r", returned]]),
    controlRet: new Map(),
  };
}

function encode(
  nodes: readonly NodeDef[],
  functions: readonly FunctionDef[] = [],
  output = "y:0",
): Uint8Array {
  const info = (name: string) => ({
    encoding: { $case: "name", value: name } as const,
    dtype: FLOAT,
    tensorShape: { dim: [{ size: 2, name: "" }], unknownRank: false },
  });
  const signature = {
    inputs: new Map([["x", info("x:0")]]),
    outputs: new Map([["y", info(output)]]),
    methodName: "tensorflow/serving/predict",
    defaults: new Map(),
  };
  return SavedModel.encode({
    savedModelSchemaVersion: 1n,
    metaGraphs: [
      {
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
        graphDef: {
          node: [...nodes],
          versions: undefined,
          version: 0,
          library: { function: [...functions], gradient: [], registeredGradients: [] },
        },
        saverDef: undefined,
        collectionDef: new Map(),
        signatureDef: new Map([["serving_default", signature]]),
        assetFileDef: [],
        objectGraphDef: undefined,
      },
    ],
  }).finish();
}

async function read(bytes: Uint8Array) {
  await writeFile(path.join(folder, "saved_model.pb"), bytes);
  return readSavedModel(folder);
}

async function expectRefusal(bytes: Uint8Array, words: RegExp, reason = "MODEL_INVALID"): Promise<void> {
  const before = performance.now();
  await expect(read(bytes)).rejects.toMatchObject({ reason, message: expect.stringMatching(words) });
  expect(performance.now() - before).toBeLessThan(20_000);
}

describe("a hostile graph is refused in bounded time", () => {
  test("operators in a circle", () =>
    expectRefusal(encode([X, node("y", "Add", ["x", "z"]), node("z", "Relu", ["y"])]), /depends on itself/));

  test("operators that hand on a tensor in a circle", () =>
    expectRefusal(
      encode([X, node("y", "Identity", ["z"]), node("z", "Identity", ["y"])]),
      /depends on itself/,
    ));

  test("a function that calls itself", () =>
    expectRefusal(
      encode([X, call("y", "f", ["x"])], [functionOf("f", [call("again", "f", ["a"])], "again:output:0")]),
      /calls itself/,
    ));

  test("functions that call each other", () =>
    expectRefusal(
      encode(
        [X, call("y", "f", ["x"])],
        [
          functionOf("f", [call("to_g", "g", ["a"])], "to_g:output:0"),
          functionOf("g", [call("to_f", "f", ["a"])], "to_f:output:0"),
        ],
      ),
      /calls itself/,
    ));

  test("functions that each call the next one twice, 60 deep", () => {
    const functions = Array.from({ length: 60 }, (_, index) =>
      functionOf(
        `f${index}`,
        index === 59
          ? [node("sum", "Add", ["a", "a"])]
          : [
              call("left", `f${index + 1}`, ["a"]),
              call("right", `f${index + 1}`, ["left:output:0"]),
              node("sum", "Add", ["left:output:0", "right:output:0"]),
            ],
        "sum:z:0",
      ),
    );
    return expectRefusal(encode([X, call("y", "f0", ["x"])], functions), /calls, expected fewer|without end/);
  });

  test("a condition that depends on what it decides", () => {
    const branch = functionOf("f", [], "a");
    const attributes = {
      then_branch: { $case: "func", value: { name: "f", attr: new Map() } },
      else_branch: { $case: "func", value: { name: "f", attr: new Map() } },
    } as const;
    return expectRefusal(encode([X, node("y", "If", ["y", "x"], attributes)], [branch]), /depends on itself/);
  });

  test("merges of switches in a circle", () =>
    expectRefusal(
      encode([
        X,
        node("y", "Merge", ["s", "s:1"]),
        node("s", "Switch", ["y", "p"]),
        node("p", "LogicalNot", ["y"]),
      ]),
      /depends on itself|is a Merge/,
      "MODEL_INVALID",
    ));

  test.each([
    ["an input that is no node", [X, node("y", "Relu", ["nothing"])], /nothing named no node/],
    ["an input whose index is no number", [X, node("y", "Relu", ["x:a:b"])], /NODE:OUTPUT:INDEX/],
    ["an operator without inputs", [X, node("y", "Relu")], /had no input 0/],
    ["a call of no function", [X, call("y", "f", ["x"])], /function f was called/],
    ["a call without a function", [X, node("y", "PartitionedCall", ["x"])], /attribute f was missing/],
    ["a constant without a value", [X, node("y", "Const")], /attribute value was missing/],
  ])("%s", (_, nodes, words) => expectRefusal(encode(nodes), words));

  test("an output that no operator has", () =>
    expectRefusal(encode([X, node("y", "Relu", ["x"])], [], "y:7"), /output 7/, "MODEL_UNSUPPORTED"));

  test.each([
    ["100 GB", [250_000, 100_000]],
    ["2^80 elements", [2 ** 40, 2 ** 40]],
    ["a negative size", [-5]],
  ])("a constant of %s made of one value", (_, sizes) => {
    const tensor = {
      dtype: FLOAT,
      tensorShape: { dim: sizes.map((size) => ({ size, name: "" })), unknownRank: false },
      versionNumber: 0,
      tensorContent: new Uint8Array(0),
      floatVal: [1],
      ...EMPTY,
    } as const;
    const constant = node("c", "Const", [], {
      value: { $case: "tensor", value: { ...tensor, floatVal: [1] } },
      dtype: { $case: "type", value: FLOAT },
    });
    return expectRefusal(encode([X, constant, node("y", "Add", ["x", "c"])]), /tensor parsing error/);
  });

  test("a constant that is doubled 60 times", () => {
    const axis = node("axis", "Const", [], {
      value: {
        $case: "tensor",
        value: {
          dtype: DataType.DT_INT32,
          tensorShape: undefined,
          versionNumber: 0,
          tensorContent: new Uint8Array(4),
          floatVal: [],
          ...EMPTY,
        },
      },
    });
    const first = node("c0", "Const", [], {
      value: {
        $case: "tensor",
        value: {
          dtype: FLOAT,
          tensorShape: { dim: [{ size: 2, name: "" }], unknownRank: false },
          versionNumber: 0,
          tensorContent: new Uint8Array(8),
          floatVal: [],
          ...EMPTY,
        },
      },
    });
    const doubled = Array.from({ length: 60 }, (_, index) =>
      node(`c${index + 1}`, "ConcatV2", [`c${index}`, `c${index}`, "axis"]),
    );
    // Left to run time as soon as it is large: nothing of that size is made here.
    return read(encode([X, axis, first, ...doubled, node("y", "Max", ["c60", "axis"])])).then((graph) => {
      const bytes = [...graph.constants.values()].reduce(
        (sum, constant) => sum + constant.bytes.byteLength,
        0,
      );
      expect(bytes).toBeLessThan(32 * 1024 * 1024);
    });
  });

  test("100 GB asked of Fill are left to run time, where its limits are", async () => {
    const sizes = node("sizes", "Const", [], {
      value: {
        $case: "tensor",
        value: {
          dtype: DataType.DT_INT32,
          tensorShape: { dim: [{ size: 2, name: "" }], unknownRank: false },
          versionNumber: 0,
          tensorContent: new Uint8Array(Int32Array.of(250_000, 100_000).buffer),
          floatVal: [],
          ...EMPTY,
        },
      },
    });
    const graph = await read(encode([X, sizes, node("y", "BroadcastTo", ["x", "sizes"])]));
    expect(graph.constants.size).toBeLessThan(3);
  });

  test("a chain of 20000 operators is no reason", async () => {
    const chain = Array.from({ length: 20_000 }, (_, index) =>
      node(`n${index}`, index % 2 === 0 ? "Relu" : "Identity", [index === 0 ? "x" : `n${index - 1}`]),
    );
    const graph = await read(encode([X, ...chain, node("y", "Tanh", ["n19999"])]));
    expect(graph.nodes).toHaveLength(10_001);
  });
});

/** Fields of a TensorProto that are not used here. */
const EMPTY = {
  halfVal: [],
  doubleVal: [],
  intVal: [],
  stringVal: [],
  scomplexVal: [],
  int64Val: [],
  boolVal: [],
  dcomplexVal: [],
  uint32Val: [],
  uint64Val: [],
};

describe("a damaged file is refused", () => {
  test("no file at all, in TensorFlow's words", async () => {
    await expect(readSavedModel(folder)).rejects.toThrow(
      "Could not find SavedModel .pb or .pbtxt at supplied export directory path",
    );
  });

  test("the text form, with what would help", async () => {
    await writeFile(path.join(folder, "saved_model.pbtxt"), "saved_model_schema_version: 1");
    await expect(readSavedModel(folder)).rejects.toMatchObject({
      reason: "MODEL_UNSUPPORTED",
      message: expect.stringContaining("save the model with as_text=False"),
    });
  });

  test("messages nested 100000 deep", () => {
    // NameAttrList { attr { value { func { … } } } }, each length-delimited: built from the inside.
    let inner = Buffer.alloc(0);
    const parts: Buffer[] = [];
    let length = 0;
    for (let depth = 0; depth < 100_000; depth++) {
      const head = Buffer.concat([Buffer.from([0x0a]), varint(length)]);
      parts.unshift(head);
      length += head.length;
      if (parts.length > 1000) {
        inner = Buffer.concat([...parts, inner]);
        parts.length = 0;
      }
    }
    const nested = Buffer.concat([...parts, inner]);
    return expectRefusal(
      Buffer.concat([Buffer.from([0x12]), varint(nested.length), nested]),
      /damaged|Could not find/,
    );
  });

  test("millions of empty messages in few bytes", () => {
    // SavedModel.meta_graphs { graph_def { node {} node {} … } }: two bytes each.
    const nodes = Buffer.alloc(60_000_000, Buffer.from([0x0a, 0x00]));
    const graph = Buffer.concat([Buffer.from([0x12]), varint(nodes.length), nodes]);
    const info = Buffer.from([0x0a, 0x07, 0x22, 0x05, ...Buffer.from("serve")]);
    const meta = Buffer.concat([info, graph]);
    return expectRefusal(
      Buffer.concat([Buffer.from([0x12]), varint(meta.length), meta]),
      /more single values/,
    );
  }, 60_000);
});

describe("any damage to a real file is a clear error or none", () => {
  let golden: Awaited<ReturnType<typeof unpackGolden>>;
  const FILES = ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"];
  beforeAll(async () => {
    golden = await unpackGolden("tf2-signatures");
  });
  afterAll(() => rm(golden.folder, { recursive: true }));

  async function outcome(): Promise<void> {
    try {
      await readAllSignatures(golden.folder);
    } catch (error) {
      if (!(error instanceof ServeError)) throw error;
      expect(["MODEL_INVALID", "MODEL_UNSUPPORTED"]).toContain(error.reason);
    }
  }

  test.each(FILES)(
    "%s with bytes changed",
    async (name) => {
      const file = path.join(golden.folder, name);
      const bytes = new Uint8Array(await readFile(file));
      let state = 12345;
      const random = (below: number) => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        return Math.floor((state / 2 ** 32) * below);
      };
      for (let round = 0; round < 300; round++) {
        const damaged = new Uint8Array(bytes);
        for (let count = 0; count <= round % 4; count++) damaged[random(bytes.length)] = random(256);
        await writeFile(file, damaged);
        await outcome();
      }
      await writeFile(file, bytes);
    },
    120_000,
  );

  test.each(FILES)(
    "%s cut off",
    async (name) => {
      const file = path.join(golden.folder, name);
      const bytes = new Uint8Array(await readFile(file));
      for (let part = 0; part < 100; part++) {
        await writeFile(file, bytes.subarray(0, Math.floor((bytes.length * part) / 100)));
        await outcome();
      }
      await writeFile(file, bytes);
    },
    120_000,
  );
});

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}
