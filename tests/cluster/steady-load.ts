/** A few callers that ask one after the other, all the time, and write down what they did not get. */
import { Agent, request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

export interface LoadOptions {
  /** Of the gateway. */
  readonly url: string;
  /** JPEG. */
  readonly photo: Uint8Array;
  /** Callers that keep their connection, as programs and proxies do. */
  readonly keepingCallers?: number;
  /** Callers that connect anew each time, as browsers of many people do. */
  readonly newCallers?: number;
  /** Of each caller between two requests. 100 without it; with 0 the callers take all that the machine has. */
  readonly pauseMs?: number;
}

interface LoadFailure {
  /** Since the start of the load. */
  readonly atMs: number;
  readonly tookMs: number;
  readonly reason: string;
}

export interface LoadReport {
  readonly requests: number;
  readonly failures: readonly LoadFailure[];
  readonly slowestMs: number;
}

/** A person's patience, and more than the gateway takes for its own word (--timeout-ms, 20 s). */
const PATIENCE_MS = 30_000;

export interface SteadyLoad {
  /** Resolves after so many more requests have their answer, or their failure. */
  requestsDone(count: number): Promise<void>;
}

/**
 * Keeps callers asking while something happens, and stops them however it ends. Says what came of it on stderr.
 *
 * @throws what `happening` throws.
 */
export async function underSteadyLoad(
  what: string,
  options: LoadOptions,
  happening: (load: SteadyLoad) => Promise<void>,
): Promise<LoadReport> {
  const load = startLoad(options);
  let report: LoadReport;
  try {
    await happening(load);
  } finally {
    report = await load.stop();
    const { requests, failures, slowestMs } = report;
    process.stderr.write(
      `${what}: ${requests} requests, ${failures.length} failed, slowest ${slowestMs} ms\n`,
    );
    if (failures.length > 0) process.stderr.write(`${describeFailures(report)}\n`);
  }
  return report;
}

/** How long it went wrong, and in what ways. */
function describeFailures({ failures }: LoadReport): string {
  const lastedMs = (failures.at(-1)?.atMs ?? 0) - (failures[0]?.atMs ?? 0);
  const reasons = new Map<string, number>();
  for (const { reason } of failures) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  const counts = [...reasons].map(([reason, count]) => `${count} x ${reason}`);
  return `within ${lastedMs} ms: ${counts.join(", ")}`;
}

/** Starts the callers. Nothing is ever tried a second time. */
function startLoad({
  url,
  photo,
  keepingCallers = 1,
  newCallers = 1,
  pauseMs = 100,
}: LoadOptions): SteadyLoad & { stop(): Promise<LoadReport> } {
  const startedAt = performance.now();
  const failures: LoadFailure[] = [];
  let requests = 0;
  let slowestMs = 0;
  let isStopped = false;
  const awaited = new Set<{ readonly requests: number; done(): void }>();

  async function call(agent: Agent): Promise<void> {
    const sentAt = performance.now();
    try {
      await predict(url, photo, agent);
    } catch (error) {
      failures.push({
        atMs: Math.round(sentAt - startedAt),
        tookMs: Math.round(performance.now() - sentAt),
        reason: error instanceof Error ? error.message : String(error),
      });
    }
    requests += 1;
    for (const { requests: wanted, done } of awaited) if (requests >= wanted) done();
    slowestMs = Math.max(slowestMs, performance.now() - sentAt);
  }

  async function caller(keepAlive: boolean): Promise<void> {
    const agent = new Agent({ keepAlive, maxSockets: 1 });
    while (!isStopped) {
      await call(agent);
      await pause(pauseMs);
    }
    agent.destroy();
  }

  const callers = [
    ...Array.from({ length: keepingCallers }, () => caller(true)),
    ...Array.from({ length: newCallers }, () => caller(false)),
  ];
  return {
    requestsDone: (count) =>
      new Promise((resolve) => {
        const one = { requests: requests + count, done };
        function done(): void {
          awaited.delete(one);
          resolve();
        }
        awaited.add(one);
      }),
    async stop() {
      isStopped = true;
      await Promise.all(callers);
      return { requests, failures, slowestMs: Math.round(slowestMs) };
    },
  };
}

/** Posts a photo. @throws for all but 200 with an answer in it. */
export function predict(url: string, photo: Uint8Array, agent?: Agent): Promise<Prediction> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      new URL("/predict", url),
      {
        method: "POST",
        agent,
        headers: { "content-type": "image/jpeg", "content-length": photo.byteLength },
        signal: AbortSignal.timeout(PATIENCE_MS),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          if (response.statusCode === 200) resolve(JSON.parse(text));
          else reject(new Error(`${response.statusCode} ${text.slice(0, 300)}`));
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(photo);
  });
}

export interface Prediction {
  readonly top_class: string;
  readonly predictions: Readonly<Record<string, number>>;
}
