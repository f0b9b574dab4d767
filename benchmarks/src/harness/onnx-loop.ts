/** The counterpart of the model server: a bare ONNX Runtime loop in one thread. Prints runs' images and CPU seconds. */
import { InferenceSession, Tensor } from "onnxruntime-node";

const [modelFile = "", seconds = "1", rowsText = "1", output = ""] = process.argv.slice(2);
const rows = Number(rowsText);
const session = await InferenceSession.create(modelFile, { intraOpNumThreads: 1, interOpNumThreads: 1 });
const input = session.inputMetadata[0];
if (input?.isTensor !== true) throw new Error(`${modelFile} takes no tensor`);
const dims = input.shape.map((size) => (typeof size === "number" ? size : rows));
const elements = dims.reduce((product, size) => product * size, 1);
const tensor =
  input.type === "uint8"
    ? new Tensor(
        "uint8",
        new Uint8Array(elements).map((_, index) => index % 251),
        dims,
      )
    : new Tensor(
        "float32",
        new Float32Array(elements).map((_, index) => index % 251),
        dims,
      );
const feeds = { [input.name]: tensor };
for (let warm = 0; warm < 3; warm++) await session.run(feeds, [output]);

let images = 0;
const cpuBegan = process.cpuUsage();
const began = performance.now();
const ends = began + Number(seconds) * 1000;
while (performance.now() < ends) {
  await session.run(feeds, [output]);
  images += rows;
}
const wallSeconds = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(cpuBegan);
console.log(images, wallSeconds, (user + system) / 1e6);
