/**
 * Starts a tier once as its image will, asks it a little, and ends it, so that Node.js leaves what it compiled in the
 * folder that NODE_COMPILE_CACHE names. Run with the image's files, as the image's user: its id is part of the cache's
 * name. What is left is for all to read and nobody to write.
 *
 * Usage: node warm.js gateway|model-server [image.js]
 *
 * The file `built-on` beside this one has the processor that the build runs on, in Node.js' words.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { TIERS } from "./tiers.js";

const MODEL = fileURLToPath(new URL("model", import.meta.url));

/** The commands, and what to ask of the first address that each prints. */
const STARTS = {
  gateway: {
    words: ["gateway", "--port=0", "--tf-serving-host=127.0.0.1:1"],
    requests: [["/readyz"], ["/"], ["/metrics"], ["/predict", { body: "{}", type: "application/json" }]],
  },
  "model-server": {
    words: ["serve", "--port=0", "--rest-api-port=auto", `--model-base-path=${MODEL}`, "--model-name=warm"],
    requests: [
      ["/readyz"],
      ["/metrics"],
      ["/v1/models/warm/metadata"],
      ["/v1/models/warm:predict", { body: "{}" }],
    ],
  },
};

const [tier, image = "/app/image.js"] = process.argv.slice(2);
const { words, requests } = STARTS[tier];
const child = spawn(process.execPath, [...TIERS[tier].nodeFlags, image, ...words], {
  stdio: ["ignore", "ignore", "pipe"],
});
const ended = once(child, "exit");
for await (const line of createInterface({ input: child.stderr })) {
  const address = / listens on .*(http:\S+)/.exec(line)?.[1];
  if (address === undefined) continue;
  for (const [route, post] of requests) {
    const options = post && {
      method: "POST",
      body: post.body,
      headers: { "content-type": post.type ?? "text/plain" },
    };
    await (await fetch(`${address}${route}`, options)).arrayBuffer();
  }
  child.kill("SIGTERM");
}
const [code, signal] = await ended;
const compiled = process.env.NODE_COMPILE_CACHE;
mkdirSync(compiled, { recursive: true });
const builtOn = readFileSync(new URL("built-on", import.meta.url), "utf8").trim();
if (signal !== null && process.arch !== builtOn) {
  // An image for another processor is built under emulation, where native code may crash that runs on the processor itself.
  process.stderr.write(
    `${tier} was ended by ${signal}: the image is made without compiled code, and starts more slowly\n`,
  );
} else if (code !== 0) throw new Error(`${tier} ended with ${signal ?? code}, expected 0`);
for (const entry of readdirSync(compiled, { recursive: true, withFileTypes: true })) {
  chmodSync(path.join(entry.parentPath, entry.name), entry.isDirectory() ? 0o555 : 0o444);
}
