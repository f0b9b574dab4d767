/** compose.yaml brings both tiers up, with our model server and with what stands in for TensorFlow Serving's image. */
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { z } from "zod";
import { Container, IMAGES, ROOT, runOnce, runProgram } from "./docker.js";

/** `COMPOSE` names another program, such as docker-compose. */
const [PROGRAM = "docker", ...WORDS] = (process.env.COMPOSE ?? "docker compose").split(" ");

const answerSchema = z.looseObject({ model: z.looseObject({ version: z.string() }) });

/** Brings the files up under a name of their own, gives the gateway's address to `work`, and takes all down. */
async function withCompose(
  files: string[],
  env: NodeJS.ProcessEnv,
  work: (url: string) => Promise<void>,
): Promise<void> {
  const project = `vitrine-test-${process.pid}`;
  const options = [`--project-name=${project}`, ...files.map((file) => `--file=${file}`)];
  const compose = async (...words: string[]): Promise<string> => {
    const ended = await runProgram(PROGRAM, [...WORDS, ...options, ...words], {
      env: { ...env, TAG: "test", PORT: "0" },
    });
    if (ended.code !== 0) throw new Error(`compose ${words.join(" ")}: ${ended.stderr}${ended.stdout}`);
    return ended.stdout.trim();
  };
  try {
    await compose("up", "--detach", "--no-build");
    const [id = ""] = (await compose("ps", "--quiet", "gateway")).split("\n");
    // Not its name, which an earlier container had, too: the engine remembers what that one said.
    const gateway = new Container(id);
    await gateway.healthy();
    await work(await gateway.url(9696));
  } finally {
    await compose("down", "--volumes");
  }
}

async function versionThatAnswers(url: string): Promise<string> {
  const body = await readFile(path.join(ROOT, "packages/cli/pictures/drawn-1.jpg"));
  const response = await fetch(`${url}/predict`, {
    method: "POST",
    headers: { "content-type": "image/jpeg" },
    body,
  });
  expect(response.status).toBe(200);
  return answerSchema.parse(await response.json()).model.version;
}

it("both tiers answer a photo", async () => {
  await withCompose(["compose.yaml"], {}, async (url) => {
    expect(await versionThatAnswers(url)).toBe("2");
  });
});

it("a SavedModel is answered behind TensorFlow Serving's flags, by the contract at the gateway", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "vitrine-compose-"));
  try {
    const volumes = [`--volume=${folder}:/out`, `--volume=${path.join(ROOT, "models")}:/models:ro`];
    const words = ["vitrine", "convert", "/models/clothing-model/1", "/out/clothing-model/1"];
    expect(
      await runOnce(IMAGES.modelServer, words, ["--tmpfs=/tmp", `--user=${process.getuid?.()}`, ...volumes]),
    ).toMatchObject({ code: 0 });
    // The server runs as user 1000, and this folder is its maker's alone.
    await chmod(folder, 0o755);
    const files = ["compose.yaml", "compose.tensorflow-serving.yaml"];
    await withCompose(files, { MODEL_FOLDER: path.join(folder, "clothing-model") }, async (url) => {
      expect(await versionThatAnswers(url)).toBe("1");
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});
