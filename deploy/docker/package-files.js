/** Which files of an installed package an image needs. */
import { readdirSync } from "node:fs";
import path from "node:path";

/** Types, sources, source maps and texts for readers. */
const FOR_DEVELOPERS = /(\.[cm]?tsx?|\.map|\.flow|\.markdown|\.md|\.yml|\.tsbuildinfo|\.test\.[cm]?js)$/i;

const FOLDERS_FOR_DEVELOPERS = new Set([
  "test",
  "tests",
  "__tests__",
  "benchmark",
  "benchmarks",
  "example",
  "examples",
]);

/** Licences ask to be passed on with the program. */
const LICENCE = /^(licen[cs]e|copying|notice|third[-_]?party)/i;

/**
 * What else single packages carry that Node.js on Linux does not load. Patterns on the path within the package.
 *
 * @type {Readonly<Record<string, readonly RegExp[]>>}
 */
const NOT_LOADED = {
  // The same code for bundlers; Node.js takes build/src.
  "@opentelemetry/": [/^build\/(esm|esnext)\//],
  // For browsers.
  h5wasm: [/^dist\/(esm|iife)\//],
  // Fetches the CUDA build; the image for GPUs has run it.
  "onnxruntime-node": [/^script\//],
  // Headers of libvips, and the sources that sharp is compiled from where it has no binary.
  "@img/sharp-libvips": [/\/include\//],
  sharp: [/^src\//, /^install\//],
  zod: [/^src\//],
};

/**
 * Lists the files to copy.
 *
 * @param {string} folder of the package.
 * @param {string} name of the package.
 * @param {string} cpu as `process.arch` says it; binaries for others and for other systems than Linux stay behind.
 * @returns {string[]} relative to `folder`; nested node_modules are packages of their own and not among them.
 */
export function packageFiles(folder, name, cpu) {
  const rules = Object.entries(NOT_LOADED).flatMap(([start, patterns]) =>
    name.startsWith(start) ? patterns : [],
  );
  const files = [];
  const walk = (inside) => {
    for (const entry of readdirSync(path.join(folder, inside), { withFileTypes: true })) {
      const file = path.posix.join(inside, entry.name);
      if (entry.isDirectory()) {
        if (entry.name !== "node_modules" && !FOLDERS_FOR_DEVELOPERS.has(entry.name)) walk(file);
      } else if (isNeeded(file, entry.name, rules, cpu)) files.push(file);
    }
  };
  walk("");
  return files.sort();
}

function isNeeded(file, name, rules, cpu) {
  if (rules.some((rule) => rule.test(file))) return false;
  if (LICENCE.test(name)) return true;
  const platform = /(?:^|\/)(linux|darwin|win32)\/(x64|arm64|ia32)\//.exec(file);
  if (platform !== null && (platform[1] !== "linux" || platform[2] !== cpu)) return false;
  return !FOR_DEVELOPERS.test(name);
}
