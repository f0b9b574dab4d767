/** Installs the dependencies when they are missing or not those of the lock file. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { npmCommand, ROOT, run } from "./processes.js";

/**
 * Installs what the lock file pins when that is needed. Ends the process with 1 when it fails.
 *
 * Not `npm ci`: it refuses a lock file without the binaries of every other system, which is what npm writes
 * where the registry has only some of them. `--no-save` keeps the lock file as it is.
 */
export async function ensureInstalled() {
  const installed = readPackages(path.join("node_modules", ".package-lock.json"));
  const reason = staleReason(installed, readPackages("package-lock.json") ?? {});
  if (reason === undefined) return;
  console.error(`installing the dependencies (${reason}) …`);
  const [npm, ...args] = npmCommand();
  const code = await run(npm, [...args, "install", "--no-save", "--no-audit", "--no-fund"]);
  if (code !== 0) {
    console.error(
      "npm install failed, see its message above: it needs the network, or a registry that npm is set to.",
    );
    process.exit(1);
  }
}

/**
 * Compares what npm says it installed with what the lock file wants.
 *
 * @param {Packages | undefined} installed `packages` of node_modules/.package-lock.json.
 * @param {Packages} wanted `packages` of package-lock.json.
 * @returns {string | undefined} undefined when they agree.
 */
export function staleReason(installed, wanted) {
  if (installed === undefined) return "there are none yet";
  for (const [name, entry] of Object.entries(wanted)) {
    if (!name.startsWith("node_modules/")) continue;
    const found = installed[name];
    // Optional ones are binaries for other systems.
    if (found === undefined && entry.optional !== true) return `${name} is missing`;
    if (found !== undefined && found.version !== entry.version) return `${name} is not ${entry.version}`;
  }
  return undefined;
}

/** @typedef {Record<string, { version?: string, optional?: boolean }>} Packages */

/** @returns {Packages | undefined} undefined when there is no such file. */
function readPackages(name) {
  try {
    return JSON.parse(readFileSync(path.join(ROOT, name), "utf8")).packages;
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}
