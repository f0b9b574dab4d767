/**
 * Gathers what Node.js needs of its Debian image to run alone: the program, the C and C++ libraries, users and
 * name service. No shell, no package manager. Run in that image, on the platform of the image that is made.
 *
 * Usage: node runtime-files.js TO
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { debianComponents, nodeComponent } from "./sbom.js";

const [, , to] = process.argv;

/** Loaded by name when it is needed, which ldd does not show, or by the native parts of our dependencies. */
const LIBRARIES_BY_NAME = [
  "libdl.so.2",
  "libresolv.so.2",
  "librt.so.1",
  "libnss_dns.so.2",
  "libnss_files.so.2",
];

/** Not the time of the build: the same files give the same layer, which both images then share. */
const FIXED_TIME = new Date("2026-01-01T00:00:00Z");

const node = realpathSync(process.execPath);
const libraries = nodeLibraries();

for (const folder of [
  "etc",
  "tmp",
  "home/node",
  "usr/lib",
  "usr/lib64",
  "usr/local/bin",
  "var/lib/dpkg/status.d",
]) {
  mkdirSync(path.join(to, folder), { recursive: true });
}
for (const folder of ["lib", "lib64"]) symlinkSync(`usr/${folder}`, path.join(to, folder));
for (const file of [node, ...libraries]) copy(file);
for (const file of ["/etc/nsswitch.conf", "/etc/os-release", "/etc/debian_version", "/usr/local/LICENSE"]) {
  if (existsSync(file)) copy(file);
}
writeFileSync(
  path.join(to, "etc/passwd"),
  "root:x:0:0:root:/:/sbin/nologin\nnode:x:1000:1000::/home/node:/sbin/nologin\n",
);
writeFileSync(path.join(to, "etc/group"), "root:x:0:\nnode:x:1000:\n");

const packages = debianPackages([...libraries, "/etc/debian_version"]);
for (const { name, status } of packages) {
  // Where scanners look for the packages of an image without dpkg's own list.
  writeFileSync(path.join(to, "var/lib/dpkg/status.d", name), status);
  const licence = `/usr/share/doc/${name}/copyright`;
  if (existsSync(licence)) copy(licence);
}
mkdirSync(path.join(to, "usr/share/sbom"), { recursive: true });
const components = [nodeComponent(process.version, process.versions), ...debianComponents(packages)];
writeFileSync(path.join(to, "usr/share/sbom/base.json"), `${JSON.stringify(components, undefined, 1)}\n`);

chownSync(path.join(to, "home/node"), 1000, 1000);
fixTimes(to);
chmodSync(path.join(to, "tmp"), 0o1777);

/** @returns {string[]} absolute paths, as the loader finds them. */
function nodeLibraries() {
  const found = [...execFileSync("ldd", [node], { encoding: "utf8" }).matchAll(/(\/\S+)\s+\(0x/g)].map(
    ([, file]) => file,
  );
  const folder = path.dirname(found.find((file) => file.endsWith("/libc.so.6")));
  const byName = LIBRARIES_BY_NAME.map((name) => path.join(folder, name));
  return [...new Set([...found, ...byName])];
}

/** Copies a file to its place under `to`, through the symbolic links of its folder and of itself. */
function copy(file) {
  const target = path.join(to, realpathSync(path.dirname(file)), path.basename(file));
  mkdirSync(path.dirname(target), { recursive: true });
  cpSync(realpathSync(file), target);
}

/** @returns {{ name: string, version: string, arch: string, status: string }[]} */
function debianPackages(files) {
  const names = new Set(files.map(packageThatOwns));
  return [...names].sort().map((name) => {
    const status = execFileSync("dpkg", ["--status", name], { encoding: "utf8" });
    const field = (key) => new RegExp(`^${key}: (.+)$`, "m").exec(status)[1];
    return { name: field("Package"), version: field("Version"), arch: field("Architecture"), status };
  });
}

function packageThatOwns(file) {
  // dpkg knows a library under /lib or under /usr/lib, as its package was made before or after the two were merged.
  const known = [file, realpathSync(file), path.join("/usr", file), file.replace(/^\/usr/, "")];
  for (const candidate of known) {
    try {
      return execFileSync("dpkg", ["-S", candidate], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }).split(": ", 1)[0];
    } catch (error) {
      if (error.status !== 1) throw error;
    }
  }
  throw new Error(`no Debian package owns ${file}`);
}

function fixTimes(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) fixTimes(name);
    lutimesSync(name, FIXED_TIME, FIXED_TIME);
  }
}
