/**
 * Lays out the files of one image: of our packages those that its commands load, of other packages what they need on
 * Linux and the given processor, with their licences; the website; the list of all that.
 *
 * Usage, in a built repository: node assemble.js TIER CPU DEPENDENCIES BASE TO
 * CPU is amd64 or arm64, empty for this machine's; DEPENDENCIES the folder whose node_modules were installed for it; BASE a
 * JSON list of what the base of the image adds to the list.
 */
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { moduleClosure, packageClosure } from "./module-closure.js";
import { packageFiles } from "./package-files.js";
import { npmComponent, sbomDocument } from "./sbom.js";
import { TIERS } from "./tiers.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const HERE = path.join("deploy", "docker");

const [, , tier, platformCpu, dependencies, base, to] = process.argv;
const cpu = platformCpu === "amd64" ? "x64" : platformCpu || process.arch;
const { commands, leaveOut, website, nodeFlags } = TIERS[tier];
const app = path.join(to, "app");

const { files, packages } = moduleClosure(ROOT, commands);
const closure = packageClosure(dependencies, packages, { leaveOut });

for (const file of files) copy(file);
const workspaces = new Set([...files].map((file) => file.split(path.sep).slice(0, 2).join(path.sep)));
if (website) {
  workspaces.add("website");
  cpSync(path.join(ROOT, "website", "dist"), path.join(app, "website", "dist"), { recursive: true });
}
for (const workspace of workspaces) {
  copy(path.join(workspace, "package.json"));
  const link = path.join(app, "node_modules", readManifest(workspace).name);
  mkdirSync(path.dirname(link), { recursive: true });
  symlinkSync(path.relative(path.dirname(link), path.join(app, workspace)), link);
}
for (const [folder, { name }] of closure) {
  for (const file of packageFiles(path.join(dependencies, folder), name, cpu)) {
    copy(path.join(folder, file), dependencies);
  }
}
for (const file of ["LICENSE", "NOTICE"]) copy(file);
for (const file of ["image.js", "healthcheck.js"]) cpSync(path.join(ROOT, HERE, file), path.join(app, file));
writeFileSync(path.join(app, "package.json"), `${JSON.stringify({ private: true, type: "module" })}\n`);

// `docker exec`, and whoever overrides the command: `vitrine WORD`. Without /usr/bin/env, which the image may lack.
writeProgram("vitrine.js", nodeFlags, 'import "./packages/cli/bin/vitrine.js";');
mkdirSync(path.join(to, "usr", "local", "bin"), { recursive: true });
symlinkSync("/app/vitrine.js", path.join(to, "usr", "local", "bin", "vitrine"));
writeSbom();

function copy(file, from = ROOT) {
  const target = path.join(app, file);
  mkdirSync(path.dirname(target), { recursive: true });
  cpSync(path.join(from, file), target, { recursive: true });
}

function writeProgram(name, flags, text) {
  const file = path.join(app, name);
  writeFileSync(file, `#!${["/usr/local/bin/node", ...flags].join(" ")}\n${text}\n`);
  chmodSync(file, 0o755);
}

function writeSbom() {
  const locked = readJson("package-lock.json").packages;
  const ours = [...workspaces].map((workspace) => npmComponent(readManifest(workspace)));
  const others = [...closure].map(([folder, manifest]) => {
    const versions = path.join(dependencies, folder, "versions.json");
    const bundled = existsSync(versions) ? JSON.parse(readFileSync(versions, "utf8")) : undefined;
    return npmComponent(manifest, { integrity: locked[folder]?.integrity, bundled });
  });
  const components = [...ours, ...others, ...JSON.parse(readFileSync(base, "utf8"))];
  const { version } = readManifest(path.join("packages", "cli"));
  const folder = path.join(to, "usr", "share", "sbom");
  mkdirSync(folder, { recursive: true });
  const text = JSON.stringify(sbomDocument({ tier, version, components }), undefined, 1);
  writeFileSync(path.join(folder, `${tier}.cdx.json`), `${text}\n`);
}

function readManifest(folder) {
  return readJson(path.join(folder, "package.json"));
}

function readJson(file) {
  return JSON.parse(readFileSync(path.join(ROOT, file), "utf8"));
}
