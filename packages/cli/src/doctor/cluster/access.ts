/** How doctor asks a cluster: kubectl and docker as processes, and a pod's port through `kubectl port-forward`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { withDeadline } from "@vitrine/runtime/deadline";

export interface ProgramResult {
  /** Undefined: the program is not there. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** Everything that is asked of a cluster goes through here, so that tests can answer what was recorded. */
export interface ClusterAccess {
  /** Runs kubectl in the context that the user named. */
  kubectl(args: readonly string[]): Promise<ProgramResult>;
  /** Runs this machine's docker. */
  docker(args: readonly string[]): Promise<ProgramResult>;
  /** GETs a path of a pod's port. @returns undefined when the pod could not be reached. */
  askPod(question: PodQuestion): Promise<HttpAnswer | undefined>;
  /** The present, in milliseconds since 1970. */
  now(): number;
}

export interface PodQuestion {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
  readonly path: string;
}

export interface AccessOptions {
  /** Path or name of kubectl. */
  readonly program: string;
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export function createAccess(options: AccessOptions): ClusterAccess {
  const { program, timeoutMs, signal, environment } = options;
  const common = kubectlFlags(options);
  const run = (name: string, args: readonly string[]) =>
    runProgram(name, args, { environment, signal, timeoutMs });
  return {
    kubectl: (args) =>
      run(program, [...common, `--request-timeout=${Math.ceil(timeoutMs / 1000)}s`, ...args]),
    docker: (args) => run("docker", args),
    askPod: (question) => askThroughForward(program, common, question, options),
    now: () => Date.now(),
  };
}

/** Flags that every kubectl needs to reach the cluster that the user named. */
export function kubectlFlags({
  kubeconfig,
  context,
}: Pick<AccessOptions, "kubeconfig" | "context">): string[] {
  return [
    ...(kubeconfig === undefined ? [] : [`--kubeconfig=${kubeconfig}`]),
    ...(context === undefined ? [] : [`--context=${context}`]),
  ];
}

export interface RunOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/** Runs a program to its end; one that takes longer than `timeoutMs` is killed. @throws what ends `signal`. */
export async function runProgram(
  program: string,
  args: readonly string[],
  { environment, signal, timeoutMs }: RunOptions,
): Promise<ProgramResult> {
  try {
    return await withDeadline(timeoutMs, signal, async (limit) => {
      const child = spawn(program, args, {
        stdio: ["ignore", "pipe", "pipe"],
        env: environment,
        signal: limit,
      });
      const closed = once(child, "close");
      const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
      return { code: typeof code === "number" ? code : 1, stdout, stderr };
    });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Error)) throw error;
    if ("code" in error && (error.code === "ENOENT" || error.code === "EACCES")) {
      return { code: undefined, stdout: "", stderr: `${program} could not be run: ${error.code}` };
    }
    if (error.name !== "AbortError") throw error;
    return { code: 1, stdout: "", stderr: `${program} did not answer within ${timeoutMs} ms` };
  }
}

async function askThroughForward(
  program: string,
  common: readonly string[],
  { namespace, pod, port, path }: PodQuestion,
  { environment, signal, timeoutMs }: AccessOptions,
): Promise<HttpAnswer | undefined> {
  const child = spawn(
    program,
    [...common, "port-forward", `--namespace=${namespace}`, `pod/${pod}`, `:${port}`],
    // A group of its own: a kubectl that is a script has the real one as a child, which is to end with it.
    { stdio: ["ignore", "pipe", "ignore"], env: environment, detached: true },
  );
  // A program that cannot be started is no answer either; its output ends, and so does the loop below.
  const closed = once(child, "close").catch(() => undefined);
  const end = (): void => endGroup(child.pid);
  try {
    return await withDeadline(timeoutMs, signal, async (limit) => {
      limit.addEventListener("abort", end, { once: true });
      for await (const line of createInterface({ input: child.stdout })) {
        const local = /^Forwarding from 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
        if (local === undefined) continue;
        const response = await fetch(`http://127.0.0.1:${local}${path}`, { signal: limit });
        return { status: response.status, body: await response.text() };
      }
      return undefined;
    });
  } catch {
    // The pod is gone, or nothing listens on its port: there is no answer, which is all that the caller asks.
    signal.throwIfAborted();
    return undefined;
  } finally {
    end();
    // The loop left it paused: unread words would hold its end back.
    child.stdout.resume();
    await closed;
  }
}

/** @param leader undefined when it could not be started. */
function endGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, "SIGTERM");
  } catch (error) {
    // All of it has ended already.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
