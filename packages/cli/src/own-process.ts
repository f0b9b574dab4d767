/**
 * A second process for the model server, started with what only a new process can have: flags of V8, and glibc's
 * settings without which the memory of unloaded versions stays. Whoever starts it with them, as `vitrine up` and the
 * image do, has one process.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { MODEL_SERVER_ENVIRONMENT, MODEL_SERVER_NODE_FLAGS } from "@vitrine/model-server/garbage";
import { END_MESSAGE, EXIT_FAILED, type Io } from "@vitrine/runtime/lifecycle";
import { VITRINE_PROGRAM } from "./shipped.js";

export function needsOwnProcess({ stdout, env }: Io): boolean {
  const isProgram = stdout === process.stdout;
  const hasFlags = MODEL_SERVER_NODE_FLAGS.some((flag) => process.execArgv.includes(flag));
  const hasEnvironment = Object.keys(MODEL_SERVER_ENVIRONMENT).some((name) => env[name] !== undefined);
  return process.platform === "linux" && isProgram && !hasFlags && !hasEnvironment;
}

/**
 * Runs `vitrine WORDS…` in a process of its own on the same streams. When this one shall end, so shall that, and it
 * drains; when this one is killed, it sees its channel close and drains, too.
 *
 * @returns its exit code.
 */
export async function runInOwnProcess(words: readonly string[], { env, signal }: Io): Promise<number> {
  const child = spawn(
    process.execPath,
    [...process.execArgv, ...MODEL_SERVER_NODE_FLAGS, VITRINE_PROGRAM, ...words],
    { env: { ...env, ...MODEL_SERVER_ENVIRONMENT }, stdio: ["inherit", "inherit", "inherit", "ipc"] },
  );
  // Not a signal: a terminal sends its own to both, and the second one would end the drain.
  const end = () => {
    if (child.connected) child.send(END_MESSAGE);
  };
  signal.addEventListener("abort", end, { once: true });
  const [code]: unknown[] = await once(child, "exit");
  signal.removeEventListener("abort", end);
  return typeof code === "number" ? code : EXIT_FAILED;
}
