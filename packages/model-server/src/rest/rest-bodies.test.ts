import { DataType } from "@vitrine/protocol/tensor";
import { afterEach, expect, test } from "vitest";
import type { ElementType } from "../engine/worker-messages.js";
import { signaturesOf } from "../signature.js";
import { REAL_WORKER } from "../testing/start.js";
import { RestBodies } from "./rest-bodies.js";

const opened: RestBodies[] = [];
afterEach(async () => {
  for (const bodies of opened.splice(0)) await bodies.close();
});

function open(workerUrl = new URL("../rest/rest-body-worker.js", REAL_WORKER)): RestBodies {
  const bodies = new RestBodies(workerUrl);
  opened.push(bodies);
  return bodies;
}

const signatures = (type: ElementType) => () =>
  signaturesOf({ inputs: [{ name: "x", type, shape: ["n"] }], outputs: [] });

/** Above the size that is read at once. */
const SPACE = " ".repeat(7 * 1024 * 1024);

test.each<[ElementType, string, unknown]>([
  ["float32", "[1.5, NaN]", { dtype: DataType.DT_FLOAT, shape: [2], data: Float32Array.of(1.5, Number.NaN) }],
  ["float64", "[1.5]", { dtype: DataType.DT_DOUBLE, shape: [1], data: Float64Array.of(1.5) }],
  ["int64", "[9007199254740993]", { shape: [1], data: BigInt64Array.of(9007199254740993n) }],
  ["string", '["é"]', { shape: [1], data: [new Uint8Array(Buffer.from("é"))] }],
])("a large body of %s %s is read in the thread as a small one is here", async (type, values, expected) => {
  const bodies = open();
  for (const text of [`{"instances": ${values}}`, `{"instances": ${SPACE}${values}}`]) {
    const { form, inputs, signatureName } = await bodies.read(Buffer.from(text), signatures(type));
    expect({ form, signatureName }).toEqual({ form: "row", signatureName: "serving_default" });
    expect(inputs.get("x")).toMatchObject(expected as object);
  }
});

test("a large body that is refused is refused with the same words", async () => {
  const bodies = open();
  const read = (text: string) => bodies.read(Buffer.from(text), signatures("float32"));
  await expect(read(`{"instances": ${SPACE}["1"]}`)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("is not of expected type: float"),
  });
  await expect(read(`{"instances": ${SPACE}[`)).rejects.toThrow("JSON Parse error");
  await expect(read(`{"signature_name": "nope", "instances": ${SPACE}[1]}`)).rejects.toThrow(
    'Serving signature name: "nope" not found in signature def',
  );
});

test("a thread that dies fails those who wait for it, and the next body has a new one", async () => {
  const bodies = open(new URL("data:text/javascript,process.exit(1)"));
  for (let attempt = 0; attempt < 2; attempt++) {
    const read = bodies.read(Buffer.from(`{"instances": ${SPACE}[1]}`), signatures("float32"));
    await expect(read).rejects.toMatchObject({ reason: "WORKER_LOST" });
  }
});
