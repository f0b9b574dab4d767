/**
 * What converting the course's model costs from the cold start of a shell, beside TensorFlow's own ways.
 *
 * The model is VITRINE_XCEPTION (a .h5 file), or made by TensorFlow. VITRINE_PYTHON names a Python with tensorflow,
 * tf_keras and tf2onnx; without it only our figures are printed, for which VITRINE_XCEPTION is needed then. Each is a
 * process of its own, by turns; wall time suffers on a busy machine, CPU time little.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { median, spread } from "./harness/statistics.js";

const ROUNDS = 3;
const VITRINE = fileURLToPath(new URL("../../packages/cli/bin/vitrine.js", import.meta.url));
const TENSORFLOW = fileURLToPath(new URL("../src/harness/tensorflow_convert.py", import.meta.url));

/** Prints what the process used when it ends; `maxRSS` is in KiB. */
const TELL_USAGE = `data:text/javascript,${encodeURIComponent(
  'process.on("exit", () => { const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();' +
    'process.stderr.write("\\n" + JSON.stringify({ cpu: (userCPUTime + systemCPUTime) / 1e6, peak: maxRSS * 1024 }) + "\\n"); });',
)}`;

interface Usage {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

const { VITRINE_PYTHON: python, VITRINE_XCEPTION: given } = process.env;
const folder = await mkdtemp(path.join(tmpdir(), "vitrine-bench-convert-"));
try {
  await race(given ?? path.join(folder, "xception.h5"));
} finally {
  await rm(folder, { recursive: true });
}

async function race(model: string): Promise<void> {
  if (given === undefined) {
    if (python === undefined) {
      console.log("Neither VITRINE_XCEPTION nor VITRINE_PYTHON is set: there is no model to convert.");
      return;
    }
    await measure(python, [TENSORFLOW, "make", model]);
  }
  const saved = path.join(folder, "saved");
  const ours = path.join(folder, "ours");
  const pairs: [name: string, ours: () => Promise<Usage>, theirs: string, run: () => Promise<Usage>][] = [
    [
      "h5 to SavedModel",
      () => vitrine("convert", model, ours, "--overwrite"),
      "tf.saved_model.save",
      () => tensorflow("save", model, saved),
    ],
    [
      "h5 to ONNX",
      () => vitrine("convert", model, `${ours}.onnx`, "--overwrite"),
      "tf2onnx",
      () => tensorflow("onnx", saved, `${saved}.onnx`),
    ],
    [
      "inspect --all",
      () => vitrine("inspect", saved, "--all"),
      "saved_model_cli show --all",
      () => tensorflow("show", saved),
    ],
    [
      "inspect, a summary",
      () => vitrine("inspect", model),
      "saved_model_cli show --all",
      () => tensorflow("show", saved),
    ],
  ];
  for (const [name, own, theirs, run] of pairs) {
    if (python === undefined && name === "inspect --all") continue;
    const left: Usage[] = [];
    const right: Usage[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      // TensorFlow goes first: what it saves is inspected.
      if (python !== undefined) right.push(await run());
      left.push(await own());
    }
    console.log(`${name}:`);
    print("Vitrine", left);
    if (right.length === 0) continue;
    print(theirs, right);
    const ratio = (pick: (usage: Usage) => number): string =>
      (median(right.map(pick)) / median(left.map(pick))).toFixed(1);
    console.log(
      `  ratio: ${ratio(({ wallSeconds }) => wallSeconds)} times as fast, ${ratio(({ cpuSeconds }) => cpuSeconds)} times less CPU, ${ratio(({ peakBytes }) => peakBytes)} times less memory`,
    );
  }
}

function print(name: string, usages: readonly Usage[]): void {
  const seconds = spread(
    usages.map(({ wallSeconds }) => wallSeconds),
    2,
  );
  const cpu = median(usages.map(({ cpuSeconds }) => cpuSeconds)).toFixed(2);
  const peak = (median(usages.map(({ peakBytes }) => peakBytes)) / 1e6).toFixed(0);
  console.log(`  ${name.padEnd(28)} ${seconds} s, CPU ${cpu} s, peak ${peak} MB`);
}

function vitrine(...args: string[]): Promise<Usage> {
  return measure(process.execPath, ["--import", TELL_USAGE, VITRINE, ...args]);
}

function tensorflow(...args: string[]): Promise<Usage> {
  if (python === undefined) throw new Error("VITRINE_PYTHON is not set");
  return measure(python, [TENSORFLOW, ...args]);
}

/** Runs a program to its end. @throws when it fails, with what it said. */
async function measure(program: string, args: readonly string[]): Promise<Usage> {
  const startedAt = performance.now();
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject).once("close", resolve);
  });
  const wallSeconds = (performance.now() - startedAt) / 1000;
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}: ${said.slice(-1000)}`);
  const { cpu, peak } = lastUsage(said);
  return { wallSeconds, cpuSeconds: cpu, peakBytes: peak };
}

/** Worker threads tell their usage, too, on lines of their own; the process is the last to end. */
function lastUsage(said: string): { cpu: number; peak: number } {
  const line = said.trim().split("\n").at(-1) ?? "";
  const value: unknown = JSON.parse(line);
  if (typeof value === "object" && value !== null && "cpu" in value && "peak" in value) {
    return { cpu: Number(value.cpu), peak: Number(value.peak) };
  }
  throw new Error(`the last line was ${line}, expected {"cpu", "peak"}`);
}
