#!/usr/bin/env node
/** `npm run check`: types, lint and format, unused code, generated files fresh. All are run, whatever fails. */
import "./node-version.js";
import { ensureInstalled } from "./install.js";
import { capture, npmCommand, programOf } from "./processes.js";

await ensureInstalled();

const node = process.execPath;
const tsc = programOf("typescript", "tsc");

/** @type {readonly (readonly [name: string, commandLine: readonly string[]])[]} */
const CHECKS = [
  ["types of the packages", [node, tsc, "-b"]],
  ["types of the tests", [node, tsc, "-p", "tsconfig.tests.json"]],
  ["types of the website", [node, tsc, "-p", "website"]],
  [
    "lint and format",
    [node, programOf("@biomejs/biome", "biome"), "ci", "--error-on-warnings", "--colors=off"],
  ],
  ["unused code", [node, programOf("knip")]],
  [
    "generated messages",
    [
      ...npmCommand(),
      "run",
      "--silent",
      "check:generated",
      "-w",
      "@vitrine/protocol",
      "-w",
      "@vitrine/convert",
    ],
  ],
  ["docs/configuration.md", [node, "scripts/configuration-docs.js", "--check"]],
  ["docs/converting.md", [node, "scripts/converting-docs.js", "--check"]],
];

let failed = 0;
for (const [name, [program, ...args]] of CHECKS) {
  const startedMs = performance.now();
  const { code, output } = await capture(program, args);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok    " : "FAILED"}  ${name} (${seconds} s)`);
  if (code !== 0) {
    failed++;
    console.log(output.replace(/^/gm, "    "));
  }
}
console.log(`${CHECKS.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
