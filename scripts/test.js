#!/usr/bin/env node
/** `npm test`: installs and builds what is missing, runs all tests, ends with `N passed, N failed`. */
import "./node-version.js";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { findBrowser, HOW_TO_GET_ONE, installBrowser } from "./browser.js";
import { ensureBuilt } from "./compile.js";
import { ensureInstalled } from "./install.js";
import { programOf, ROOT, run } from "./processes.js";

const args = process.argv.slice(2);
const wantsBrowser = args.includes("--install-browser") || process.env.CI === "true";
const vitestArgs = args.filter((arg) => arg !== "--install-browser");

await ensureInstalled();
if (wantsBrowser) await installBrowser();
await ensureBuilt();

const browser = findBrowser();
if (browser === undefined) console.error(`the browser tests are skipped: ${HOW_TO_GET_ONE}`);

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

const { passed, failed, skipped } = countResults(exitCode);
console.log(`${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`);
process.exitCode = failed === 0 ? 0 : 1;

/** Counts tests. A file that could not be loaded, and an error outside all tests, each count as a failed one. */
function countResults(vitestExitCode) {
  let counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    const report = JSON.parse(readFileSync(results, "utf8"));
    const files = report.testResults.filter(
      ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
    );
    counts = {
      passed: report.numPassedTests,
      failed: report.numFailedTests + files.length,
      skipped: report.numPendingTests + report.numTodoTests,
    };
  } catch (error) {
    console.error(`vitest left no results: ${error.message}`);
  }
  rmSync(results, { force: true });
  if (vitestExitCode !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}
