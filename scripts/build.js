#!/usr/bin/env node
/** `npm run build` */
import "./node-version.js";
import { ensureBuilt } from "./compile.js";
import { ensureInstalled } from "./install.js";

await ensureInstalled();
await ensureBuilt();
