import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { showSavedModel } from "./saved-model-text.js";
import { tarEntries } from "./testing/golden.js";

const GOLDEN = fileURLToPath(new URL("../golden/", import.meta.url));
const unpacked = (name: string): Buffer => brotliDecompressSync(readFileSync(path.join(GOLDEN, name)));

/** By generate_show_texts.py, from TensorFlow 2.21. */
const texts = z
  .record(
    z.string(),
    z.object({
      sha256: z.string(),
      runs: z.array(z.object({ args: z.array(z.string()), stdout: z.string(), code: z.number() })),
    }),
  )
  .parse(JSON.parse(unpacked("show/texts.json.br").toString()));

const scratch = mkdtempSync(path.join(tmpdir(), "vitrine-show-"));
afterAll(() => rmSync(scratch, { recursive: true }));

describe("prints what saved_model_cli show prints", () => {
  const models = savedModels();

  test("the texts are those of the SavedModels that are here", () => {
    const digests = [...models].map(([name, bytes]) => [
      name,
      createHash("sha256").update(bytes).digest("hex"),
    ]);
    const stated = Object.entries(texts).map(([name, { sha256 }]) => [name, sha256]);
    // Otherwise: golden/generate_show_texts.py.
    expect(Object.fromEntries(stated)).toEqual(Object.fromEntries(digests));
  });

  test.each(Object.keys(texts))("%s", async (name) => {
    const folder = path.join(scratch, name.replaceAll("/", "-"));
    mkdirSync(folder);
    writeFileSync(path.join(folder, "saved_model.pb"), models.get(name) ?? expect.unreachable());
    for (const { args, stdout, code } of texts[name]?.runs ?? []) {
      const shown = await show(folder, args);
      expect({ args, ...shown, text: withSortedOperators(shown.text) }).toEqual({
        args,
        text: withSortedOperators(stdout),
        code,
      });
    }
  });
});

async function show(folder: string, args: readonly string[]): Promise<{ text: string; code: number }> {
  const after = (flag: string): string | undefined => {
    const at = args.indexOf(flag);
    return at < 0 ? undefined : args[at + 1];
  };
  let text = "";
  const request = {
    all: args.includes("--all"),
    tagSet: after("--tag_set"),
    signatureDef: after("--signature_def"),
    listOps: args.includes("--list_ops"),
  };
  try {
    await showSavedModel(folder, request, (part) => {
      text += part;
    });
    return { text, code: 0 };
  } catch {
    return { text, code: 1 };
  }
}

/** Python prints a set in an order that changes with each run. */
function withSortedOperators(text: string): string {
  return text.replace(/(contains the following ops: \{)(.*)(\})/g, (_, before, operators: string, after) => {
    return before + operators.split(", ").sort().join(", ") + after;
  });
}

function savedModels(): Map<string, Uint8Array> {
  const models = new Map<string, Uint8Array>();
  for (const { path: file, content } of tarEntries(unpacked("show/models.tar.br"))) {
    if (path.basename(file) === "saved_model.pb") models.set(`show/${path.dirname(file)}`, content);
  }
  for (const file of readdirSync(path.join(GOLDEN, "keras"))) {
    if (!file.endsWith(".tar.br")) continue;
    for (const entry of tarEntries(unpacked(`keras/${file}`))) {
      if (entry.path !== "saved-model/saved_model.pb") continue;
      models.set(`keras/${file.slice(0, -".tar.br".length)}`, entry.content);
    }
  }
  for (const entry of readdirSync(path.join(GOLDEN, "saved-models-tf"), {
    recursive: true,
    encoding: "utf8",
  })) {
    if (path.basename(entry) !== "saved_model.pb.br") continue;
    models.set(`saved-models-tf/${path.dirname(entry)}`, unpacked(`saved-models-tf/${entry}`));
  }
  return models;
}
