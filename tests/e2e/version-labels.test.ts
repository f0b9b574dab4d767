/** Rollout, canary and rollback by version labels, as docs/operations.md tells them. */
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { DRAWING, startVitrine } from "./vitrine.js";

const CLOTHES = fileURLToPath(new URL("../../models/clothing-model", import.meta.url));
const bodySchema = z.union([
  z.object({ model: z.object({ version: z.string() }) }),
  z.object({ reason: z.string() }),
]);

/** A server of versions 1 and 2; `label` moves labels as a mounted ConfigMap would: the file is replaced whole. */
async function startLabelled(labels: Record<string, number>) {
  const folder = await mkdtemp(path.join(tmpdir(), "labels-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = path.join(folder, "models.config");
  const label = async (versions: Record<string, number>): Promise<void> => {
    const entries = Object.entries(versions).map(
      ([key, value]) => `version_labels { key: "${key}" value: ${value} }`,
    );
    const text = `model_config_list { config { name: "clothing-model" base_path: "${CLOTHES}" model_platform: "tensorflow"
      model_version_policy { specific { versions: 1 versions: 2 } } ${entries.join(" ")} } }`;
    await writeFile(`${file}.new`, text);
    await rename(`${file}.new`, file);
  };
  await label(labels);
  const server = startVitrine([
    ...["serve", `--model_config_file=${file}`, "--model_config_file_poll_wait_seconds=0.2", "--workers=1"],
    ...["--port=auto", "--rest_api_port=0", "--host=127.0.0.1", "--log-level=warn"],
  ]);
  const [, grpc = ""] = await server.says(/ready grpc:\/\/(\S+)/);
  return { grpc, label };
}

async function startGateway(grpc: string, label: string) {
  const gateway = startVitrine([
    ...["gateway", `--tf-serving-host=${grpc}`, `--model-version-label=${label}`],
    ...["--port=0", "--host=127.0.0.1", "--log-level=warn", "--preprocess-workers=1"],
  ]);
  const [, url = ""] = await gateway.says(/^ready (\S+)$/m);
  const photo = await readFile(DRAWING);
  return {
    /** The version that answers a photo, or the status and reason of the failure. */
    async version(): Promise<string> {
      const headers = { "content-type": "image/jpeg" };
      const response = await fetch(`${url}/predict`, { method: "POST", headers, body: photo });
      const body = bodySchema.parse(await response.json());
      return "reason" in body ? `${response.status} ${body.reason}` : body.model.version;
    },
  };
}

test("a label that moves takes every request with it, there and back, and none fails", async () => {
  const { grpc, label } = await startLabelled({ stable: 1, canary: 2 });
  const stable = await startGateway(grpc, "stable");
  const canary = await startGateway(grpc, "canary");
  expect([await stable.version(), await canary.version()]).toEqual(["1", "2"]);

  for (const version of ["2", "1"]) {
    const before = await stable.version();
    await label({ stable: Number(version), canary: 2 });
    // Each answer is of the one version or of the other.
    for (let seen = before; seen !== version; seen = await stable.version()) expect(seen).toBe(before);
    for (let again = 0; again < 5; again++) expect(await stable.version()).toBe(version);
  }
});

test("a label that is taken away is a model that is not there", async () => {
  const { grpc, label } = await startLabelled({ stable: 1 });
  const stable = await startGateway(grpc, "stable");
  await label({ other: 1 });
  let seen = "1";
  while (seen === "1") seen = await stable.version();
  expect(seen).toBe("503 MODEL_UNAVAILABLE");
});
