import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { ServeError } from "@vitrine/protocol/status";
import { afterAll, describe, expect, it } from "vitest";
import {
  AttributeProto,
  FunctionProto,
  ModelProto,
  NodeProto,
  TensorProto,
  type ValueInfoProto,
} from "../gen/onnx/onnx.js";
import { readOnnx } from "./read-onnx.js";

const folder = mkdtempSync(path.join(tmpdir(), "vitrine-hostile-onnx-"));
afterAll(() => rmSync(folder, { recursive: true }));

const NOTHING = new Uint8Array(0);
const node = (fields: Partial<NodeProto>) => ({ ...NodeProto.decode(NOTHING), ...fields });
const tensor = (fields: Partial<TensorProto>) => ({ ...TensorProto.decode(NOTHING), dataType: 1, ...fields });
const entry = (key: string, value: string) => ({ key, value });

function value(name: string, ...sizes: number[]): ValueInfoProto {
  const dim = sizes.map((size) => ({ value: { $case: "dimValue", value: BigInt(size) } as const }));
  return {
    name,
    type: { tensorType: { elemType: 1, shape: { dim } }, sequenceType: NOTHING, mapType: NOTHING },
  };
}

type GraphFields = Partial<NonNullable<ModelProto["graph"]>>;

function model(graph: GraphFields, fields: Partial<ModelProto> = {}): Uint8Array {
  return ModelProto.encode({
    ...ModelProto.decode(NOTHING),
    irVersion: 8n,
    opsetImport: [{ domain: "", version: 17n }],
    graph: {
      name: "g",
      node: [node({ opType: "Relu", input: ["x"], output: ["y"] })],
      input: [value("x", 1, 4)],
      output: [value("y", 1, 4)],
      initializer: [],
      sparseInitializer: [],
      ...graph,
    },
    ...fields,
  }).finish();
}

let count = 0;
function read(bytes: Uint8Array) {
  const file = path.join(folder, `${count++}.onnx`);
  writeFileSync(file, bytes);
  return readOnnx(file);
}

async function refusal(bytes: Uint8Array): Promise<ServeError> {
  const error = await read(bytes).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ServeError);
  return error as ServeError;
}

const external = (location: string, more: { key: string; value: string }[] = []) =>
  model({
    initializer: [
      tensor({
        name: "w",
        dims: [4n],
        dataLocation: 1,
        externalData: [entry("location", location), ...more],
      }),
    ],
  });

const call = (name: string) => node({ opType: name, domain: "own", input: ["a"], output: ["b"] });
const functionOf = (name: string, nodes: NodeProto[]): FunctionProto => ({
  ...FunctionProto.decode(NOTHING),
  ...{ name, domain: "own", input: ["a"], output: ["b"], node: nodes, opsetImport: [] },
});

const CORPUS: readonly (readonly [string, Uint8Array, string, RegExp])[] = [
  ["nothing", NOTHING, "MODEL_INVALID", /no graph/],
  ["text", Buffer.from("this is not a model, sorry"), "MODEL_INVALID", /no ONNX model/],
  ["a zip", Buffer.from("PK\x03\x04aaaaaaaaaaaaaaaa", "latin1"), "MODEL_INVALID", /no ONNX model/],
  ["no opset", model({}, { opsetImport: [] }), "MODEL_INVALID", /no opset/],
  [
    "opset 6",
    model({}, { opsetImport: [{ domain: "", version: 6n }] }),
    "MODEL_UNSUPPORTED",
    /opset 6, expected 7/,
  ],
  ["opset 99", model({}, { opsetImport: [{ domain: "", version: 99n }] }), "MODEL_UNSUPPORTED", /opset 99/],
  [
    "a shape of 100 GB with few bytes",
    model({ initializer: [tensor({ name: "w", dims: [25_000_000_000n], rawData: new Uint8Array(8) })] }),
    "MODEL_INVALID",
    /8 bytes, expected 100000000000/,
  ],
  [
    "a shape of 100 GB of varints",
    model({
      initializer: [tensor({ name: "w", dataType: 7, dims: [2n ** 34n], int64Data: [new Uint8Array(8)] })],
    }),
    "MODEL_INVALID",
    /8 bytes, expected at least/,
  ],
  [
    "a shape beyond numbers",
    model({ initializer: [tensor({ name: "w", dims: [2n ** 40n, 2n ** 40n], rawData: new Uint8Array(8) })] }),
    "MODEL_INVALID",
    /memory can hold/,
  ],
  [
    "a negative size",
    model({ initializer: [tensor({ name: "w", dims: [-1n] })] }),
    "MODEL_INVALID",
    /dimension of -1/,
  ],
  [
    "a thousand dimensions",
    model({ initializer: [tensor({ name: "w", dims: new Array<bigint>(1000).fill(1n) })] }),
    "MODEL_INVALID",
    /1000 dimensions/,
  ],
  [
    "int4 weights",
    model({ initializer: [tensor({ name: "w", dataType: 22 })] }),
    "MODEL_UNSUPPORTED",
    /data type 22/,
  ],
  [
    "a value that nothing computes",
    model({ node: [node({ opType: "Relu", input: ["lost"], output: ["y"] })] }),
    "MODEL_INVALID",
    /took lost/,
  ],
  [
    "a missing output",
    model({ output: [value("other", 1)] }),
    "MODEL_INVALID",
    /output other had no node that computes it/,
  ],
  [
    "a cycle",
    model({
      node: [
        node({ name: "a", opType: "Add", input: ["x", "z"], output: ["y"] }),
        node({ name: "b", opType: "Relu", input: ["y"], output: ["z"] }),
      ],
    }),
    "MODEL_INVALID",
    /without cycles/,
  ],
  [
    "one value twice",
    model({ node: [1, 2].map(() => node({ opType: "Relu", input: ["x"], output: ["y"] })) }),
    "MODEL_INVALID",
    /y twice/,
  ],
  [
    "an axis that is not there",
    model({
      node: [
        node({
          ...{ opType: "Concat", input: ["x", "x"], output: ["y"] },
          attribute: [{ ...AttributeProto.decode(NOTHING), name: "axis", type: 2, i: 7n }],
        }),
      ],
    }),
    "MODEL_INVALID",
    /out of range|axis/,
  ],
  [
    "a kernel larger than its picture",
    model({
      node: [node({ name: "big", opType: "Conv", input: ["x", "w"], output: ["y"] })],
      input: [value("x", 1, 1, 2, 2)],
      initializer: [tensor({ name: "w", dims: [1n, 1n, 5n, 5n], rawData: new Uint8Array(100) })],
    }),
    "MODEL_INVALID",
    /big \(Conv\) gave shape/,
  ],
  [
    "operators of another's",
    model({
      node: [
        node({ name: "n", opType: "FusedMatMul", domain: "com.microsoft", input: ["x"], output: ["y"] }),
      ],
    }),
    "MODEL_UNSUPPORTED",
    /n is a com.microsoft.FusedMatMul, expected/,
  ],
  [
    "a branch",
    model({ node: [node({ name: "n", opType: "If", input: ["x"], output: ["y"] })] }),
    "MODEL_UNSUPPORTED",
    /n is a If, expected/,
  ],
  [
    "a function that calls itself",
    model({ node: [call("f")] }, { functions: [functionOf("f", [call("f")])] }),
    "MODEL_INVALID",
    /calls deep/,
  ],
  [
    "functions that double thirty times",
    model(
      { node: [call("f0")] },
      {
        functions: Array.from({ length: 31 }, (_, index) =>
          functionOf(`f${index}`, index < 30 ? [call(`f${index + 1}`), call(`f${index + 1}`)] : []),
        ),
      },
    ),
    "MODEL_INVALID",
    /grew beyond/,
  ],
  ["weights above the folder", external("../secret"), "MODEL_INVALID", /file in the model's folder/],
  ["weights at an absolute path", external("/etc/passwd"), "MODEL_INVALID", /file in the model's folder/],
  ["weights in the folder itself", external("."), "MODEL_INVALID", /file in the model's folder/],
  ["weights that are not there", external("none.bin"), "MODEL_INVALID", /to exist/],
  ["weights behind a link to elsewhere", external("link.bin"), "MODEL_INVALID", /link to elsewhere/],
  ["weights that are a folder", external("inner"), "MODEL_INVALID", /file of 0/],
  ["weights that are too short", external("short.bin"), "MODEL_INVALID", /at 0 to 16 of a file of 4/],
  [
    "weights at a hostile offset",
    external("short.bin", [entry("offset", "-16")]),
    "MODEL_INVALID",
    /offset "-16", expected a whole number/,
  ],
  [
    "weights of another length than their shape",
    external("short.bin", [entry("length", "99999999999")]),
    "MODEL_INVALID",
    /99999999999 bytes, expected 16/,
  ],
];

describe("a hostile ONNX model is refused with words", () => {
  writeFileSync(path.join(folder, "short.bin"), new Uint8Array(4));
  mkdirSync(path.join(folder, "inner"));
  symlinkSync("/etc/hostname", path.join(folder, "link.bin"));

  it.each(CORPUS)("%s", async (_, bytes, reason, message) => {
    const error = await refusal(bytes);
    expect(error.message).toMatch(message);
    expect(error.reason).toBe(reason);
  });

  it("millions of empty tensors, in bounded memory", async () => {
    const before = process.memoryUsage().rss;
    // Two bytes each: field 5 of a graph, length 0.
    const tensors = Buffer.alloc(40_000_000, Buffer.of(0x2a, 0x00));
    const bytes = new BinaryWriter().uint32(58).bytes(tensors).finish();
    expect((await refusal(bytes)).message).toMatch(/no ONNX model/);
    expect(process.memoryUsage().rss - before).toBeLessThan(1.2e9);
  });

  it("a hundred thousand groups inside each other", async () => {
    const groups = Buffer.alloc(100_000, 0x0b);
    expect((await refusal(Buffer.concat([groups, Buffer.alloc(100_000, 0x0c)]))).reason).toBe(
      "MODEL_INVALID",
    );
  });

  it("a real model cut anywhere", async () => {
    const whole = readFileSync(
      fileURLToPath(new URL("../../golden/onnx/torch-small-opset17.onnx", import.meta.url)),
    );
    for (let length = 0; length < whole.length; length += 97) await refusal(whole.subarray(0, length));
  });

  it("a real model with a byte changed is read or refused, never more", async () => {
    const whole = readFileSync(
      fileURLToPath(new URL("../../golden/onnx/opset7-classifier.onnx", import.meta.url)),
    );
    for (let at = 0; at < whole.length; at += 3) {
      const bytes = Uint8Array.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ 0x55;
      const thrown = await read(bytes).catch((error: unknown) => error);
      if (thrown instanceof Error) expect(thrown, `byte ${at}`).toBeInstanceOf(ServeError);
    }
  });
});
