import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { candidatesOf, findModel, listVersions } from "./version-folders.js";

let base: string;
beforeEach(async () => {
  base = await mkdtemp(path.join(tmpdir(), "vitrine-folders-"));
});
afterEach(() => rm(base, { recursive: true }));

async function write(...files: string[]): Promise<void> {
  for (const file of files) {
    await mkdir(path.dirname(path.join(base, file)), { recursive: true });
    await writeFile(path.join(base, file), "");
  }
}

async function versions(modelFile?: string): Promise<Record<string, string>> {
  const folders = await listVersions(base, modelFile);
  return Object.fromEntries([...folders].map(([version, folder]) => [version, path.relative(base, folder)]));
}

async function model(modelFile?: string): Promise<string | undefined> {
  const found = await findModel(base, modelFile);
  return found?.kind === "onnx" ? path.relative(base, found.file) : found?.kind;
}

describe("versions", () => {
  test("are folders, or links to folders, named by a number", async () => {
    await write("1/model.onnx", "0012/x", "-3/x", "4.0/x", "v5/x", "99999999999999999999/x", ".6/x", "7");
    await symlink(path.join(base, "1"), path.join(base, "8"));
    expect(await versions()).toEqual({ 1: "1", 12: "0012", 8: "8" });
  });

  test("of a Hugging Face export are the base path itself, as 1, unless there are version folders", async () => {
    await write("config.json", "onnx/model.onnx");
    expect(await versions()).toEqual({ 1: "" });
    await write("2/model.onnx");
    expect(await versions()).toEqual({ 2: "2" });
  });

  test("of a SavedModel are the base path itself, too", async () => {
    await write("saved_model.pb", "variables/variables.index");
    expect(await versions()).toEqual({ 1: "" });
  });

  test("of an export that holds quantised variants alone need a choice", async () => {
    await write("config.json", "onnx/model_fp16.onnx", "onnx/model_quantized.onnx");
    await expect(versions()).rejects.toThrow(
      "held onnx/model_fp16.onnx, onnx/model_quantized.onnx, expected model.onnx or a choice by --model-file",
    );
    expect(await versions("onnx/model_quantized.onnx")).toEqual({ 1: "" });
  });
});

describe("the model of a version", () => {
  test.each<[string, string[], string | undefined, string | undefined]>([
    ["model.onnx", ["model.onnx", "onnx/model.onnx", "other.onnx"], undefined, "model.onnx"],
    ["onnx/model.onnx", ["onnx/model.onnx", "onnx/model_fp16.onnx"], undefined, "onnx/model.onnx"],
    [
      "the chosen one",
      ["model.onnx", "onnx/model_int8.onnx"],
      "onnx/model_int8.onnx",
      "onnx/model_int8.onnx",
    ],
    ["model.onnx where the chosen one is missing", ["model.onnx"], "onnx/model_int8.onnx", "model.onnx"],
    ["the only other .onnx", ["net.onnx", "README.md"], undefined, "net.onnx"],
    ["the only one in onnx/", ["onnx/model_quantized.onnx"], undefined, "onnx/model_quantized.onnx"],
    ["a SavedModel", ["saved_model.pb", "variables/variables.index"], undefined, "saved-model"],
    ["a SavedModel as text", ["saved_model.pbtxt"], undefined, "saved-model"],
    ["model.onnx beside a SavedModel", ["saved_model.pb", "model.onnx"], undefined, "model.onnx"],
    ["nothing", ["README.md", "variables/variables.index"], undefined, undefined],
  ])("is %s", async (_, files, modelFile, expected) => {
    await write(...files);
    expect(await model(modelFile)).toBe(expected);
  });
});

test("a policy takes by number, never by time or by the text of a name", () => {
  const numbers = [2, 10, 9];
  expect(candidatesOf({ kind: "latest", count: 2 }, numbers)).toEqual({ versions: [10, 9, 2], count: 2 });
  expect(candidatesOf({ kind: "all" }, numbers)).toEqual({ versions: [10, 9, 2], count: 3 });
  expect(candidatesOf({ kind: "specific", versions: [2, 7] }, numbers)).toEqual({ versions: [2], count: 1 });
});
