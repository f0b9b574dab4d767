/** Which of our compiled files a program loads, and which packages those lean on. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** Imports, static and dynamic, and files beside the code, scripts of worker threads among them, as tsc writes them. */
const REFERENCE =
  /^(?:import|export)\b(?:[^"\n]* from)? "(?<eager>[\w@./:-]+)";|\bimport\("(?<lazy>[\w@./:-]+)"\)|new URL\("(?<beside>\.[^"\n]+)", import\.meta\.url\)/gm;

const COMMAND = /^\.\/commands\/(?<name>[a-z-]+)\.js$/;

/**
 * Follows the imports of the `vitrine` program.
 *
 * @param {string} root folder of the repository, built.
 * @param {readonly string[]} commands those that the image has; imports of others are not followed.
 * @returns {{ files: Set<string>, packages: Set<string> }} our files, and folders of what is not code, relative to
 *   `root`; names of the packages of others that they import, without what those import themselves.
 */
export function moduleClosure(root, commands) {
  const files = new Set();
  const packages = new Set();
  const waiting = [path.join("packages", "cli", "bin", "vitrine.js")];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    // The models that ship with the repository are given to an image by whoever runs it.
    if (files.has(file) || !file.startsWith("packages")) continue;
    if (!file.endsWith(".js")) {
      files.add(file);
      continue;
    }
    const text = readFileSync(path.join(root, file), "utf8");
    files.add(file);
    for (const { groups } of text.matchAll(REFERENCE)) {
      const reference = groups.eager ?? groups.lazy ?? groups.beside;
      const command = COMMAND.exec(reference)?.groups.name;
      if (command !== undefined && file.endsWith("main.js") && !commands.includes(command)) continue;
      if (reference.startsWith(".")) waiting.push(path.join(path.dirname(file), reference));
      else if (reference.startsWith("@vitrine/")) waiting.push(ownFile(reference));
      else if (!reference.startsWith("node:")) packages.add(packageOf(reference));
    }
  }
  for (const command of commands) {
    const file = path.join("packages", "cli", "dist", "commands", `${command}.js`);
    if (!files.has(file)) throw new Error(`vitrine ${command} is no command: ${file} is imported by nothing`);
  }
  return { files, packages };
}

/** `@vitrine/protocol/grpc/server` is packages/protocol/dist/grpc/server.js, as the packages' `exports` say. */
function ownFile(reference) {
  const [, name, ...rest] = reference.split("/");
  return path.join("packages", name, "dist", `${rest.join("/")}.js`);
}

/** `@fastify/cors` of `@fastify/cors/types`. */
function packageOf(reference) {
  return reference
    .split("/")
    .slice(0, reference.startsWith("@") ? 2 : 1)
    .join("/");
}

/**
 * Adds what packages need themselves, as Node.js finds it: from each package's folder upwards.
 *
 * @param {string} root
 * @param {Iterable<string>} names
 * @param {{ leaveOut: readonly string[] }} options packages that are imported, and not wanted.
 * @returns {Map<string, object>} folder relative to `root` to the package's package.json.
 */
export function packageClosure(root, names, { leaveOut }) {
  const found = new Map();
  const waiting = [...names].map((name) => ({ name, from: ".", isOptional: false }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { name, from, isOptional } = next;
    if (leaveOut.includes(name)) continue;
    const folder = installedFolder(root, name, from);
    if (folder === undefined) {
      // Binaries for other systems are optional dependencies that were not installed.
      if (isOptional) continue;
      throw new Error(`${name}, which ${from} needs, is not installed`);
    }
    if (found.has(folder)) continue;
    const manifest = JSON.parse(readFileSync(path.join(root, folder, "package.json"), "utf8"));
    found.set(folder, manifest);
    const needs = { ...manifest.dependencies, ...manifest.optionalDependencies };
    for (const need of Object.keys(needs)) {
      waiting.push({ name: need, from: folder, isOptional: need in (manifest.optionalDependencies ?? {}) });
    }
    for (const peer of Object.keys(manifest.peerDependencies ?? {})) {
      waiting.push({
        name: peer,
        from: folder,
        isOptional: manifest.peerDependenciesMeta?.[peer]?.optional ?? false,
      });
    }
  }
  return found;
}

function installedFolder(root, name, from) {
  for (let folder = from; ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, "node_modules", name);
    if (existsSync(path.join(root, candidate, "package.json"))) return candidate;
    if (folder === ".") return undefined;
  }
}
