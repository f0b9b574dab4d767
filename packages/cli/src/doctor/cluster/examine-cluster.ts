/** From the user's words to the findings about a cluster. */
import { type Finding, finding, mend } from "../finding.js";
import type { ClusterAccess, ProgramResult } from "./access.js";
import { checkCluster } from "./check-cluster.js";
import { collectCluster } from "./collect.js";

export interface ClusterQuestion {
  readonly namespaces: readonly string[];
  /** Undefined: kubectl's current one. */
  readonly context: string | undefined;
  /** kubectl and the flags that reach the cluster, for commands to copy. */
  readonly kubectl: readonly string[];
  readonly loadImage: readonly string[] | undefined;
  readonly modelBytes: number | undefined;
  /** The user asked for the cluster: its absence is a fault. */
  readonly isAsked: boolean;
}

export interface ClusterExamination {
  /** Undefined: there is no cluster to look at. */
  readonly examined: string | undefined;
  readonly findings: readonly Finding[];
}

/** Looks at the cluster, if there is one. @throws what ends the access's signal. */
export async function examineCluster(
  access: ClusterAccess,
  question: ClusterQuestion,
): Promise<ClusterExamination> {
  const [program = "kubectl"] = question.kubectl;
  const current = await access.kubectl(["config", "current-context"]);
  const nothing = { examined: undefined, findings: [] };
  if (current.code === undefined) {
    return question.isAsked ? { examined: "the cluster", findings: [withoutKubectl(program)] } : nothing;
  }
  const context = question.context ?? current.stdout.trim();
  if (context === "" && !question.isAsked) return nothing;
  const named = `cluster ${context === "" ? "(kubectl has no context)" : context}`;
  const why = whyUnreachable(await access.kubectl(["get", "--raw", "/version"]), program);
  if (why !== undefined && !question.isAsked) {
    return { examined: `not at ${named}, which does not answer`, findings: [] };
  }
  if (why !== undefined) {
    const isKind = context.startsWith("kind-");
    const unreachable = finding("cluster-unreachable", {
      subject: named,
      problem: why,
      seen: `${program} get --raw /version`,
      mends: [
        mend("see which clusters kubectl knows", [program, "config", "get-contexts"]),
        ...(isKind
          ? [
              mend("see whether kind's nodes run", [
                ...["docker", "ps", "--all", "--filter=label=io.x-k8s.kind.cluster"],
              ]),
            ]
          : []),
      ],
    });
    return { examined: named, findings: [unreachable] };
  }
  const snapshot = await collectCluster(access, { ...question, context });
  return {
    examined: `${named} (${snapshot.namespaces.join(", ")})`,
    findings: checkCluster(snapshot, question.modelBytes),
  };
}

function withoutKubectl(program: string): Finding {
  return finding("kubectl-missing", {
    subject: "this machine",
    problem: `${program} is not there`,
    seen: `${program} config current-context`,
    mends: [mend("install it (kubernetes.io/docs/tasks/tools), or name it with --kubectl PATH")],
  });
}

/** An API server says its version as JSON. */
function whyUnreachable({ code, stdout, stderr }: ProgramResult, program: string): string | undefined {
  if (code === 0 && stdout.includes("gitVersion")) return undefined;
  const said = stderr.trim().split("\n").at(-1) ?? "";
  return said === "" ? `${program} ended with ${code} and said nothing of a cluster` : said;
}
