/** Programs that the scripts run. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

/** Folder of the repository. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * Runs a program in the repository, its output passed on.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ env?: Record<string, string>, folder?: string }} [options]
 * @returns {Promise<number>} exit code; 1 when a signal ended it.
 */
export async function run(program, args, { env = {}, folder = ROOT } = {}) {
  const child = spawn(program, args, {
    cwd: folder,
    stdio: "inherit",
    // From 1.29 on ONNX Runtime reports models and machines to its maker without it.
    env: { ORT_DISABLE_TELEMETRY: "1", ...process.env, ...env },
  });
  const [code] = await once(child, "exit");
  return code ?? 1;
}

/**
 * Runs a program and keeps its output.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @returns {Promise<{ code: number, output: string }>} stdout, then stderr.
 */
export async function capture(program, args) {
  const child = spawn(program, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit"),
  ]);
  return { code: code ?? 1, output: stdout + stderr };
}

/**
 * Finds the program of an installed package, to be run by Node: quicker than npx, and the same on every system.
 *
 * @param {string} packageName
 * @param {string} [name] of the program, when it is not the package's.
 */
export function programOf(packageName, name = packageName) {
  const folder = path.join(ROOT, "node_modules", packageName);
  const { bin } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  return path.join(folder, typeof bin === "string" ? bin : bin[name]);
}

/**
 * npm, as the command that started us or the one on the path.
 *
 * @returns {[program: string, ...args: string[]]}
 */
export function npmCommand() {
  const program = process.env.npm_execpath;
  if (program?.endsWith(".js")) return [process.execPath, program];
  return [process.platform === "win32" ? "npm.cmd" : "npm"];
}
