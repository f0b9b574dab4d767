#!/usr/bin/env node
import { run } from "../dist/main.js";

// From 1.29 on ONNX Runtime reports models and machines to its maker unless this is set before it is loaded.
process.env.ORT_DISABLE_TELEMETRY ??= "1";
process.exitCode = await run(process.argv.slice(2));
