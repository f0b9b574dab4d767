/** The images, run as a cluster runs them: read-only, without privileges, as a user that is not root. */
import { chmod, cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { type Container, docker, filesOf, IMAGES, LOCKED_DOWN, ROOT, runOnce, Stage } from "./docker.js";

const PHOTO = path.join(ROOT, "packages/cli/pictures/drawn-1.jpg");
const MEBIBYTE = 1024 * 1024;

const predictionSchema = z.looseObject({
  predictions: z.record(z.string(), z.number()),
  top_class: z.string(),
});

async function predict(url: string): Promise<z.infer<typeof predictionSchema>> {
  const response = await fetch(`${url}/predict`, {
    method: "POST",
    headers: { "content-type": "image/jpeg" },
    body: await readFile(PHOTO),
  });
  expect(response.status).toBe(200);
  return predictionSchema.parse(await response.json());
}

describe("both tiers", () => {
  let stage: Stage;
  let modelServer: Container;
  let gateway: Container;

  beforeAll(async () => {
    stage = await Stage.open();
    modelServer = await stage.start("models", IMAGES.clothingModel, LOCKED_DOWN);
    const options = [...LOCKED_DOWN, "--env=TF_SERVING_HOST=models:8500", "--publish=127.0.0.1::9696"];
    gateway = await stage.start("gateway", IMAGES.gateway, options);
    await Promise.all([modelServer.healthy(), gateway.healthy()]);
  });
  afterAll(async () => await stage.remove());

  it("answer a photo on a read-only root, without capabilities, as user 1000", async () => {
    const { predictions, top_class } = await predict(await gateway.url(9696));
    expect(Object.keys(predictions)).toHaveLength(10);
    expect(predictions[top_class]).toBe(Math.max(...Object.values(predictions)));
    for (const { name } of [gateway, modelServer]) {
      expect(await docker("top", name, "-o", "pid,uid,args")).toMatch(/ 1000 +\/usr\/local\/bin\/node/);
    }
  });

  it("serve the website", async () => {
    const page = await fetch(await gateway.url(9696));
    expect(await page.text()).toContain("<!doctype html>");
  });

  it("load the code that was compiled with the image", async () => {
    const debug = ["--env=NODE_DEBUG_NATIVE=COMPILE_CACHE"];
    const { stderr } = await runOnce(IMAGES.modelServer, ["--help"], debug);
    expect(stderr).toContain("was accepted");
    expect(stderr).not.toContain("was rejected");
  });

  it("have one process each: the model server does not start itself once more", async () => {
    const lines = (await docker("top", modelServer.name, "-o", "pid,args")).split("\n").slice(1);
    expect(lines.filter((line) => line.includes("image.js"))).toHaveLength(1);
  });

  it("run the commands of their tier in a container that is up, and beside it", async () => {
    expect(await docker("exec", gateway.name, "vitrine", "--version")).toMatch(/^\d+\.\d+\.\d+$/);
    const words = ["vitrine", "classify", "/photos", "--gateway=http://gateway:9696", "--format=csv"];
    const options = [`--volume=${path.dirname(PHOTO)}:/photos:ro`, `--network=${stage.network}`];
    const { code, stdout, stderr } = await runOnce(IMAGES.gateway, words, [...LOCKED_DOWN, ...options]);
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.trim().split("\n").length).toBeGreaterThan(1);
  });

  it("say that they do not hold a command of the other tier", async () => {
    const { code, stderr } = await runOnce(IMAGES.gateway, ["vitrine", "serve"]);
    expect(code).toBe(2);
    expect(stderr).toBe(
      "vitrine serve: this installation does not hold it; the image of a tier holds that tier's commands alone\n",
    );
  });

  it("are looked at by `vitrine doctor`, which does not ask the image of one tier for the parts of the other", async () => {
    const words = ["vitrine", "doctor", "--machine", "--json"];
    const { code, stdout } = await runOnce(IMAGES.gateway, words, [...LOCKED_DOWN, "--tmpfs=/tmp"]);
    expect(stdout).not.toContain("does-not-load");
    expect({ code, stdout: code === 0 ? "" : stdout }).toEqual({ code: 0, stdout: "" });
  });

  it("answer a photo as a user of the cluster's choice, as OpenShift has it", async () => {
    const user = "--user=1000760000:0";
    const model = await stage.start("models-of-another", IMAGES.clothingModel, [...LOCKED_DOWN, user]);
    const options = [...LOCKED_DOWN, user, "--env=TF_SERVING_HOST=models-of-another:8500"];
    const other = await stage.start("gateway-of-another", IMAGES.gateway, [
      ...options,
      "--publish=127.0.0.1::9696",
    ]);
    await Promise.all([model.healthy(), other.healthy()]);
    expect((await predict(await other.url(9696))).top_class).toBe("skirt");
  });

  it("answer what they have accepted after SIGTERM, and end with 0", async () => {
    const url = await gateway.url(9696);
    const answers = Array.from({ length: 12 }, () => predict(url));
    await Promise.race(answers);
    const stopped = gateway.stop();
    const answered = await Promise.all(answers);
    expect(answered.every(({ top_class }) => top_class === answered[0]?.top_class)).toBe(true);
    expect(await stopped).toBe(0);
    expect(await modelServer.stop()).toBe(0);
  });
});

describe("the model server's image", () => {
  it("takes models, variables and ports as TensorFlow Serving's image does", async () => {
    const stage = await Stage.open();
    try {
      const volume = `--volume=${path.join(ROOT, "models/clothing-model")}:/models/clothes:ro`;
      const options = [...LOCKED_DOWN, volume, "--env=MODEL_NAME=clothes", "--publish=127.0.0.1::8501"];
      const server = await stage.start("server", IMAGES.modelServer, options, [
        "--rest_api_timeout_in_ms=5000",
      ]);
      await server.healthy();
      const answer = await fetch(`${await server.url(8501)}/v1/models/clothes`);
      expect(await answer.text()).toContain("AVAILABLE");
    } finally {
      await stage.remove();
    }
  });

  it("is not healthy before a model is there", async () => {
    const stage = await Stage.open();
    try {
      const server = await stage.start("server", IMAGES.modelServer, [...LOCKED_DOWN, "--no-healthcheck"]);
      await server.says("/models/model");
      const check = docker("exec", server.name, "node", "/app/healthcheck.js", "admin-port", "8502");
      await expect(check).rejects.toThrow("model model is not available");
    } finally {
      await stage.remove();
    }
  });

  it("is not built from a folder without version folders, such as a version's own", async () => {
    const base = `--build-arg=BASE=${IMAGES.modelServer}`;
    const build = docker("build", "--file=deploy/docker/model.Dockerfile", base, "models/clothing-model/1");
    await expect(build).rejects.toThrow(/held config\.json.*, expected the folder of a model/);
  });

  it("takes the version folders of a model alone, and lets any user read what its maker alone could", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "vitrine-images-"));
    const image = "vitrine/private-model:test";
    try {
      await cp(path.join(ROOT, "models/clothing-model/2"), path.join(folder, "2"), { recursive: true });
      await writeFile(path.join(folder, "training.csv"), "not for the image\n");
      for (const file of ["2/config.json", "2/model.onnx"]) await chmod(path.join(folder, file), 0o600);
      await chmod(path.join(folder, "2"), 0o700);
      const base = `--build-arg=BASE=${IMAGES.modelServer}`;
      await docker("build", `--tag=${image}`, "--file=deploy/docker/model.Dockerfile", base, folder);
      const files = (await filesOf(image)).filter(({ name }) => name.startsWith("models/clothing-model/"));
      expect(files.map(({ mode, owner, name }) => `${mode} ${owner} ${name}`).sort()).toEqual([
        "-rw-r--r-- 0/0 models/clothing-model/2/config.json",
        "-rw-r--r-- 0/0 models/clothing-model/2/model.onnx",
        "-rw-r--r-- 0/0 models/clothing-model/2/preprocessor_config.json",
        "drwxr-xr-x 0/0 models/clothing-model/",
        "drwxr-xr-x 0/0 models/clothing-model/2/",
      ]);
    } finally {
      await docker("rmi", "--force", image);
      await rm(folder, { recursive: true });
    }
  });

  it("converts a model into a folder of its caller", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "vitrine-images-"));
    try {
      const user = `--user=${process.getuid?.()}`;
      const volumes = [`--volume=${folder}:/out`, `--volume=${path.join(ROOT, "models")}:/models:ro`];
      const options = [...LOCKED_DOWN, "--tmpfs=/tmp", user, ...volumes];
      const words = ["vitrine", "convert", "/models/clothing-model/1", "/out/1"];
      expect(await runOnce(IMAGES.modelServer, words, options)).toMatchObject({ code: 0 });
      const inspected = await runOnce(IMAGES.modelServer, ["vitrine", "inspect", "/out/1"], options);
      expect(inspected.stdout).toContain("pixels");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

const imageSchema = z.looseObject({
  Size: z.int(),
  Config: z.looseObject({
    User: z.string(),
    Entrypoint: z.array(z.string()),
    Healthcheck: z.looseObject({ Test: z.array(z.string()) }),
    Labels: z.record(z.string(), z.string()),
  }),
});

const componentSchema = z.looseObject({
  type: z.enum(["library", "platform", "container"]),
  name: z.string().min(1),
  version: z.string().min(1),
  "bom-ref": z.string().min(1),
  purl: z.string().regex(/^pkg:(npm|deb|generic)\/.+@.+$/),
  licenses: z.array(
    z.union([
      z.object({ license: z.union([z.object({ id: z.string() }), z.object({ name: z.string() })]) }),
      z.object({ expression: z.string() }),
    ]),
  ),
});

const sbomSchema = z.object({
  bomFormat: z.literal("CycloneDX"),
  specVersion: z.literal("1.6"),
  version: z.int(),
  metadata: z.object({ component: z.looseObject({ type: z.literal("container"), name: z.string() }) }),
  components: z.array(componentSchema),
});

describe.each([
  { image: IMAGES.gateway, mostBytes: 180 * MEBIBYTE, without: /onnxruntime|h5wasm/ },
  {
    image: IMAGES.modelServer,
    mostBytes: 200 * MEBIBYTE,
    without: /node_modules\/sharp|libvips|@fastify\/(static|multipart|cors)/,
  },
])("what is in $image", ({ image, mostBytes, without }) => {
  let names: string[];
  let files: Awaited<ReturnType<typeof filesOf>>;

  beforeAll(async () => {
    files = await filesOf(image);
    names = files.map(({ name }) => name);
  });

  it("is no more than its tier needs", async () => {
    expect(names.filter((name) => without.test(name))).toEqual([]);
    expect(
      names.filter((name) => /(^|\/)(npm|npx|yarn|sh|bash|apt|dpkg|tsc|vite|vitest)$/.test(name)),
    ).toEqual([]);
    expect(
      names.filter((name) => /^app\/.*(\.map|\.ts|\.test\.js|\/tests?\/|\/src\/.*\.ts)$/.test(name)),
    ).toEqual([]);
    expect(names.filter((name) => /(^|\/)(darwin|win32)\/|musl/.test(name))).toEqual([]);
    const { Size } = z.array(imageSchema).parse(JSON.parse(await docker("image", "inspect", image)))[0]!;
    expect(Size).toBeLessThan(mostBytes);
  });

  it("belongs to root and cannot be written, but for what is meant to be", () => {
    const writable = files.filter(
      ({ mode, owner }) => !mode.startsWith("l") && (owner !== "0/0" || mode[5] === "w" || mode[8] === "w"),
    );
    const meant = ["home/node/", "tmp/", "var/cache/vitrine/", "var/lib/vitrine/feedback/"];
    expect(meant).toEqual(expect.arrayContaining(writable.map(({ name }) => name)));
  });

  it("is listed, each package with its licence and none besides", async () => {
    const sbom = sbomSchema.parse(JSON.parse((await runOnce(image, ["sbom"])).stdout));
    const listed = sbom.components.flatMap(({ name, purl }) => (purl.startsWith("pkg:npm/") ? [name] : []));
    const folders = names.flatMap(
      (name) => /^app\/.*?node_modules\/((?:@[^/]+\/)?[^/]+)\/package\.json$/.exec(name)?.[1] ?? [],
    );
    const ours = listed.filter((name) => name.startsWith("@vitrine/"));
    expect(ours.length).toBeGreaterThan(3);
    expect(new Set(listed.filter((name) => !ours.includes(name)))).toEqual(new Set(folders));
    const kinds = sbom.components.map(({ purl }) => purl.split(/[:/]/)[1]);
    expect(kinds).toEqual(expect.arrayContaining(["deb", "generic", "npm"]));
    expect(JSON.stringify(sbom.components)).not.toContain("NOASSERTION");
  });

  it("is labelled, and started by Node.js alone", async () => {
    const { Config } = z.array(imageSchema).parse(JSON.parse(await docker("image", "inspect", image)))[0]!;
    expect(Config.User).toBe("1000:1000");
    expect(Config.Entrypoint[0]).toBe("/usr/local/bin/node");
    expect(Config.Healthcheck.Test.slice(0, 2)).toEqual(["CMD", "node"]);
    expect(Config.Labels["org.opencontainers.image.licenses"]).toBe("Apache-2.0");
  });
});
