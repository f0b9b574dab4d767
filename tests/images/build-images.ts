/** Builds what the tests of this folder run. `DOCKER_BUILD_OPTIONS` are words for `docker build`, such as `--network host`. */
import { docker, IMAGES } from "./docker.js";

export async function setup(): Promise<void> {
  const options = (process.env.DOCKER_BUILD_OPTIONS ?? "").split(" ").filter((word) => word !== "");
  const build = (tag: string, file: string, ...words: string[]) =>
    docker("build", ...options, `--tag=${tag}`, `--file=deploy/docker/${file}.Dockerfile`, ...words);
  await build(IMAGES.gateway, "gateway", ".");
  await build(IMAGES.modelServer, "model-server", ".");
  const base = `--build-arg=BASE=${IMAGES.modelServer}`;
  await build(IMAGES.clothingModel, "model", base, "models/clothing-model");
  const standIn = "vitrine/tensorflow-serving-stand-in:test";
  const file = "--file=tests/images/tensorflow-serving-stand-in.Dockerfile";
  await docker("build", ...options, `--tag=${standIn}`, file, "tests/images");
  await build(IMAGES.tensorFlowServing, "tensorflow-serving", `--build-arg=BASE=${standIn}`, "deploy/docker");
}
