/** The bulk Job against what its own parts and `vitrine classify` say. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";

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

const overlaySchema = z.object({
  patches: z.array(z.object({ target: z.object({ kind: z.string(), name: z.string() }), patch: z.string() })),
});
const operationsSchema = z.array(z.object({ op: z.string(), path: z.string(), value: z.string() }));

/** What a JSON pointer points at. */
function valueAt(document: unknown, pointer: string): unknown {
  const keys = pointer
    .split("/")
    .slice(1)
    .map((key) => key.replaceAll("~1", "/"));
  return keys.reduce<unknown>((value, key) => Object(value)[key], document);
}

it("the overlay of docs/bulk.md for another gateway changes its address, and what lets the pods go there", () => {
  const page = readFileSync(path.join(ROOT, "docs/bulk.md"), "utf8");
  const { patches } = overlaySchema.parse(parse(/^```yaml\n(.*?)^```/ms.exec(page)?.[1] ?? ""));
  const documents = [
    ...parseAllDocuments(read("job.yaml")),
    ...parseAllDocuments(read("network-policy.yaml")),
  ];
  const changed = patches.flatMap(({ target, patch }) => {
    const document = documents
      .map((each) => each.toJS())
      .find(({ kind, metadata }) => kind === target.kind && metadata.name === target.name);
    return operationsSchema.parse(parse(patch)).map(({ op, path: pointer, value }) => ({
      op,
      now: valueAt(document, pointer),
      value,
    }));
  });
  const gateway = flag(container.args, "gateway");
  expect(changed).toEqual([
    { op: "test", now: `--gateway=${gateway}`, value: `--gateway=${gateway}` },
    { op: "replace", now: `--gateway=${gateway}`, value: "--gateway=http://gateway.shop" },
    { op: "replace", now: new URL(gateway ?? "").hostname.split(".")[1], value: "shop" },
  ]);
});
