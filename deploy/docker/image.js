/**
 * Entry point of the images. `image.js TIER ARG…` is `vitrine TIER ARG…`, as the image of TensorFlow Serving takes the
 * server's flags; `vitrine WORD ARG…` in place of them runs another command, and `sbom` prints what is in the image.
 */
import { readFileSync } from "node:fs";
import { run } from "./packages/cli/dist/main.js";

const [, , command, ...given] = process.argv;

if (given[0] === "sbom") {
  const tier = command === "serve" ? "model-server" : command;
  process.stdout.write(readFileSync(`/usr/share/sbom/${tier}.cdx.json`));
} else {
  process.exitCode = await run(given[0] === "vitrine" ? given.slice(1) : [command, ...given]);
}
