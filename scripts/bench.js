#!/usr/bin/env node
/** `npm run bench [-- NAME…]`: runs the benchmarks in turn, all or those named. */
import "./node-version.js";
import { readdirSync } from "node:fs";
import path from "node:path";
import { ensureBuilt } from "./compile.js";
import { ensureInstalled } from "./install.js";
import { ROOT, run } from "./processes.js";

await ensureInstalled();
await ensureBuilt();

const known = readdirSync(path.join(ROOT, "benchmarks", "src"))
  .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
  .map((name) => path.basename(name, ".ts"));
const wanted = process.argv.length > 2 ? process.argv.slice(2) : known;
const unknown = wanted.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`${unknown.join(", ")} is no benchmark, expected some of ${known.join(", ")}`);
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
