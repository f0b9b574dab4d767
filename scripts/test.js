#!/usr/bin/env node
/** `npm test`: installs and builds what is missing, runs all tests, ends with `N passed, N failed`. */
import "./node-version.js";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { findBrowser, HOW_TO_GET_ONE, installBrowser } from "./browser.js";
import { ensureBuilt } from "./compile.js";
import { countResults } from "./count-results.js";
import { ensureInstalled } from "./install.js";
import { programOf, ROOT, run } from "./processes.js";

const args = process.argv.slice(2);
if (args.includes("--help") || args.includes("-h")) {
  console.log("npm test -- [--install-browser] [what vitest run takes]\n");
  await ensureInstalled();
  process.exit(await run(process.execPath, [programOf("vitest"), "run", ...args]));
}
const wantsBrowser = args.includes("--install-browser") || process.env.CI === "true";
const vitestArgs = args.filter((arg) => arg !== "--install-browser");

await ensureInstalled();
if (wantsBrowser) await installBrowser();
await ensureBuilt();

const browser = findBrowser();
if (browser === undefined) console.error(`the browser tests are skipped: ${HOW_TO_GET_ONE}`);

if (!process.env.VITRINE_PHOTOS) {
  console.error(
    "VITRINE_PHOTOS names no folder of photos: tests with real ones run in a smaller form or are skipped",
  );
}

const results = path.join(ROOT, ".vitrine", `test-results-${process.pid}.json`);
mkdirSync(path.dirname(results), { recursive: true });
const exitCode = await run(
  process.execPath,
  [
    programOf("vitest"),
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${results}`,
    ...vitestArgs,
  ],
  { env: browser === undefined ? {} : { VITRINE_CHROMIUM: browser } },
);

const { passed, failed, skipped } = countResults(readReport(), exitCode);
console.log(`${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`);
process.exitCode = failed === 0 ? 0 : 1;

function readReport() {
  try {
    return JSON.parse(readFileSync(results, "utf8"));
  } catch (error) {
    console.error(`vitest left no results: ${error.message}`);
    return undefined;
  } finally {
    rmSync(results, { force: true });
  }
}
