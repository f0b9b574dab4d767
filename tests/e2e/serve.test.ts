/** `vitrine serve` as TensorFlow Serving's users run it: a list of models, labels, new versions, a reload. */
import { cp, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { GrpcChannel } from "@vitrine/protocol/grpc/channel";
import { GET_MODEL_STATUS, PREDICT, RELOAD_CONFIG } from "@vitrine/protocol/services";
import { ServeError } from "@vitrine/protocol/status";
import { DataType, tensorToProto } from "@vitrine/protocol/tensor";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { startVitrine, type VitrineProcess } from "./vitrine.js";

const FIXTURES = fileURLToPath(new URL("../../packages/model-server/fixtures/", import.meta.url));
const STATE = { AVAILABLE: 30, END: 50 };

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "vitrine-serve-"));
  onTestFinished(() => rm(folder, { recursive: true }));
});

/** A version as it should be published: written elsewhere, then renamed to its place. */
async function publish(model: string, version: number): Promise<void> {
  const staging = path.join(folder, "staging");
  await cp(path.join(FIXTURES, "pixel-sum/1"), staging, { recursive: true });
  await mkdir(path.join(folder, model), { recursive: true });
  await rename(staging, path.join(folder, model, String(version)));
}

const configOf = (name: string, rest = "") =>
  `config { name: "${name}" base_path: "${path.join(folder, name)}" model_platform: "tensorflow" ${rest} }`;

async function serve(
  ...configs: string[]
): Promise<{ server: VitrineProcess; channel: GrpcChannel; file: string }> {
  const file = path.join(folder, "models.config");
  await writeFile(file, `model_config_list { ${configs.join("\n")} }`);
  const server = startVitrine([
    ...["serve", `--model_config_file=${file}`, "--model_config_file_poll_wait_seconds=0.2"],
    ...["--file_system_poll_wait_seconds=0.2", "--port=auto", "--rest_api_port=0", "--admin-port=0"],
    ...["--host=127.0.0.1", "--workers=1", "--log-level=warn"],
  ]);
  const [, port] = await server.says(/ready grpc:\/\/127\.0\.0\.1:(\d+)/);
  const channel = new GrpcChannel("127.0.0.1", Number(port));
  onTestFinished(() => channel.close());
  return { server, channel, file };
}

function predict(channel: GrpcChannel, name: string, label?: string): Promise<number> {
  const pixels = tensorToProto(
    { dtype: DataType.DT_UINT8, shape: [1, 2, 2, 3], data: new Uint8Array(12).fill(1) },
    "content",
  );
  return channel
    .unary(PREDICT, {
      modelSpec: {
        name,
        versionChoice: label === undefined ? undefined : { $case: "versionLabel", value: label },
        signatureName: "",
      },
      inputs: new Map([["pixels", pixels]]),
      outputFilter: ["total"],
    })
    .then(({ modelSpec, outputs }) => {
      expect(outputs.get("total")?.floatVal).toEqual([12]);
      const choice = modelSpec?.versionChoice;
      return choice?.$case === "version" ? choice.value.value : 0;
    });
}

const outcomeOf = (call: Promise<unknown>) =>
  call.then(
    () => "OK",
    (error: unknown) => (error instanceof ServeError ? `${error.code}: ${error.message}` : String(error)),
  );

async function untilState(
  channel: GrpcChannel,
  name: string,
  version: number,
  wanted: number,
): Promise<void> {
  await expect
    .poll(
      async () => {
        const { modelVersionStatus } = await channel.unary(GET_MODEL_STATUS, {
          modelSpec: { name, versionChoice: undefined, signatureName: "" },
        });
        return modelVersionStatus.find((status) => status.version === version)?.state;
      },
      { timeout: 20_000 },
    )
    .toBe(wanted);
}

test("two models with labels, from a first configuration; then a reload over gRPC, and one by the file", async () => {
  await publish("a", 1);
  await publish("a", 2);
  await publish("b", 7);
  const both = "model_version_policy { specific { versions: [1, 2] } }";
  const { channel, file, server } = await serve(
    configOf(
      "a",
      `${both} version_labels { key: "stable" value: 1 } version_labels { key: "canary" value: 2 }`,
    ),
    configOf("b"),
  );
  expect(await predict(channel, "a")).toBe(2);
  expect(await predict(channel, "a", "stable")).toBe(1);
  expect(await predict(channel, "a", "canary")).toBe(2);
  expect(await predict(channel, "b")).toBe(7);

  const model = {
    name: "a",
    basePath: path.join(folder, "a"),
    modelType: 0 as const,
    modelPlatform: "tensorflow",
    modelVersionPolicy: { policyChoice: { $case: "specific" as const, value: { versions: [1n, 2n] } } },
  };
  const reload = (labels: Map<string, bigint>) =>
    outcomeOf(
      channel.unary(RELOAD_CONFIG, {
        config: {
          config: { $case: "modelConfigList", value: { config: [{ ...model, versionLabels: labels }] } },
        },
        metricNames: [],
      }),
    );
  expect(await reload(new Map([["stable", 2n]]))).toBe("OK");
  expect(await predict(channel, "a", "stable")).toBe(2);
  expect(await outcomeOf(predict(channel, "a", "canary"))).toBe(
    "INVALID_ARGUMENT: Unrecognized servable version label: canary",
  );
  expect(await outcomeOf(predict(channel, "b"))).toBe("NOT_FOUND: Servable not found for request: Latest(b)");
  expect(await reload(new Map([["stable", 9n]]))).toMatch(
    /^FAILED_PRECONDITION: Request to assign label to version 9 of model a/,
  );
  expect(await predict(channel, "a", "stable")).toBe(2);

  await writeFile(file, "model_config_list { config { nam");
  await server.says(/models\.config:1:\d+: /);
  await writeFile(file, `model_config_list { ${configOf("b")} }`);
  await untilState(channel, "b", 7, STATE.AVAILABLE);
  await untilState(channel, "a", 2, STATE.END);
});

test("five new versions under load: no request fails, and each has answered", async () => {
  await publish("m", 1);
  const { channel, server } = await serve(configOf("m"));
  const answered = new Map<number, number>();
  const failures: string[] = [];
  let isOver = false;
  const client = async () => {
    while (!isOver) {
      await predict(channel, "m").then(
        (version) => answered.set(version, (answered.get(version) ?? 0) + 1),
        (error: unknown) => failures.push(String(error)),
      );
    }
  };
  const clients = Array.from({ length: 8 }, client);
  for (let version = 2; version <= 6; version++) {
    await publish("m", version);
    await untilState(channel, "m", version, STATE.AVAILABLE);
    await untilState(channel, "m", version - 1, STATE.END);
    await rm(path.join(folder, "m", String(version - 1)), { recursive: true });
  }
  isOver = true;
  await Promise.all(clients);
  expect(failures).toEqual([]);
  expect([...answered.keys()].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6]);
  server.child.kill("SIGTERM");
  expect(await server.ended).toBe(0);
});

test("a server whose first process is killed ends, too", async () => {
  await publish("m", 1);
  const { channel, server } = await serve(configOf("m"));
  expect(await predict(channel, "m")).toBe(1);
  server.child.kill("SIGKILL");
  // The streams close when the last process that holds them is gone.
  expect(await server.ended).toBe("SIGKILL");
  expect(await outcomeOf(predict(channel, "m"))).toMatch(/^UNAVAILABLE/);
});
