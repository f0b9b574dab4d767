/** Runs SavedModels in a real TensorFlow, where the environment names a Python that has one. */
import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { NUMERIC_TYPES } from "@vitrine/protocol/dtype";
import type { Tensor } from "@vitrine/protocol/tensor";

/** A Python with TensorFlow; its absence is said, and the tests that need it are skipped. */
export const PYTHON = process.env.VITRINE_PYTHON;

const SCRIPT = fileURLToPath(new URL("run_saved_models.py", import.meta.url));

export interface SavedModelRun {
  readonly folder: string;
  readonly feeds: ReadonlyMap<string, Tensor>;
}

/**
 * Loads each folder and calls `serving_default` by every way that TensorFlow has.
 *
 * @returns the outputs by alias for each run, or TensorFlow's words where it failed.
 */
export async function runInTensorFlow(
  runs: readonly SavedModelRun[],
  scratch: string,
): Promise<(ReadonlyMap<string, Tensor> | string)[]> {
  const manifest = [];
  for (const [index, { folder, feeds }] of runs.entries()) {
    const inputs = [];
    for (const [alias, { dtype, shape, data }] of feeds) {
      if (!ArrayBuffer.isView(data)) throw new Error(`${alias} holds strings`);
      const file = path.join(scratch, `${index}-${inputs.length}.bin`);
      await writeFile(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      inputs.push({ alias, dtype, shape, file });
    }
    manifest.push({ folder, inputs });
  }
  const manifestFile = path.join(scratch, "manifest.json");
  await writeFile(manifestFile, JSON.stringify(manifest));
  await python([SCRIPT, manifestFile]);
  const results: Result[] = JSON.parse(await readFile(path.join(scratch, "results.json"), "utf8"));
  return Promise.all(
    results.map(async (result) =>
      typeof result === "string" ? result : new Map(await Promise.all(result.map(readOutput))),
    ),
  );
}

type Result = string | readonly Output[];
interface Output {
  readonly alias: string;
  readonly dtype: Tensor["dtype"];
  readonly shape: readonly number[];
  readonly file: string;
}

async function readOutput({ alias, dtype, shape, file }: Output): Promise<[string, Tensor]> {
  const bytes = new Uint8Array(await readFile(file));
  const array = NUMERIC_TYPES.get(dtype)?.array;
  if (array === undefined) throw new Error(`${alias} is of dtype ${dtype}`);
  return [
    alias,
    { dtype, shape, data: new array(bytes.buffer, 0, bytes.byteLength / array.BYTES_PER_ELEMENT) },
  ];
}

async function python(args: readonly string[]): Promise<void> {
  if (PYTHON === undefined) throw new Error("VITRINE_PYTHON is not set");
  const child = spawn(PYTHON, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: "3" },
  });
  let words = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    words += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject).once("close", resolve);
  });
  if (code !== 0) throw new Error(`Python ended with ${code}: ${words.slice(-2000)}`);
}
