#!/usr/bin/env node
/** `npm start -- ARGS`: installs and builds what is missing, then `vitrine up ARGS`. */
import "./node-version.js";
import { ensureBuilt } from "./compile.js";
import { ensureInstalled } from "./install.js";

await ensureInstalled();
await ensureBuilt("packages/cli");
// In this process, so that signals and the exit code are those of `vitrine up`.
process.argv.splice(2, 0, "up");
await import("../packages/cli/bin/vitrine.js");
