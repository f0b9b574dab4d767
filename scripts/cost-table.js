#!/usr/bin/env node
/** Writes the cost tables of docs/right-size.md anew, from packages/cli/src/bench/prices.ts and cost-figures.ts. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { costTables } from "../packages/cli/dist/bench/cost-table.js";
import { ROOT } from "./processes.js";

const [unknown] = process.argv.slice(2);
if (unknown !== undefined) {
  console.error(`cost-table.js was given ${unknown}, expected no arguments: it writes docs/right-size.md`);
  process.exit(2);
}

const file = path.join(ROOT, "docs", "right-size.md");
const [before, , after] = readFileSync(file, "utf8").split(/(?<=<!-- costs -->)|(?=<!-- end of costs -->)/);
writeFileSync(file, `${before}\n\n${costTables()}\n${after}`);
