/** What the Dockerfiles and compose files say agrees with the code and with each other; tests/images builds and runs them. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { gatewayCommandSettings } from "@vitrine/cli/commands/gateway";
import { serveSettings } from "@vitrine/model-server/config";
import { MODEL_SERVER_ENVIRONMENT, MODEL_SERVER_NODE_FLAGS } from "@vitrine/model-server/garbage";
import { envOf, resolveSettings } from "@vitrine/runtime/settings";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { moduleClosure, packageClosure } from "./module-closure.js";
import { packageFiles } from "./package-files.js";
import { TIERS } from "./tiers.js";

const ROOT = path.resolve(import.meta.dirname, "../..");
const FOLDER = import.meta.dirname;
const DOCKERFILES = readdirSync(FOLDER).filter((name) => name.endsWith(".Dockerfile"));
const MODEL_SERVERS = ["model-server.Dockerfile", "model-server-gpu.Dockerfile"];

/** Instructions, with continued lines joined and comments left out. */
function instructionsOf(file: string): string[] {
  const text = readFileSync(path.join(FOLDER, file), "utf8");
  return text
    .replace(/^#.*\n/gm, "")
    .replace(/\\\n\s*/g, "")
    .split("\n")
    .filter((line) => line !== "");
}

/** The instructions of the image itself, after the last FROM. */
function imageOf(file: string): string[] {
  const instructions = instructionsOf(file);
  return instructions.slice(instructions.findLastIndex((line) => line.startsWith("FROM ")));
}

function variablesOf(file: string): Record<string, string> {
  const lines = imageOf(file).filter((line) => line.startsWith("ENV "));
  const pairs = lines.flatMap((line) => line.slice(4).split(" "));
  return Object.fromEntries(pairs.map((pair) => pair.split("=", 2)));
}

function only(file: string, instruction: string): string {
  const found = imageOf(file).filter((line) => line.startsWith(`${instruction} `));
  expect(found).toHaveLength(1);
  return found[0]!.slice(instruction.length + 1);
}

describe.each(DOCKERFILES)("%s", (file) => {
  it("builds with the classic builder, too", () => {
    for (const line of instructionsOf(file)) {
      expect(line).not.toMatch(/--mount|--link|--parents|<<\w/);
    }
    expect(readFileSync(path.join(FOLDER, file), "utf8")).not.toContain("syntax=");
  });

  it("builds with podman 4, too, which reads no ARG before it has chosen stages and their platforms", () => {
    const instructions = instructionsOf(file);
    for (const line of instructions) expect(line).not.toMatch(/--platform=(?!\$\{BUILDPLATFORM:-\$\{)/);
    const bases = instructions.flatMap((line) => /^ARG BASE=(\w+)$/.exec(line)?.[1] ?? []);
    const isStage = (name: string) => instructions.some((line) => line.endsWith(` AS ${name}`));
    for (const stage of bases.filter(isStage)) {
      expect(instructions.join("\n")).toContain(`COPY --from=${stage} `);
    }
  });

  it("names a version of each image that it starts from", () => {
    const images = instructionsOf(file).filter((line) => /^(FROM|ARG (BASE|CUDA|MODEL_SERVER)=)/.test(line));
    expect(images.length).toBeGreaterThan(0);
    for (const line of images) expect(line).not.toContain("latest");
  });
});

describe.each(["gateway.Dockerfile", ...MODEL_SERVERS])("the image of %s", (file) => {
  it("has Node.js as process 1, a user that is not root, and a health check without a shell", () => {
    expect(JSON.parse(only(file, "ENTRYPOINT"))[0]).toBe("/usr/local/bin/node");
    expect(only(file, "USER")).toBe("1000:1000");
    expect(only(file, "STOPSIGNAL")).toBe("SIGTERM");
    expect(only(file, "HEALTHCHECK")).toContain('CMD ["node", "/app/healthcheck.js"');
    // Node.js' start counts, and takes seconds on a machine with too much to do, or under emulation.
    expect(only(file, "HEALTHCHECK")).toContain("--timeout=10s");
  });

  it("is labelled with the version of the product", () => {
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(readFileSync(path.join(ROOT, "packages/cli/package.json"), "utf8")));
    expect(only(file, "LABEL")).toContain(`org.opencontainers.image.version="${version}"`);
  });
});

it("the README builds each image as docs/images.md does, and so do the Dockerfiles' own heads", () => {
  const buildsIn = (file: string) => {
    const text = readFileSync(path.join(ROOT, file), "utf8").replace(/ \\\n#?\s*/g, " ");
    return [...text.matchAll(/^(?:#? +)?(docker build .*)$/gm)].map(([, line = ""]) => line);
  };
  const plain = buildsIn("docs/images.md").filter((line) => line.includes(":dev -f"));
  const inReadme = buildsIn("README.md");
  expect(inReadme.length).toBeGreaterThan(0);
  expect(plain).toEqual(expect.arrayContaining(inReadme));
  const context = (line: string) => `${/-f \S+/.exec(line)?.[0]} ${line.split(" ").at(-1)}`;
  const heads = DOCKERFILES.flatMap((file) => buildsIn(`deploy/docker/${file}`))
    .filter((line) => line.includes("vitrine/") && line.includes(":dev -f"))
    .map(context);
  expect(heads.length).toBeGreaterThan(2);
  expect(plain.map(context)).toEqual(expect.arrayContaining(heads));
});

it("both tiers are built by the same stages, so that the second build finds them made", () => {
  const shared = (file: string) => {
    const lines = instructionsOf(file);
    return lines.slice(
      0,
      lines.findIndex((line) => line.includes("assemble.js")),
    );
  };
  expect(shared("model-server.Dockerfile")).toEqual(shared("gateway.Dockerfile"));
});

it("the builds know every workspace that the command leans on", () => {
  const packages = readdirSync(path.join(ROOT, "packages")).map((name) => `packages/${name}`);
  const copied = instructionsOf("gateway.Dockerfile").flatMap(
    (line) => /^COPY (\S+)\/package\.json \1\/$/.exec(line)?.[1] ?? [],
  );
  expect(copied.sort()).toEqual([...packages, "website"].sort());
});

it("the gateway's image opens the gateway's port and asks it for its health", () => {
  const { config } = resolveSettings(gatewayCommandSettings, { flags: {}, env: {} });
  expect(only("gateway.Dockerfile", "EXPOSE")).toBe(`${config.port}`);
  expect(only("gateway.Dockerfile", "HEALTHCHECK")).toContain(`"port", "${config.port}"`);
});

describe.each(MODEL_SERVERS)("the image of %s", (file) => {
  it("opens the ports of TensorFlow Serving's image, and the admin port that its health check asks", () => {
    const { config } = resolveSettings(serveSettings, { flags: {}, env: {} });
    const { ADMIN_PORT } = variablesOf(file);
    expect(only(file, "EXPOSE")).toBe(`${config.port} ${config.restApiPort} ${ADMIN_PORT}`);
    expect(only(file, "HEALTHCHECK")).toContain(`"admin-port", "${ADMIN_PORT}"`);
  });

  it("starts Node.js as `vitrine up` does, so that the server does not start itself once more", () => {
    expect(variablesOf(file)).toMatchObject(MODEL_SERVER_ENVIRONMENT);
    expect(TIERS["model-server"].nodeFlags).toEqual(MODEL_SERVER_NODE_FLAGS);
    const entry: unknown = JSON.parse(only(file, "ENTRYPOINT"));
    expect(entry).toEqual(["/usr/local/bin/node", ...MODEL_SERVER_NODE_FLAGS, "/app/image.js", "serve"]);
  });

  it("keeps ONNX Runtime from reporting to its maker", () => {
    expect(variablesOf(file).ORT_DISABLE_TELEMETRY).toBe("1");
  });

  it("sets no variable that the server does not read", () => {
    const others = [
      "NODE_ENV",
      "NODE_COMPILE_CACHE",
      "ORT_DISABLE_TELEMETRY",
      ...Object.keys(MODEL_SERVER_ENVIRONMENT),
    ];
    const known = Object.entries(serveSettings).map(([key, setting]) => envOf(key, setting));
    const set = Object.keys(variablesOf(file)).filter((name) => !others.includes(name));
    expect(known).toEqual(expect.arrayContaining(set));
  });
});

describe("the files of an image", () => {
  const closureOf = (tier: "gateway" | "model-server") => {
    const { files, packages } = moduleClosure(ROOT, TIERS[tier].commands);
    const others = packageClosure(ROOT, packages, { leaveOut: TIERS[tier].leaveOut });
    return { files: [...files], packages: [...others.values()].map(({ name }) => name), folders: others };
  };

  it("hold no model runtime in the gateway", () => {
    const { packages } = closureOf("gateway");
    expect(packages).toContain("sharp");
    expect(packages).not.toContain("onnxruntime-node");
    expect(packages).not.toContain("h5wasm");
  });

  it("hold nothing for pictures or pages in the model server", () => {
    const { packages } = closureOf("model-server");
    expect(packages).toContain("onnxruntime-node");
    expect(packages).not.toContain("sharp");
    expect(packages).not.toContain("@fastify/static");
  });

  it("reach the scripts of worker threads and what lies beside the code", () => {
    const gateway = closureOf("gateway").files;
    expect(gateway).toContain("packages/gateway/dist/preprocess-worker.js");
    expect(gateway).toContain("packages/cli/pictures");
    expect(gateway).not.toContain("packages/cli/dist/commands/serve.js");
    expect(closureOf("model-server").files).toContain("packages/model-server/dist/engine/session-worker.js");
  });

  it("leave the binaries of other systems and processors behind, and keep the licences", () => {
    const runtime = packageFiles(
      path.join(ROOT, "node_modules/onnxruntime-node"),
      "onnxruntime-node",
      "arm64",
    );
    const native = runtime.filter((file) => file.startsWith("bin/"));
    expect(native.length).toBeGreaterThan(0);
    for (const file of native) expect(file).toContain("/linux/arm64/");
    const fastify = packageFiles(path.join(ROOT, "node_modules/fastify"), "fastify", "x64");
    expect(fastify).toContain("LICENSE");
    expect(fastify.filter((file) => /\.(ts|map|md)$|^test\//.test(file))).toEqual([]);
  });
});

const serviceSchema = z.looseObject({
  image: z.string().optional(),
  environment: z.record(z.string(), z.string()).default({}),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).optional(),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).optional(),
  stop_grace_period: z.string().optional(),
});
const composeSchema = z.object({
  services: z.object({ gateway: serviceSchema, "model-server": serviceSchema }),
});

describe("compose.yaml", () => {
  const read = (name: string) =>
    composeSchema.parse(parse(readFileSync(path.join(ROOT, name), "utf8"))).services;

  it("starts the gateway after a healthy model server, and points it there", () => {
    const { gateway } = read("compose.yaml");
    expect(gateway.depends_on).toEqual({ "model-server": { condition: "service_healthy" } });
    expect(gateway.environment.TF_SERVING_HOST).toBe("model-server:8500");
  });

  it("gives both tiers a read-only root, no capabilities, and time to drain", () => {
    const { config } = resolveSettings(gatewayCommandSettings, { flags: {}, env: {} });
    for (const service of Object.values(read("compose.yaml"))) {
      expect(service.read_only).toBe(true);
      expect(service.cap_drop).toEqual(["ALL"]);
      expect(Number.parseInt(service.stop_grace_period ?? "", 10)).toBeGreaterThan(
        config.drainGraceMs / 1000,
      );
    }
  });

  it("sets no variable that the tiers do not read, with TensorFlow Serving either", () => {
    const known = Object.entries(gatewayCommandSettings).map(([key, setting]) => envOf(key, setting));
    for (const file of ["compose.yaml", "compose.tensorflow-serving.yaml"]) {
      expect(known).toEqual(expect.arrayContaining(Object.keys(read(file).gateway.environment)));
    }
  });
});
