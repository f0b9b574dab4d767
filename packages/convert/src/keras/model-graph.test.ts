import { ServeError } from "@vitrine/protocol/status";
import type { Tensor } from "@vitrine/protocol/tensor";
import { describe, expect, it } from "vitest";
import { float32Constant } from "../graph/constant-values.js";
import type { Constant, Graph } from "../graph/graph.js";
import { runGraph } from "../run-graph.js";
import { parseModelConfig } from "./config.js";
import type { Hdf5 } from "./hdf5.js";
import type { KerasVersion } from "./layer-call.js";
import { modelGraph } from "./model-graph.js";
import { namedWeights } from "./weights.js";

type Json = Record<string, unknown>;

const input = (name = "x", shape: unknown = [null, 4]): Json => ({
  class_name: "InputLayer",
  name,
  config: { name, batch_input_shape: shape, dtype: "float32" },
  inbound_nodes: [],
});

/** @param from names of the layers whose first results it takes. */
const layer = (className: string, name: string, from: readonly string[], config: Json = {}): Json => ({
  class_name: className,
  name,
  config: { name, ...config },
  inbound_nodes: [from.map((other) => [other, 0, 0, {}])],
});

const functional = (layers: readonly Json[], output: string, inputs = ["x"], name = "model"): Json => ({
  class_name: "Functional",
  config: {
    name,
    layers,
    input_layers: inputs.map((one) => [one, 0, 0]),
    output_layers: [[output, 0, 0]],
  },
});

function weightsOf(groups: Readonly<Record<string, Readonly<Record<string, Constant>>>>): Hdf5 {
  const entries = Object.entries(groups);
  return {
    groups: new Map(
      entries.map(([group, weights]) => [`/w/${group}`, { weight_names: Object.keys(weights) }]),
    ),
    datasets: new Map(
      entries.flatMap(([group, weights]) =>
        Object.entries(weights).map(([name, constant]) => [`/w/${group}/${name}`, constant] as const),
      ),
    ),
  };
}

function graphOf(
  model: Json,
  weights: Parameters<typeof weightsOf>[0] = {},
  version: KerasVersion = 2,
): Graph {
  return modelGraph(parseModelConfig(JSON.stringify(model)), version, namedWeights(weightsOf(weights), "/w"));
}

function refusal(make: () => unknown): ServeError {
  try {
    make();
  } catch (error) {
    if (error instanceof ServeError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

const values = (size: number, shape: readonly number[]): Constant =>
  float32Constant(
    Array.from({ length: size }, (_, index) => index / size),
    shape,
  );

async function run(graph: Graph, ...data: readonly number[][]): Promise<number[]> {
  const feeds = graph.inputs.map(({ alias }, index) => {
    const row = Float32Array.from(data[index] ?? data[0] ?? []);
    return [alias, { dtype: 1, shape: [1, row.length], data: row }] as const;
  });
  const results = await runGraph(graph, new Map(feeds));
  return Array.from(results.get(graph.outputs[0]?.alias ?? "")?.data as Float32Array);
}

describe("what cannot be converted", () => {
  const layers = Array.from({ length: 12 }, (_, index) =>
    layer(index === 0 ? "Lambda" : "MyLayer", `custom_${index}`, [index === 0 ? "x" : `custom_${index - 1}`]),
  );

  it("is named, up to ten layers of it, with what would help", () => {
    const { reason, message } = refusal(() => graphOf(functional([input(), ...layers], "custom_11")));
    expect(reason).toBe("MODEL_UNSUPPORTED");
    expect(message).toMatch(/^custom_0 is a Lambda, expected .*its Python code is never run/);
    expect(message).toContain("custom_9 is a MyLayer");
    expect(message).not.toContain("custom_10");
    expect(message).toMatch(/And 2 more layers$/);
  });

  it("is found in nested models, with its path", () => {
    const inner = { ...functional([input("i"), layer("LSTM", "memory", ["i"])], "memory", ["i"], "inner") };
    const outer = { ...inner, name: "inner", inbound_nodes: [[["x", 0, 0, {}]]] };
    expect(refusal(() => graphOf(functional([input(), outer], "inner"))).message).toMatch(
      /^inner\/memory is a LSTM/,
    );
  });

  it("is not a custom layer that has a built-in one's name", () => {
    const model = functional([input(), layer("Custom>Dense", "dense", ["x"], { units: 2 })], "dense");
    expect(refusal(() => graphOf(model)).reason).toBe("MODEL_UNSUPPORTED");
  });

  it("is a call that is fixed to training", () => {
    const dropout = layer("Dropout", "drop", ["x"], { rate: 0.5 });
    dropout.inbound_nodes = [[["x", 0, 0, { training: true }]]];
    expect(refusal(() => graphOf(functional([input(), dropout], "drop"))).message).toContain("training=True");
  });

  it("is an activation that Keras does not have", () => {
    const model = functional([input(), layer("Activation", "act", ["x"], { activation: "my_fn" })], "act");
    expect(refusal(() => graphOf(model)).message).toContain("act is an Activation with the activation my_fn");
  });
});

describe("damaged configurations", () => {
  it.each([
    ["no JSON", "{", /not JSON/],
    ["no model", '{"class_name": "Dense", "config": {}}', /was a Dense, expected Sequential or Functional/],
    ["a subclassed model", '{"class_name": "MyModel", "config": {}}', /subclassed/],
    ["no layers", '{"class_name": "Sequential", "config": []}', /no layers/],
    [
      "layers that are none",
      '{"class_name": "Sequential", "config": {"name": "s", "layers": [1]}}',
      /no class_name/,
    ],
  ])("with %s are refused", (_words, text, message) => {
    const error = refusal(() => parseModelConfig(text));
    expect(error.reason).toBe("MODEL_INVALID");
    expect(error.message).toMatch(message);
  });

  it("whose layers depend on themselves are refused", () => {
    const cycle = [input(), layer("Add", "a", ["x", "b"]), layer("ReLU", "b", ["a"])];
    expect(refusal(() => graphOf(functional(cycle, "b"))).message).toMatch(
      /model\/a: it depends on its own result/,
    );
  });

  it("that take what no layer makes are refused", () => {
    expect(
      refusal(() => graphOf(functional([input(), layer("ReLU", "b", ["nobody"])], "b"))).message,
    ).toContain("nobody");
    expect(refusal(() => graphOf(functional([input()], "nobody"))).message).toContain("nobody");
  });

  it("that nest models without end are refused", () => {
    let text = '{"class_name": "ReLU", "config": {"name": "r"}}';
    for (let depth = 0; depth < 5000; depth++)
      text = `{"class_name": "Sequential", "config": {"name": "s${depth}", "layers": [${text}]}}`;
    expect(refusal(() => parseModelConfig(text)).message).toContain("nested deeper than 32 levels");
  });

  it("that call shared models over and over are refused in bounded time", () => {
    let model = functional([input("i0"), layer("ReLU", "r", ["i0"])], "r", ["i0"], "m0");
    for (let depth = 1; depth < 28; depth++) {
      const inner = {
        ...model,
        name: `m${depth - 1}`,
        inbound_nodes: [[[`i${depth}`, 0, 0, {}]], [[`i${depth}`, 0, 0, {}]]],
      };
      const sum = {
        ...layer("Add", "sum", []),
        inbound_nodes: [
          [
            [`m${depth - 1}`, 0, 0, {}],
            [`m${depth - 1}`, 1, 0, {}],
          ],
        ],
      };
      model = functional([input(`i${depth}`), inner, sum], "sum", [`i${depth}`], `m${depth}`);
    }
    expect(refusal(() => graphOf(model)).message).toContain("more than 20000 calls");
  });

  it("with long chains of layers are walked without running out of stack", () => {
    const chain = Array.from({ length: 10_000 }, (_, index) =>
      layer("ReLU", `r${index}`, [index === 0 ? "x" : `r${index - 1}`]),
    ).reverse();
    expect(graphOf(functional([input(), ...chain], "r9999")).nodes).toHaveLength(10_000);
  });

  it.each([
    ["Dense", { units: -3 }],
    ["Dense", { units: 1e12 }],
    ["Dense", { units: "many" }],
    ["Reshape", { target_shape: [7, -1] }],
    ["Permute", { dims: [1, 1] }],
    ["Softmax", { axis: 5 }],
    ["Concatenate", { axis: 9 }],
  ])("whose %s has options %o are refused", (className, config) => {
    const error = refusal(() =>
      graphOf(functional([input(), layer(className, "odd", ["x"], config)], "odd")),
    );
    expect(error.reason).toBe("MODEL_INVALID");
    expect(error.message).toMatch(/^odd: /);
  });

  it.each([
    ["LayerNormalization", [null, 2 ** 31], { axis: -1, scale: false, center: false }],
    ["Resizing", [null, 2 ** 20, 2 ** 19, 1], { height: 1000, width: 7, interpolation: "lanczos3" }],
    ["AdaptiveMaxPooling1D", [null, 2 ** 30, 1], { output_size: 2 ** 30 }],
    ["AdaptiveAveragePooling1D", [null, 2 ** 30, 1], { output_size: 1000 }],
  ])(
    "whose %s of %o would take memory for what the file does not hold are refused",
    (className, shape, config) => {
      const model = functional([input("x", shape), layer(className, "huge", ["x"], config)], "huge");
      expect(refusal(() => graphOf(model)).message).toMatch(/^huge: it had \d+ .*, expected at most/);
    },
  );

  it("whose input states no shape are refused with what would help", () => {
    const model = functional([input("x", null), layer("ReLU", "r", ["x"])], "r");
    expect(refusal(() => graphOf(model)).message).toContain("call the model once before saving it");
  });
});

describe("weights", () => {
  const dense = functional([input(), layer("Dense", "fc", ["x"], { units: 2 })], "fc");
  const kernel = values(8, [4, 2]);
  const bias = float32Constant([1, 2], [2]);

  it("are matched by name, whatever their order and the scope they were made in", async () => {
    const expected = [1 + 1.5, 2 + 2];
    for (const names of [
      { "fc/bias:0": bias, "fc/kernel:0": kernel },
      { "fc_1/kernel:0": kernel, "fc_1/bias:0": bias },
      { "scope/fc/kernel:0": kernel, "scope/fc/bias:0": bias },
      { fc_W: kernel, fc_b: bias },
    ])
      expect(await run(graphOf(dense, { fc: names }), [1, 1, 1, 1])).toEqual(expected);
  });

  it("of a shape that the layer cannot have are refused", () => {
    const wrong = { fc: { "fc/kernel:0": values(8, [2, 4]), "fc/bias:0": bias } };
    expect(refusal(() => graphOf(dense, wrong)).message).toBe(
      "fc: its weight kernel had shape [2, 4], expected [4, 2]",
    );
  });

  it("that are missing or stored for another layer are refused with what was there", () => {
    expect(refusal(() => graphOf(dense)).message).toContain("fc: the file had no weight kernel for it");
    const message = refusal(() => graphOf(dense, { fc: { "fc/gamma:0": bias } })).message;
    expect(message).toContain("only fc/gamma");
  });

  it("of nested models are told apart by the layer's name, and by the models around it", async () => {
    const inner = (name: string): Json => ({
      ...functional(
        [input("i"), layer("Dense", "fc", ["i"], { units: 2, use_bias: false })],
        "fc",
        ["i"],
        name,
      ),
      name,
      inbound_nodes: [[["x", 0, 0, {}]]],
    });
    const both = functional([input(), inner("a"), inner("b"), layer("Subtract", "d", ["a", "b"])], "d");
    const outer = functional(
      [input("y"), { ...both, name: "outer", inbound_nodes: [[["y", 0, 0, {}]]] }],
      "outer",
      ["y"],
    );
    const weights = {
      outer: { "b/fc/kernel:0": float32Constant([0, 0, 0, 0, 0, 0, 0, 1], [4, 2]), "a/fc/kernel:0": kernel },
    };
    expect(await run(graphOf(outer, weights), [1, 1, 1, 1])).toEqual([1.5, 1]);
    const ambiguous = { outer: { "fc/kernel:0": kernel, "s/fc/kernel:0": kernel, "t/fc/kernel:0": kernel } };
    expect(
      graphOf(outer, { outer: { "a/fc/kernel:0": kernel, "b/fc/kernel:0": kernel } }).nodes,
    ).toHaveLength(3);
    expect(refusal(() => graphOf(outer, ambiguous)).reason).toBe("MODEL_INVALID");
  });

  it("of a layer that is called twice are written down once", async () => {
    const twice = functional(
      [
        input("x"),
        {
          ...layer("Dense", "fc", []),
          inbound_nodes: [[["x", 0, 0, {}]], [["r", 0, 0, {}]]],
          config: { name: "fc", units: 4, use_bias: false },
        },
        layer("ReLU", "r", ["fc"]),
        {
          ...layer("Add", "sum", []),
          inbound_nodes: [
            [
              ["fc", 0, 0, {}],
              ["fc", 1, 0, {}],
            ],
          ],
        },
      ],
      "sum",
    );
    const identity = float32Constant([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], [4, 4]);
    const graph = graphOf(twice, { fc: { "fc/kernel:0": identity } });
    expect([...graph.constants.keys()]).toEqual(["fc/kernel"]);
    expect(await run(graph, [1, -2, 3, -4])).toEqual([2, -2, 6, -4]);
  });
});

describe("channels first", () => {
  const size = { kernel_size: [3, 2], strides: [2, 1], padding: "same", filters: 4, depth_multiplier: 2 };
  const weights = {
    odd: {
      "odd/kernel:0": values(3 * 2 * 3 * 4, [3, 2, 3, 4]),
      "odd/depthwise_kernel:0": values(3 * 2 * 3 * 2, [3, 2, 3, 2]),
      "odd/pointwise_kernel:0": values(6 * 4, [1, 1, 6, 4]),
      "odd/bias:0": values(4, [4]),
    },
  };
  const transposed = { odd: { ...weights.odd, "odd/kernel:0": values(3 * 2 * 4 * 3, [3, 2, 4, 3]) } };
  const wide = { odd: { ...weights.odd, "odd/bias:0": values(6, [6]) } };

  it.each([
    ["Conv2D", weights],
    ["Conv2DTranspose", transposed],
    ["SeparableConv2D", weights],
    ["DepthwiseConv2D", wide],
    ["MaxPooling2D", {}],
    ["AveragePooling2D", {}],
    ["UpSampling2D", {}],
    ["ZeroPadding2D", {}],
    ["Cropping2D", {}],
    ["GlobalAveragePooling2D", {}],
  ] as const)("%s gives what it gives with channels last", async (className, named) => {
    const special = { ZeroPadding2D: { padding: 1 }, Cropping2D: { cropping: 1 }, UpSampling2D: { size: 2 } };
    const options = {
      ...(/Conv|Pooling/.test(className) ? { ...size, pool_size: [3, 2] } : {}),
      ...(className in special ? special[className as keyof typeof special] : {}),
    };
    const results = await Promise.all(
      ["channels_first", "channels_last"].map(async (dataFormat) => {
        const first = dataFormat === "channels_first";
        const odd = layer(className, "odd", [first ? "turned" : "x"], {
          ...options,
          data_format: dataFormat,
        });
        const turn = layer("Permute", "turned", ["x"], { dims: [3, 1, 2] });
        const back = layer("Permute", "back", ["odd"], { dims: [2, 3, 1] });
        const flat = className.startsWith("Global");
        const model = functional(
          [input("x", [null, 5, 6, 3]), ...(first ? [turn, odd, ...(flat ? [] : [back])] : [odd])],
          first && !flat ? "back" : "odd",
        );
        const data = Float32Array.from({ length: 90 }, (_, index) => Math.sin(index));
        const graph = graphOf(model, structuredClone(named));
        const given = await runGraph(
          graph,
          new Map<string, Tensor>([["x", { dtype: 1, shape: [1, 5, 6, 3], data }]]),
        );
        return given.get(first && !flat ? "back" : "odd");
      }),
    );
    const [first, last] = results;
    expect(first?.shape).toEqual(last?.shape);
    const [a, b] = results.map((result) => Array.from(result?.data as Float32Array));
    expect(
      Math.max(...(a ?? []).map((value, index) => Math.abs(value - (b?.[index] ?? Number.NaN)))),
    ).toBeLessThan(1e-5);
  });
});

describe("an activation that is a layer", () => {
  it.each([
    [{ class_name: "LeakyReLU", config: { name: "l", alpha: 0.5 } }, [-1, -0.5, 1, 2]],
    [
      { module: "keras.layers", class_name: "LeakyReLU", config: { name: "l" }, registered_name: null },
      [-0.6, -0.3, 1, 2],
    ],
    [{ class_name: "ReLU", config: { max_value: 1.5 } }, [0, 0, 1, 1.5]],
    [{ class_name: "function", config: "relu", module: "builtins" }, [0, 0, 1, 2]],
  ])("%o is applied with its own options", async (activation, wanted) => {
    const model = functional([input(), layer("Activation", "act", ["x"], { activation })], "act");
    const given = await run(graphOf(model), [-2, -1, 1, 2]);
    expect(given.map((value) => Number(value.toFixed(4)))).toEqual(wanted);
  });
});

describe("old words", () => {
  it("a nested model whose first call is node 1 is found", async () => {
    const inner = {
      ...functional([input("i"), layer("ReLU", "r", ["i"])], "r", ["i"], "inner"),
      name: "inner",
      inbound_nodes: [[["x", 0, 0, {}]]],
    };
    const after = {
      ...layer("Activation", "act", [], { activation: "linear" }),
      inbound_nodes: [[["inner", 1, 0, {}]]],
    };
    expect(await run(graphOf(functional([input(), inner, after], "act")), [1, -1, 2, -2])).toEqual([
      1, 0, 2, 0,
    ]);
  });

  it("InceptionResNetV2's residual Lambda is known by where it comes from", async () => {
    const residual = layer("Lambda", "block35_1", ["x", "y"], {
      function: ["4wIAAAAAAAAA", null, null],
      module: "tensorflow.python.keras.applications.inception_resnet_v2",
      arguments: { scale: 0.5 },
    });
    const model = functional([input("x"), input("y"), residual], "block35_1", ["x", "y"]);
    expect(await run(graphOf(model), [1, 2, 3, 4], [2, 2, 2, 2])).toEqual([2, 3, 4, 5]);
  });

  it("weight_decay, groups of null and unknown options change nothing", async () => {
    const convolution = layer("Conv2D", "conv", ["x"], {
      filters: 1,
      kernel_size: [1, 1],
      strides: [1, 1],
      padding: "valid",
      dilation_rate: [1, 1],
      groups: null,
      activation: "linear",
      use_bias: false,
      weight_decay: 0.004,
      batch_input_shape: [null, 2, 2, 1],
    });
    const model = functional([input("x", [null, 2, 2, 1]), convolution], "conv");
    const graph = graphOf(model, { conv: { "conv/kernel:0": float32Constant([3], [1, 1, 1, 1]) } });
    const feeds = new Map<string, Tensor>([
      ["x", { dtype: 1, shape: [1, 2, 2, 1], data: Float32Array.of(1, 2, 3, 4) }],
    ]);
    expect((await runGraph(graph, feeds)).get("conv")?.data).toEqual(Float32Array.of(3, 6, 9, 12));
  });

  it("Keras 1's kernels under th ordering are [outputs, inputs, rows, columns]", async () => {
    const convolution = layer("Convolution2D", "conv", ["x"], {
      nb_filter: 2,
      nb_row: 1,
      nb_col: 2,
      border_mode: "valid",
      subsample: [1, 1],
      dim_ordering: "th",
      bias: false,
    });
    const model = functional([input("x", [null, 1, 1, 3]), convolution], "conv");
    const weights = { conv: { conv_W: float32Constant([1, 10, 100, 1000], [2, 1, 1, 2]) } };
    const graph = graphOf(model, weights, 1);
    const feeds = new Map<string, Tensor>([
      ["x", { dtype: 1, shape: [1, 1, 1, 3], data: Float32Array.of(1, 2, 3) }],
    ]);
    expect((await runGraph(graph, feeds)).get("conv")?.data).toEqual(Float32Array.of(21, 32, 2100, 3200));
  });
});
