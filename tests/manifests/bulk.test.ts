/** The bulk Job against what its own parts and `vitrine classify` say. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";

const ROOT = path.resolve(import.meta.dirname, "../..");
const read = (name: string): string => readFileSync(path.join(ROOT, "deploy/k8s/bulk", name), "utf8");
const job = parseAllDocuments(read("job.yaml"))
  .map((document) => document.toJS())
  .find(({ kind }) => kind === "Job").spec;
const [container] = job.template.spec.containers;
const merge = parse(read("merge/job.yaml")).spec.template.spec.containers[0];
const flag = (args: readonly string[], name: string): string | undefined =>
  args.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);

it("there are as many shards as completions, and each pod takes that of its index", () => {
  expect(flag(container.args, "shard")).toBe(`$(JOB_COMPLETION_INDEX)/${job.completions}`);
  expect(job.completionMode).toBe("Indexed");
});

it("a pod that used the command wrongly ends the Job, by the name and the exit code that it has", () => {
  const [, wrongUse] = job.podFailurePolicy.rules;
  expect(wrongUse).toEqual({
    action: "FailJob",
    onExitCodes: { containerName: container.name, operator: "In", values: [2] },
  });
  // Needed by both podFailurePolicy and backoffLimitPerIndex.
  expect(job.template.spec.restartPolicy).toBe("Never");
});

it("what is merged is what was written, of the same list, on the same volume", () => {
  expect(merge.args.slice(0, 4)).toEqual(["vitrine", "classify", "merge", flag(container.args, "output")]);
  expect(container.args).toContain(`@${flag(merge.args, "list")}`);
  expect([merge.workingDir, merge.volumeMounts]).toEqual([container.workingDir, container.volumeMounts]);
  expect(merge.image).toBe(container.image);
});
