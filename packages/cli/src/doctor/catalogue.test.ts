import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { CATALOGUE } from "./catalogue.js";
import { bySeverity, finding, shellText } from "./finding.js";
import { KUBERNETES_VERSIONS, kubernetesVersion } from "./kubernetes-versions.js";
import { reportJson, reportText } from "./report.js";

/** Finding to its row: severity, meaning, mend. */
async function documented(): Promise<Map<string, string[]>> {
  const text = await readFile(new URL("../../../../docs/doctor.md", import.meta.url), "utf8");
  const rows = text.split("\n").filter((line) => /^\| `[a-z][a-z0-9-]+`/.test(line));
  return new Map(
    rows.map((row) => {
      const [, id = "", ...cells] = row.split("|").map((cell) => cell.trim());
      return [id.replaceAll("`", ""), cells] as const;
    }),
  );
}

test("docs/doctor.md lists every finding with its severity, in the order of the report", async () => {
  const rows = await documented();
  expect([...rows.keys()]).toEqual(Object.keys(CATALOGUE));
  for (const [id, [severity, meaning, mend]] of rows) {
    expect([id, severity]).toEqual([id, Reflect.get(CATALOGUE, id).severity]);
    expect(meaning).not.toBe("");
    expect(mend).not.toBe("");
  }
});

const facts = { problem: "it is so", seen: "ls", mends: [] };

test("faults come before warnings, and causes before what follows from them", () => {
  const sorted = bySeverity([
    finding("clock-skew", { subject: "b", ...facts }),
    finding("service-without-endpoints", { subject: "a", ...facts }),
    finding("image-not-on-node", { subject: "z", ...facts }),
    finding("image-not-on-node", { subject: "y", ...facts }),
  ]);
  expect(sorted.map(({ id, subject }) => `${id} ${subject}`)).toEqual([
    "image-not-on-node y",
    "image-not-on-node z",
    "service-without-endpoints a",
    "clock-skew b",
  ]);
});

test("a report ends with what was counted and looked at", () => {
  const findings = [finding("clock-skew", { subject: "b", ...facts })];
  expect(reportText({ examined: ["this machine"], findings: [] })).toBe(
    "nothing wrong: looked at this machine\n",
  );
  expect(reportText({ examined: ["this machine"], findings })).toMatch(
    /^WARNING {2}b: it is so {2}\[clock-skew\]\n[\s\S]*\n0 faults, 1 warning: looked at this machine\n$/,
  );
  expect(JSON.parse(reportJson({ examined: ["this machine"], findings }))).toMatchObject({
    examined: ["this machine"],
    faults: 0,
    warnings: 1,
    findings: [{ id: "clock-skew", severity: "warning", subject: "b", mends: [] }],
  });
});

test.each([
  [["kubectl", "get", "pods"], "kubectl get pods"],
  [["echo", "a b", "it's"], "echo 'a b' 'it'\\''s'"],
  [["cp", "a", "~/b"], "cp a ~/b"],
  [["patch", '{"a":1}', ""], `patch '{"a":1}' ''`],
])("words %j are quoted as a shell takes them", (argv, text) => {
  expect(shellText(argv)).toBe(text);
});

test("the table of versions rises, and each date follows the one before it", () => {
  for (const [index, { minor, endOfLife, eks }] of KUBERNETES_VERSIONS.entries()) {
    const before = KUBERNETES_VERSIONS[index - 1];
    expect(minor).toBe(`1.${21 + index}`);
    expect(endOfLife > (before?.endOfLife ?? "")).toBe(true);
    if (eks === undefined) continue;
    expect(eks.extendedUntil > eks.standardUntil).toBe(true);
    expect(eks.standardUntil >= endOfLife).toBe(true);
  }
});

test("a version is found however it is written", () => {
  for (const text of ["v1.33.13", "1.33", "v1.33.5-eks-3cfe0ce", "v1.33.4-gke.1036000"]) {
    expect(kubernetesVersion(text)?.minor).toBe("1.33");
  }
  expect(kubernetesVersion("v1.3.0")).toBeUndefined();
  expect(kubernetesVersion("?")).toBeUndefined();
});
