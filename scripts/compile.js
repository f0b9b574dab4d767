/** Compiles the packages and the website; quick when nothing has changed. */
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { programOf, ROOT, run } from "./processes.js";

/**
 * Builds the website, and the packages named with what they need. Ends the process with 1 when something does not compile.
 *
 * @param {readonly string[]} folders of packages; without any, all.
 */
export async function ensureBuilt(...folders) {
  await step("compiling", programOf("typescript", "tsc"), ["-b", ...folders]);
  if (websiteIsStale())
    await step("building the website", programOf("vite"), ["build", "--logLevel", "warn"], "website");
}

async function step(words, program, args, folder = ".") {
  const startedMs = performance.now();
  process.stderr.write(`${words} … `);
  const code = await run(process.execPath, [program, ...args], { folder: path.join(ROOT, folder) });
  if (code !== 0) {
    console.error(`${words} failed: mend what is said above and run the command again.`);
    process.exit(1);
  }
  console.error(`${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
}

/** The website's bundle is older than a file that it is made of. tsc has its own memory, Vite has none. */
function websiteIsStale() {
  const builtMs = newestMs(path.join("website", "dist", "index.html"));
  const sources = readdirSync(path.join(ROOT, "website"))
    .filter((name) => name !== "dist" && name !== "node_modules")
    .map((name) => path.join("website", name));
  return [...sources, "package-lock.json"].some((source) => newestMs(source) > builtMs);
}

/** Newest change of a file or of any in a folder; 0 when it is not there. */
function newestMs(name) {
  const found = statSync(path.join(ROOT, name), { throwIfNoEntry: false });
  if (found === undefined) return 0;
  if (!found.isDirectory()) return found.mtimeMs;
  const inside = readdirSync(path.join(ROOT, name)).map((entry) => newestMs(path.join(name, entry)));
  return Math.max(found.mtimeMs, ...inside);
}
