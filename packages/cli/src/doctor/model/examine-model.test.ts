import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SHIPPED_MODEL } from "../../shipped.js";
import { examineModel } from "./examine-model.js";

/** The shipped model's quantised version, as `birds/1` in a folder of its own. */
async function copyOfModel(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "vitrine-doctor-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const base = path.join(folder, "birds");
  await cp(path.join(SHIPPED_MODEL, "2"), path.join(base, "1"), { recursive: true });
  return base;
}

async function changeJson(file: string, change: (json: Record<string, unknown>) => unknown): Promise<void> {
  await writeFile(file, JSON.stringify(change(JSON.parse(await readFile(file, "utf8")))));
}

const idsIn = async (given: string) => (await examineModel(given)).findings.map(({ id }) => id);

test("a model that is as it should be has no finding, by its base path, version folder or file", async () => {
  const base = await copyOfModel();
  const { findings, modelBytes } = await examineModel(base);
  expect(findings).toEqual([]);
  expect(modelBytes).toBeGreaterThan(1e6);
  expect(await idsIn(path.join(base, "1"))).toEqual([]);
  expect(await idsIn(path.join(base, "1", "model.onnx"))).toEqual([]);
});

test("labels that are fewer than the output is wide are told with both numbers and what to write", async () => {
  const base = await copyOfModel();
  await changeJson(path.join(base, "1", "config.json"), (config) => ({
    ...config,
    id2label: { 0: "hat", 1: "shirt" },
    label2id: undefined,
    num_labels: undefined,
  }));
  const { findings } = await examineModel(base);
  expect(findings[0]).toMatchObject({ id: "contract-mismatch" });
  expect(findings[0]?.problem).toMatch(/2 labels, expected 10/);
  expect(findings[0]?.mends[0]?.does).toContain('id2label with 10 entries, "0" to "9"');
});

test("a size that the input does not take is told", async () => {
  const base = await copyOfModel();
  await changeJson(path.join(base, "1", "preprocessor_config.json"), (preprocessor) => ({
    ...preprocessor,
    size: { height: 224, width: 224 },
  }));
  const { findings } = await examineModel(base);
  expect(findings.map(({ id }) => id)).toEqual(["contract-mismatch"]);
  expect(findings[0]?.mends[0]?.does).toContain('"size": {"height": 256, "width": 256}');
});

test("scores that the contract calls by another kind than the graph's end are told", async () => {
  const base = await copyOfModel();
  await changeJson(path.join(base, "1", "config.json"), ({ vitrine, ...config }) => ({
    ...config,
    vitrine: { ...Object(vitrine), score_kind: "probabilities", temperature: undefined },
  }));
  const { findings } = await examineModel(base);
  expect(findings.map(({ id }) => id)).toEqual(["score-kind-mismatch"]);
  expect(findings[0]?.mends[0]?.does).toContain('{"score_kind": "logits"}');
});

test("a model without a contract is told with the flags that stand for one", async () => {
  const base = await copyOfModel();
  await rm(path.join(base, "1", "config.json"));
  await rm(path.join(base, "1", "preprocessor_config.json"));
  const { findings } = await examineModel(base);
  expect(findings[0]).toMatchObject({ id: "contract-missing", severity: "warning" });
  expect(findings[0]?.mends[0]?.command).toMatch(/--size 256 .*--score-kind logits/);
});

test("a contract that is broken is told by its own error", async () => {
  const base = await copyOfModel();
  await writeFile(path.join(base, "1", "config.json"), "{");
  const { findings } = await examineModel(base);
  expect(findings[0]).toMatchObject({ id: "model-unreadable" });
  expect(findings[0]?.problem).toContain("config.json was not JSON");
});

test("version folders that are not named by numbers are told with the one to rename", async () => {
  const base = await copyOfModel();
  await rename(path.join(base, "1"), path.join(base, "v1"));
  const { findings } = await examineModel(base);
  expect(findings[0]).toMatchObject({ id: "model-not-found" });
  expect(findings[0]?.mends[0]?.command).toBe(`mv ${base}/v1 ${base}/1`);
});

test("a model that lies in its base path itself is told", async () => {
  const base = await copyOfModel();
  const bare = path.join(base, "bare");
  await mkdir(bare);
  await rename(path.join(base, "1", "model.onnx"), path.join(bare, "model.onnx"));
  expect(await idsIn(bare)).toEqual(["model-without-version-folder", "contract-missing"]);
});

test("a folder of models is told from a model", async () => {
  const base = await copyOfModel();
  const { findings } = await examineModel(path.dirname(base));
  expect(findings[0]?.problem).toBe("it holds models, and is none itself: birds is one");
});

test("a Keras file is to be converted first", async () => {
  const base = await copyOfModel();
  const file = path.join(base, "clothing.h5");
  await writeFile(file, "\x89HDF\r\n\x1a\n");
  const { findings } = await examineModel(file);
  expect(findings[0]).toMatchObject({ id: "model-not-servable" });
  expect(findings[0]?.mends[0]?.command).toBe(`vitrine convert ${file} ${base}/clothing/1`);
});

test("a path that is not there, and an empty folder, hold no model", async () => {
  const base = await copyOfModel();
  expect(await idsIn(path.join(base, "nowhere"))).toEqual(["model-not-found"]);
  await mkdir(path.join(base, "empty"));
  expect(await idsIn(path.join(base, "empty"))).toEqual(["model-not-found"]);
});

test("a file that is no model is told by what it is", async () => {
  const base = await copyOfModel();
  const file = path.join(base, "model.pt");
  await writeFile(file, "PK");
  expect((await examineModel(file)).findings[0]?.problem).toContain("a PyTorch file");
});
