#!/usr/bin/env node
/** `node scripts/sample-drawings.js`: makes the page's samples, website/public/samples/*.jpg, from the drawings in website/samples. */
import { mkdir, readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { ROOT } from "./processes.js";

// sharp is the gateway's dependency.
const sharp = createRequire(path.join(ROOT, "packages", "gateway", "package.json"))("sharp");

const drawings = path.join(ROOT, "website", "samples");
const samples = path.join(ROOT, "website", "public", "samples");
await mkdir(samples, { recursive: true });
for (const name of await readdir(drawings)) {
  const { size } = await sharp(path.join(drawings, name))
    .jpeg({ quality: 72, mozjpeg: true })
    .toFile(path.join(samples, name.replace(".svg", ".jpg")));
  console.log(`${name}: ${size} bytes`);
}
