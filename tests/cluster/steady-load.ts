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

/** Starts the callers. Nothing is ever tried a second time. */
export function startLoad({ url, photo, keepingCallers = 1, newCallers = 1, pauseMs = 100 }: LoadOptions): {
  stop(): Promise<LoadReport>;
} {
  const startedAt = performance.now();
  const failures: LoadFailure[] = [];
  let requests = 0;
  let slowestMs = 0;
  let isStopped = false;

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
