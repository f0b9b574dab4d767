/** Containers that end, that were not created, or that are not ready. */
import { z } from "zod";
import { type Finding, finding, type Mend, mend } from "../finding.js";
import { limitFor } from "../memory-need.js";
import { templateMend } from "./changes.js";
import { containersOf, firstLine, isOtherArchitecture } from "./check-images.js";
import { bytesOf, type Container, type ContainerStatus, type Pod } from "./objects.js";
import {
  type ClusterSnapshot,
  containerKey,
  inNamespace,
  livingPods,
  subjectOf,
  workloadOf,
} from "./snapshot.js";

/** A pod younger than this may still be about to become ready. */
const STARTING_MS = 30_000;

/** A run that ended for want of memory longer ago than this, and was followed by one that lasts, is history. */
const RECENT_MS = 3_600_000;

const NOT_CREATED: ReadonlySet<string> = new Set([
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
]);

export function checkPods(snapshot: ClusterSnapshot): Finding[] {
  return livingPods(snapshot).flatMap((pod) =>
    containersOf(pod).flatMap(({ container, status }) => {
      const found = checkContainer(snapshot, pod, container, status);
      return found === undefined ? [] : [found];
    }),
  );
}

function checkContainer(
  snapshot: ClusterSnapshot,
  pod: Pod,
  container: Container,
  status: ContainerStatus,
): Finding | undefined {
  if (isOtherArchitecture(snapshot, pod, status)) return undefined;
  const { state, lastState } = status;
  const end = state.terminated ?? lastState.terminated;
  const isOver = state.running !== undefined && endedLongAgo(snapshot, end?.finishedAt);
  if (end?.reason === "OOMKilled" && !isOver) return outOfMemory(snapshot, pod, container, status);
  if (state.waiting !== undefined && NOT_CREATED.has(state.waiting.reason)) {
    return finding("container-not-created", {
      subject: subjectOf(snapshot, pod),
      problem: `container ${container.name} was not created: ${firstLine(state.waiting.message)}`,
      seen: `kubectl get pod ${pod.metadata.name}: ${state.waiting.reason}`,
      mends: notCreatedMends(snapshot, pod, state.waiting.message),
    });
  }
  if (state.terminated !== undefined && isForGood(pod, container, state.terminated.exitCode)) {
    return undefined;
  }
  const isWaiting = state.waiting?.reason === "CrashLoopBackOff" || state.terminated !== undefined;
  if (isWaiting) return crashLoop(snapshot, pod, container, status);
  return notReady(snapshot, pod, container, status);
}

/** By the API server's clock, or this machine's. Without a time it may have been this moment. */
function endedLongAgo({ serverTime, now }: ClusterSnapshot, finishedAt: string | null | undefined): boolean {
  return (serverTime ?? now) - Date.parse(finishedAt ?? "") > RECENT_MS;
}

/** True for a container that did its work and shall not start again, and for those of which a Job gives account. */
function isForGood({ metadata, spec }: Pod, container: Container, exitCode: number | undefined): boolean {
  const isInit = spec.initContainers.includes(container);
  const restarts =
    container.restartPolicy ?? (isInit && spec.restartPolicy === "Always" ? "OnFailure" : spec.restartPolicy);
  if (exitCode === 0) return restarts !== "Always";
  return restarts === "Never" && metadata.ownerReferences.some(({ kind }) => kind === "Job");
}

function outOfMemory(
  snapshot: ClusterSnapshot,
  pod: Pod,
  container: Container,
  { restartCount }: ContainerStatus,
): Finding {
  const limit = container.resources.limits?.memory;
  const bytes = bytesOf(limit);
  const raised = bytes === undefined ? undefined : limitFor(bytes * 2);
  return finding("out-of-memory", {
    subject: subjectOf(snapshot, pod),
    problem: `container ${container.name} took more memory than ${limit === undefined ? "its node has" : `its limit, ${limit}`} (${restartCount} restarts)`,
    seen: `kubectl get pod ${pod.metadata.name}: the last run ended with OOMKilled`,
    mends:
      raised === undefined
        ? [mend("give it a limit, and its node more memory")]
        : setResources(
            snapshot,
            pod,
            container,
            `double the limit; vitrine bench --right-size measures what it needs`,
            [`--limits=memory=${raised}`],
          ),
  });
}

/** `kubectl set resources` of the pod's workload. */
function setResources(
  snapshot: ClusterSnapshot,
  pod: Pod,
  { name }: Container,
  does: string,
  flags: readonly string[],
): Mend[] {
  const workload = workloadOf(snapshot, pod);
  if (workload === undefined) return [mend(does)];
  return [
    templateMend(snapshot, workload, does, {
      verb: ["set", "resources"],
      flags: [`--containers=${name}`, ...flags],
    }),
  ];
}

function crashLoop(
  snapshot: ClusterSnapshot,
  pod: Pod,
  container: Container,
  { state, lastState, restartCount }: ContainerStatus,
): Finding {
  const end = lastState.terminated ?? state.terminated;
  const log = snapshot.logs.get(containerKey(pod, container.name)) ?? "";
  const said = tellingLine(log === "" ? (end?.message ?? "") : log);
  const code = end?.exitCode;
  const how =
    code === 0
      ? "its program ends by itself, with 0"
      : code === 137
        ? "it was killed (137: by a liveness probe, or for memory)"
        : `it ends with ${code ?? "an error"}`;
  const { name, namespace } = pod.metadata;
  return finding("crash-loop", {
    subject: subjectOf(snapshot, pod),
    problem: `container ${container.name} was started ${restartCount + 1} times, and ${how}${said === "" ? "" : `: ${said}`}`,
    seen: `kubectl logs ${name} --container=${container.name}${state.running === undefined ? "" : " --previous"}`,
    mends: [
      mend("mend what its log says; all of it is", [
        ...inNamespace(snapshot, namespace, "logs", name, `--container=${container.name}`),
        ...(state.running === undefined ? [] : ["--previous"]),
      ]),
    ],
  });
}

const logLineSchema = z.object({
  level: z.number(),
  msg: z.string().default(""),
  err: z.object({ message: z.string().default("") }).optional(),
});

/** The line of a log that says why it ends: the last error of ours, else the last that names one, else the last. */
export function tellingLine(log: string): string {
  const lines = log.split("\n").filter((line) => line.trim() !== "");
  for (const line of lines.toReversed()) {
    const entry = parseLogLine(line);
    if (entry !== undefined && entry.level >= 50) {
      return firstLine([entry.msg, entry.err?.message].filter(Boolean).join(": "));
    }
  }
  const named = lines.findLast((line) => /error|exception|fatal|panic|cannot|could not|expected/i.test(line));
  return firstLine(named ?? lines.at(-1) ?? "");
}

function parseLogLine(line: string): z.output<typeof logLineSchema> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return logLineSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined; // Cut off, or no JSON after all: a line like any other.
  }
}

function notCreatedMends(snapshot: ClusterSnapshot, pod: Pod, message: string): Mend[] {
  const { namespace } = pod.metadata;
  const [, kind, name] = /(configmap|secret) "([^"]+)" not found/i.exec(message) ?? [];
  if (kind !== undefined && name !== undefined) {
    const words = kind.toLowerCase() === "secret" ? ["secret", "generic"] : ["configmap"];
    return [
      mend(`make the ${kind.toLowerCase()} that it names`, [
        ...inNamespace(snapshot, namespace, "create", ...words, name),
        "--from-file=FOLDER",
      ]),
    ];
  }
  if (/runAsNonRoot/i.test(message)) {
    return [mend("set securityContext.runAsUser to a number such as 1000, or give the image a numeric USER")];
  }
  return [
    mend(
      "look at what the node says of it",
      inNamespace(snapshot, namespace, "describe", "pod", pod.metadata.name),
    ),
  ];
}

const problemSchema = z.object({ reason: z.string().optional(), detail: z.string().optional() });

function notReady(
  snapshot: ClusterSnapshot,
  pod: Pod,
  container: Container,
  status: ContainerStatus,
): Finding | undefined {
  const { running } = status.state;
  if (running === undefined || status.ready) return undefined;
  const answer = snapshot.readiness.get(containerKey(pod, container.name));
  const { reason, detail } = readProblem(answer?.body);
  const path = container.readinessProbe?.httpGet?.path ?? "its readiness probe";
  const subject = subjectOf(snapshot, pod);
  const seen =
    answer === undefined
      ? `kubectl get pod ${pod.metadata.name}: not ready, and ${path} gives no answer`
      : `${path} of ${pod.metadata.name} answers ${answer.status}: ${reason ?? firstLine(answer.body)}`;
  if (reason === "MODEL_CONTRACT_MISMATCH") {
    return finding("contract-mismatch", {
      subject,
      problem: detail ?? "the model and its contract do not fit each other",
      seen,
      mends: [
        mend(
          "mend config.json or preprocessor_config.json in the model's version folder, or the gateway's flags",
        ),
        mend("check the folder before it is rolled out", ["vitrine", "doctor", "--model", "FOLDER"]),
      ],
    });
  }
  const startedAt = Date.parse(running.startedAt ?? "");
  if (snapshot.now - startedAt < STARTING_MS) return undefined;
  return finding("pod-not-ready", {
    subject,
    problem: `container ${container.name} runs and is not ready${detail === undefined ? "" : `: ${detail}`}`,
    seen,
    mends: [
      mend("its log says more", [
        ...inNamespace(snapshot, pod.metadata.namespace, "logs", pod.metadata.name),
        `--container=${container.name}`,
        "--tail=50",
      ]),
    ],
  });
}

function readProblem(body: string | undefined): z.output<typeof problemSchema> {
  if (body === undefined) return {};
  try {
    return problemSchema.safeParse(JSON.parse(body)).data ?? {};
  } catch {
    const detail = firstLine(body); // Not a gateway's problem document: the text of another server.
    return detail === "" ? {} : { detail };
  }
}
