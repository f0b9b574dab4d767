/** What a client of TensorFlow Serving's REST API is answered. Values were computed by hand; the models are plain sums. */
import { request as httpRequest } from "node:http";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isOurs, Target } from "./target.js";

let target: Target;
beforeAll(async () => {
  target = await Target.start();
});
afterAll(() => target.stop());

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly type: string | undefined;
}

/** node:http sends the path as it is written; fetch would mend it. */
function send(method: string, path: string, body?: string | Uint8Array, headers = {}): Promise<Reply> {
  const { hostname, port } = new URL(target.rest);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, method, path, headers });
    request.on("error", reject);
    request.on("response", async (response) => {
      const text = Buffer.concat(await response.toArray()).toString();
      resolve({ status: response.statusCode ?? 0, text, type: response.headers["content-type"] });
    });
    request.end(body);
  });
}

/** JSON with TensorFlow Serving's words for what is no number. */
function parse(text: string): unknown {
  return JSON.parse(text.replaceAll(/(?<![\w"])(NaN|-?Infinity)(?![\w"])/g, '"$1"'));
}

const predict = (model: string) => `/v1/models/${model}:predict`;

describe("is answered:", () => {
  test.each<[string, string, string, unknown]>([
    [
      "rows of one input",
      "dynamic",
      '{"instances": [[1, 0, 0], [0, 1.5, 0]]}',
      {
        predictions: [
          [1, 2],
          [4.5, 6],
        ],
      },
    ],
    ["rows as objects", "dynamic", '{"instances": [{"x": [1, 1, 1]}]}', { predictions: [[9, 12]] }],
    ["rows of two inputs", "add", '{"instances": [{"x": [1, 2], "y": [3, 4]}]}', { predictions: [[4, 6]] }],
    ["columns of one input", "dynamic", '{"inputs": [[1, 0, 0]]}', { outputs: [[1, 2]] }],
    ["columns by name", "dynamic", '{"inputs": {"x": [[0, 0, 1]]}}', { outputs: [[5, 6]] }],
    ["columns of two inputs", "add", '{"inputs": {"x": [[1, 2]], "y": [[3, 4]]}}', { outputs: [[4, 6]] }],
    ["a surplus column", "add", '{"inputs": {"x": [[1, 2]], "y": [[3, 4]], "z": 1}}', { outputs: [[4, 6]] }],
    ["a scalar column", "scalar", '{"inputs": 1.25}', { outputs: 2.5 }],
    [
      "a signature",
      "two-signatures",
      '{"signature_name": "negate", "instances": [[1, -2]]}',
      { predictions: [[-1, 2]] },
    ],
    [
      "an empty signature name",
      "two-signatures",
      '{"signature_name": "", "instances": [[1, 2]]}',
      { predictions: [[2, 4]] },
    ],
    ["unknown keys", "dynamic", '{"foo": {"a": []}, "instances": [[1, 0, 0]]}', { predictions: [[1, 2]] }],
    ["text behind the value", "dynamic", '{"instances": [[1, 0, 0]]} and so on', { predictions: [[1, 2]] }],
    [
      "words for what is no number",
      "add",
      '{"instances": [{"x": [NaN, Infinity], "y": [1, 1]}, {"x": [-Infinity, 0], "y": [1, -Inf]}]}',
      {
        predictions: [
          ["NaN", "Infinity"],
          ["-Infinity", "-Infinity"],
        ],
      },
    ],
    [
      "several outputs in rows",
      "pixel-sum",
      '{"instances": [[[[1, 2, 3], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]]]}',
      {
        predictions: [
          {
            total: 6,
            floats: [
              [
                [1, 2, 3],
                [0, 0, 0],
              ],
              [
                [0, 0, 0],
                [0, 0, 0],
              ],
            ],
          },
        ],
      },
    ],
    [
      "several outputs in columns",
      "pixel-sum",
      '{"inputs": [[[[1, 2, 3], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]]]}',
      {
        outputs: {
          total: [6],
          floats: [
            [
              [
                [1, 2, 3],
                [0, 0, 0],
              ],
              [
                [0, 0, 0],
                [0, 0, 0],
              ],
            ],
          ],
        },
      },
    ],
    [
      "integers",
      "lookup",
      '{"instances": [0, 2]}',
      {
        predictions: [
          [10, 11],
          [30, 31],
        ],
      },
    ],
  ])("%s", async (_, model, body, expected) => {
    const reply = await send("POST", predict(model), body);
    expect(reply).toMatchObject({ status: 200, type: "application/json" });
    expect(parse(reply.text)).toEqual(expected);
  });

  test("classes and values", async () => {
    const classes = await send("POST", "/v1/models/examples:classify", '{"examples": [{"x": [0.0, 0.0]}]}');
    const third = expect.closeTo(1 / 3, 5);
    expect(parse(classes.text)).toEqual({
      results: [
        [
          ["", third],
          ["", third],
          ["", third],
        ],
      ],
    });
    const body =
      '{"signature_name": "regress", "context": {"shift": 1.0}, "examples": [{"x": [0.0, 0.0]}, {"x": [1.0, 2.0]}]}';
    const values = await send("POST", "/v1/models/examples:regress", body);
    expect(parse(values.text)).toEqual({ results: [3, 8.25] });
  });

  test("floats as TensorFlow Serving writes them", async () => {
    const body = '{"instances": [{"x": [0.1, 9000000], "y": [0, 0]}, {"x": [1, 16777217], "y": [0, 0]}]}';
    const { text } = await send("POST", predict("add"), body);
    expect(text.replaceAll(/\s/g, "")).toBe('{"predictions":[[0.1,9e+06],[1.0,16777216.0]]}');
  });

  test("a gzipped body", async () => {
    const body = gzipSync('{"instances": [[1, 0, 0]]}');
    const reply = await send("POST", predict("dynamic"), body, { "content-encoding": "gzip" });
    expect(parse(reply.text)).toEqual({ predictions: [[1, 2]] });
  });

  test.each([
    "/v1/models/dynamic/versions/1:predict",
    "/v1/models/dynamic/versions/001:predict",
    "/V1/MODELS/dynamic:PREDICT",
    "/v1/models/d%79namic:predict",
  ])("POST %s", async (path) => {
    expect((await send("POST", path, '{"instances": [[1, 0, 0]]}')).status).toBe(200);
  });

  test.each(["", "/versions/1", "/labels/none"])("status at /v1/models/add%s", async (path) => {
    expect(parse((await send("GET", `/v1/models/add${path}`)).text)).toEqual({
      model_version_status: [
        { version: "1", state: "AVAILABLE", status: { error_code: "OK", error_message: "" } },
      ],
    });
  });

  test("metadata", async () => {
    const reply = await send("GET", "/v1/models/add/metadata");
    expect(parse(reply.text)).toMatchObject({
      model_spec: { name: "add", signature_name: "", version: "1" },
      metadata: {
        signature_def: {
          signature_def: {
            serving_default: {
              method_name: "tensorflow/serving/predict",
              inputs: {
                x: {
                  dtype: "DT_FLOAT",
                  name: "serving_default_x:0",
                  tensor_shape: {
                    dim: [
                      { size: "-1", name: "" },
                      { size: "2", name: "" },
                    ],
                    unknown_rank: false,
                  },
                },
              },
            },
          },
        },
      },
    });
  });

  test("a preflight, with an origin only", async () => {
    expect(await send("OPTIONS", predict("add"), undefined, { origin: "https://a.test" })).toMatchObject({
      status: 200,
      text: "",
    });
    expect((await send("OPTIONS", predict("add"))).status).toBe(400);
  });
});

describe("is refused:", () => {
  const rows = '{"instances": [[1, 0, 0]]}';
  test.each<[string, string, string | undefined, number, string]>([
    ["POST", predict("dynamic"), "", 400, "JSON Parse error: The document is empty"],
    ["POST", predict("dynamic"), "[1]", 400, ""],
    ["POST", predict("dynamic"), '{"instances": [[1, 0,', 400, "JSON Parse error: "],
    ["POST", predict("dynamic"), "{}", 400, "Missing 'inputs' or 'instances' key"],
    ["POST", predict("dynamic"), '{"instances": [], "inputs": []}', 400, ""],
    ["POST", predict("dynamic"), '{"instances": []}', 400, ""],
    ["POST", predict("dynamic"), '{"instances": 1}', 400, ""],
    ["POST", predict("dynamic"), '{"signature_name": 1, "instances": [[1, 0, 0]]}', 400, ""],
    [
      "POST",
      predict("dynamic"),
      '{"signature_name": "nope", "instances": [[1]]}',
      400,
      'Serving signature name: "nope" not found in signature def',
    ],
    [
      "POST",
      predict("dynamic"),
      '{"instances": [{"nope": [1, 0, 0]}]}',
      400,
      "JSON object: does not have named input: nope",
    ],
    ["POST", predict("dynamic"), '{"instances": [[1, "2", 3]]}', 400, "is not of expected type: float"],
    [
      "POST",
      predict("dynamic"),
      '{"instances": [[1, null, 3]]}',
      400,
      "Type: Null is not of expected type: float",
    ],
    ["POST", predict("dynamic"), '{"instances": [[1, 2], [3]]}', 400, ""],
    ["POST", predict("dynamic"), '{"instances": [[1, [2]], 3]}', 400, ""],
    ["POST", predict("dynamic"), '{"instances": [[1, 2]]}', 400, ""],
    ["POST", predict("lookup"), '{"instances": [0.5]}', 400, "is not of expected type: int64"],
    ["POST", predict("lookup"), '{"instances": [1.0]}', 400, "is not of expected type: int64"],
    ["POST", predict("lookup"), '{"instances": [99]}', 400, ""],
    [
      "POST",
      predict("add"),
      '{"instances": [[1, 2]]}',
      400,
      "instances is a plain list, but expecting list of objects",
    ],
    [
      "POST",
      predict("add"),
      '{"inputs": [[1, 2]]}',
      400,
      "inputs is a plain value/list, but expecting an object",
    ],
    [
      "POST",
      predict("add"),
      '{"inputs": {"x": [[1, 2]]}}',
      400,
      "Missing named input: y in 'inputs' object.",
    ],
    ["POST", predict("nope"), rows, 404, "Servable not found for request: Latest(nope)"],
    [
      "POST",
      "/v1/models/dynamic/versions/7:predict",
      rows,
      404,
      "Servable not found for request: Specific(dynamic, 7)",
    ],
    [
      "POST",
      "/v1/models/dynamic/labels/none:predict",
      rows,
      400,
      "Unrecognized servable version label: none",
    ],
    ["POST", "/v1/models/examples:classify", "{}", 400, ""],
    ["POST", "/v1/models/examples:classify", '{"examples": []}', 400, ""],
    ["POST", "/v1/models/examples:classify", '{"examples": [{"x": [1, 2.5]}]}', 400, ""],
    ["POST", "/v1/models/examples:classify", '{"examples": [{"x": [1, 2]}]}', 400, "Data types don't match"],
    ["POST", "/v1/models/examples:regress", '{"examples": [{"x": [1.0, 2.0]}]}', 400, ""],
    ["GET", "/v1/models/nope", undefined, 404, "Could not find any versions of model nope"],
    ["GET", "/v1/models/add/versions/7", undefined, 404, "Could not find version 7 of model add"],
    ["GET", "/v1/models/nope/metadata", undefined, 404, "Servable not found for request: Latest(nope)"],
    ["GET", "/v1/models", undefined, 400, ""],
    ["GET", "/v1/models/add?x=1", undefined, 400, "Malformed request: GET /v1/models/add?x=1"],
    ["GET", "/v1/models/add/", undefined, 400, "Malformed request: GET /v1/models/add/"],
    ["GET", predict("add"), undefined, 400, "Malformed request: GET"],
    ["PUT", "/v1/models/add", undefined, 400, "Malformed request: PUT"],
    ["POST", "/v1/models/add:explain", "{}", 400, "Malformed request: POST"],
    ["GET", "/v1/models/add/versions/99999999999999999999", undefined, 400, ""],
  ])("%s %s %s: %i %s", async (method, path, body, status, message) => {
    const reply = await send(method, path, body);
    expect(reply.status).toBe(status);
    expect(parse(reply.text)).toEqual({ error: expect.stringContaining(message) });
  });

  test("a dtype that JSON has no form for", async () => {
    const types = "float double uint8 int8 int16 uint32 int32 uint64 int64 half uint16".split(" ");
    const numbers = types.map((type) => `"${type}": [1]`).join(", ");
    const body = `{"inputs": {${numbers}, "bool": [true], "string": ["a"]}}`;
    const reply = await send("POST", predict("types"), body);
    expect(reply.status).toBe(501);
    expect(reply.text).toContain("Conversion of JSON Value: 1 to type: ");
  });

  test("a path outside", async () => {
    expect((await send("GET", "/elsewhere")).status).toBe(404);
  });
});

test.runIf(isOurs)("int64 beyond 2^53 stay exact", async () => {
  // TensorFlow Serving answers the same; the lookup refuses the value by its own digits.
  const { text } = await send("POST", predict("lookup"), '{"instances": [9007199254740993]}');
  expect(text).toContain("9007199254740993");
});
