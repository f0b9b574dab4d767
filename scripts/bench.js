#!/usr/bin/env node
/** `npm run bench [-- NAME…]`: runs the benchmarks in turn, all or those named. */
import "./node-version.js";
import path from "node:path";
import { ensureBuilt } from "./compile.js";
import { ensureInstalled } from "./install.js";
import { ROOT, run } from "./processes.js";

/** Those files of benchmarks/src that are run; the others are their parts. */
const BENCHMARKS = [
  "grpc-wire",
  "preprocess",
  "model-server",
  "model-server-faults",
  "model-server-rivals",
  "convert",
  "rest-body",
  "scheduling",
  "gateway",
  "gateway-rivals",
  "gateway-soak",
  "balance",
  "faults",
  "soak",
  "page",
];

await ensureInstalled();
await ensureBuilt();

const wanted = process.argv.length > 2 ? process.argv.slice(2) : BENCHMARKS;
const unknown = wanted.filter((name) => !BENCHMARKS.includes(name));
if (unknown.length > 0) {
  console.error(`${unknown.join(", ")} is no benchmark, expected some of ${BENCHMARKS.join(", ")}`);
  process.exit(2);
}

let failed = 0;
for (const name of wanted) {
  console.log(`\n== ${name}`);
  const code = await run(process.execPath, [path.join(ROOT, "benchmarks", "dist", `${name}.js`)]);
  if (code !== 0) {
    failed++;
    console.error(`${name} ended with exit code ${code}`);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
