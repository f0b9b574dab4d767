/**
 * Answers of a cluster, kept in a file and given again. Of objects only the members are kept that doctor reads; the
 * rest, such as addresses and unique ids, is not.
 */
import { readFile, writeFile } from "node:fs/promises";
import { z } from "zod";
import type { ClusterAccess, HttpAnswer, ProgramResult } from "../cluster/access.js";
import { SCHEMAS } from "../cluster/objects.js";

const recordingSchema = z.object({
  now: z.number(),
  /** By the program's words, joined by spaces. */
  programs: z.record(z.string(), z.object({ code: z.number(), stdout: z.string(), stderr: z.string() })),
  /** By namespace, pod, port and path. */
  pods: z.record(z.string(), z.object({ status: z.number(), body: z.string() })),
});
export type Recording = z.output<typeof recordingSchema>;

const SCHEMA_OF_KIND: Readonly<Record<string, z.ZodType>> = {
  Pod: SCHEMAS.pod,
  Deployment: SCHEMAS.workload,
  StatefulSet: SCHEMAS.workload,
  DaemonSet: SCHEMAS.workload,
  Job: SCHEMAS.job,
  Service: SCHEMAS.service,
  EndpointSlice: SCHEMAS.endpointSlice,
  HorizontalPodAutoscaler: SCHEMAS.autoscaler,
  PodDisruptionBudget: SCHEMAS.disruptionBudget,
  NetworkPolicy: SCHEMAS.networkPolicy,
  Ingress: SCHEMAS.ingress,
  Node: SCHEMAS.node,
  Lease: SCHEMAS.lease,
};

const listSchema = z.object({ items: z.array(z.object({ kind: z.string() }).loose()) });

const imageSchema = z.array(z.object({ Architecture: z.string() }));
const LOG_LINES = 60;

function pruned(stdout: string): string {
  if (stdout.startsWith("[")) return JSON.stringify(imageSchema.parse(JSON.parse(stdout)));
  const lines = stdout.trimEnd().split("\n");
  if (lines.length > LOG_LINES && !stdout.startsWith("{")) return `${lines.slice(-LOG_LINES).join("\n")}\n`;
  if (!stdout.startsWith("{")) return stdout;
  const list = listSchema.safeParse(JSON.parse(stdout));
  if (!list.success) return stdout;
  const items = list.data.items.map((item) => {
    const schema = SCHEMA_OF_KIND[item.kind];
    return schema === undefined
      ? item
      : { kind: item.kind, ...z.record(z.string(), z.unknown()).parse(schema.parse(item)) };
  });
  return JSON.stringify({ kind: "List", items });
}

/** Passes questions on and keeps the answers. */
export function recordingAccess(access: ClusterAccess): { access: ClusterAccess; recording: Recording } {
  const recording: Recording = { now: access.now(), programs: {}, pods: {} };
  const keep = (program: string, args: readonly string[], result: ProgramResult): ProgramResult => {
    const { code, stdout, stderr } = result;
    if (code !== undefined) {
      recording.programs[[program, ...args].join(" ")] = { code, stdout: pruned(stdout), stderr };
    }
    return result;
  };
  return {
    recording,
    access: {
      kubectl: async (args) => keep("kubectl", args, await access.kubectl(args)),
      docker: async (args) => keep("docker", args, await access.docker(args)),
      askPod: async (question) => {
        const answer = await access.askPod(question);
        if (answer !== undefined) recording.pods[Object.values(question).join(" ")] = answer;
        return answer;
      },
      now: () => recording.now,
    },
  };
}

/** Answers as recorded; a program that was not asked then is not there. */
export function recordedAccess({ now, programs, pods }: Recording): ClusterAccess {
  const answer = (program: string, args: readonly string[]): Promise<ProgramResult> => {
    const known = programs[[program, ...args].join(" ")];
    return Promise.resolve(known ?? { code: undefined, stdout: "", stderr: "not recorded" });
  };
  return {
    kubectl: (args) => answer("kubectl", args),
    docker: (args) => answer("docker", args),
    askPod: (question): Promise<HttpAnswer | undefined> =>
      Promise.resolve(pods[Object.values(question).join(" ")]),
    now: () => now,
  };
}

export async function readRecording(file: URL): Promise<Recording> {
  return recordingSchema.parse(JSON.parse(await readFile(file, "utf8")));
}

export async function writeRecording(file: string, recording: Recording): Promise<void> {
  await writeFile(file, `${JSON.stringify(recording, null, 1)}\n`);
}
