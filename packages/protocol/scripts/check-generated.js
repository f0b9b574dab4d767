// Generates into a temporary folder and compares: the working tree stays as it is.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

// npm runs a package's scripts in its folder.
const packageFolder = process.cwd();
const fresh = mkdtempSync(path.join(tmpdir(), "vitrine-generated-"));
try {
  execFileSync("buf", ["generate", "--output", fresh], { cwd: packageFolder, stdio: "inherit" });
  const stale = differences(path.join(packageFolder, "src/gen"), path.join(fresh, "src/gen"));
  if (stale.length > 0) {
    process.stderr.write(
      `not fresh, run "npm run generate":\n${stale.map((file) => `  ${file}\n`).join("")}`,
    );
    process.exitCode = 1;
  }
} finally {
  rmSync(fresh, { recursive: true });
}

function differences(committed, generated) {
  const left = filesOf(committed);
  const right = filesOf(generated);
  return [...new Set([...left.keys(), ...right.keys()])]
    .filter((file) => left.get(file) !== right.get(file))
    .sort();
}

function filesOf(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return new Map(
    entries.map((entry) => {
      const file = path.join(entry.parentPath, entry.name);
      return [path.relative(folder, file), readFileSync(file, "utf8")];
    }),
  );
}
