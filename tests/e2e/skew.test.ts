/**
 * The shipped model answers here what it answered in training: Pillow, NumPy and ONNX Runtime's Python wrote the
 * expected answers down (training/clothing_model/release.py for the validation photos, answers.py for ours).
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { PHOTOS, runVitrine } from "./vitrine.js";

const here = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

const answersSchema = z.object({
  predictions: z
    .array(z.object({ path: z.string(), top_class: z.string(), top_probability: z.number() }))
    .min(1),
});

type Answers = z.infer<typeof answersSchema>["predictions"];

const rowSchema = z.object({ top_class: z.string(), top_probability: z.number() });

/** Another CPU's 8-bit kernels may round otherwise; a skewed pixel or temperature shows well above this. */
const TOLERANCE = 0.01;

async function expectSameAnswers(answers: Answers, fileOf: (name: string) => string): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "skew-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const list = path.join(folder, "list");
  await writeFile(list, answers.map((answer) => fileOf(answer.path)).join("\n"));
  const { code, stdout, stderr } = await runVitrine(["classify", `@${list}`, "--format=jsonl"]);
  expect(code, stderr).toBe(0);
  const rows = stdout
    .trimEnd()
    .split("\n")
    .map((line) => rowSchema.parse(JSON.parse(line)));
  expect(rows).toHaveLength(answers.length);
  const different = answers.flatMap((expected, index) => {
    const actual = rows[index];
    const isSame =
      actual?.top_class === expected.top_class &&
      Math.abs(actual.top_probability - expected.top_probability) <= TOLERANCE;
    return isSame ? [] : [{ expected, actual }];
  });
  expect(different).toEqual([]);
}

async function readAnswers(file: string): Promise<Answers> {
  return answersSchema.parse(JSON.parse(await readFile(file, "utf8"))).predictions;
}

test("pictures of every kind get the answers that training's own code gave", async () => {
  await expectSameAnswers(await readAnswers(here("pictures/answers.json")), (name) =>
    here(name === "trousers.jpg" ? `pictures/${name}` : `../../packages/gateway/golden/pictures/${name}`),
  );
});

test.skipIf(PHOTOS === undefined)(
  "every validation photo gets the answer of the training's evaluation",
  async () => {
    const answers = await readAnswers(
      here("../../models/clothing-model/evaluation/validation-predictions.json"),
    );
    await expectSameAnswers(answers, (name) => path.join(PHOTOS ?? "", name));
  },
);
