/** One request of a load: out, the whole answer in, and how it went. */
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest, Agent as SecureAgent } from "node:https";
import { problemSchema } from "@vitrine/gateway/api";

/** A `POST /predict` that is ready to be sent. */
export interface LoadRequest {
  readonly body: Uint8Array;
  readonly contentType: string;
}

export interface Answer {
  /** `OK`; else the answer's `reason`, `HTTP 502` where it gave none, or the connection's error such as ECONNREFUSED. */
  readonly outcome: string;
  /** What `Server-Timing` said: milliseconds by stage. */
  readonly stagesMs: ReadonlyMap<string, number>;
  readonly answerBytes: number;
  /** The gateway had the answer in its memory. */
  readonly cached: boolean;
}

export interface Sender {
  /** Sends one request. Never rejects: what goes wrong is the outcome. */
  send(load: LoadRequest): Promise<Answer>;
  /** Ends every request under way with the outcome `ABANDONED`, and all connections. */
  close(): void;
}

/** Outcome of requests that the end of the load cut off; they are not counted. */
export const ABANDONED = "ABANDONED";

export interface SenderOptions {
  /** After it a request is given up with the outcome `CLIENT_TIMEOUT`. */
  readonly timeoutMs: number;
  readonly apiKey?: string | undefined;
}

/**
 * Every so many requests ask for the end of their connection, so that the next goes through a load balancer again: a
 * connection that is kept never meets a gateway that was added since, and an autoscaler would be judged wrongly.
 */
const REQUESTS_PER_CONNECTION = 64;

/** Sends over connections that are kept, as many as there are requests at a time. */
export function createSender(gatewayUrl: string, { timeoutMs, apiKey }: SenderOptions): Sender {
  const target = new URL(`${gatewayUrl.replace(/\/+$/, "")}/predict`);
  const secure = target.protocol === "https:";
  const agent = new (secure ? SecureAgent : Agent)({ keepAlive: true });
  const open = secure ? httpsRequest : httpRequest;
  const key = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  const underWay = new Set<(outcome: string) => void>();
  let requests = 0;

  return {
    send: ({ body, contentType }) =>
      new Promise((resolve) => {
        const end = ++requests % REQUESTS_PER_CONNECTION === 0 ? { connection: "close" } : {};
        const headers = { "content-type": contentType, "content-length": body.byteLength, ...key, ...end };
        const outgoing = open(target, { method: "POST", agent, headers }, (response) => {
          read(response).then((text) => finish(outcomeOf(response, text), response, text.length), broken);
        });
        const giveUp = (outcome: string): void => {
          finish(outcome);
          outgoing.destroy();
        };
        const timer = setTimeout(giveUp, timeoutMs, "CLIENT_TIMEOUT");
        underWay.add(giveUp);
        // After giveUp the destroyed request's own error comes too late to be an outcome.
        const broken = (error: NodeJS.ErrnoException): void => finish(error.code ?? error.message);
        const finish = (outcome: string, response?: IncomingMessage, answerBytes = 0): void => {
          clearTimeout(timer);
          underWay.delete(giveUp);
          const timing = outcome === "OK" ? response?.headers["server-timing"] : undefined;
          const cached = response?.headers["x-cache"] === "hit";
          resolve({ outcome, stagesMs: parseServerTiming(String(timing ?? "")), answerBytes, cached });
        };
        outgoing.once("error", broken);
        outgoing.end(body);
      }),

    close() {
      for (const giveUp of underWay) giveUp(ABANDONED);
      agent.destroy();
    },
  };
}

/** Milliseconds by name. Source: W3C Server Timing, `name;dur=12.3, name;desc="…"`. */
export function parseServerTiming(header: string): ReadonlyMap<string, number> {
  const stages = new Map<string, number>();
  for (const [, name = "", ms = ""] of header.matchAll(/([\w-]+)[^,]*?;\s*dur=(\d+(?:\.\d+)?)/g)) {
    stages.set(name, Number(ms));
  }
  return stages;
}

async function read(response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part);
  return Buffer.concat(parts);
}

function outcomeOf({ statusCode = 0 }: IncomingMessage, body: Buffer): string {
  if (statusCode === 200) return "OK";
  const problem = problemSchema.pick({ reason: true }).safeParse(parseJson(body.toString()));
  return problem.success ? problem.data.reason : `HTTP ${statusCode}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // A proxy's page: the status says what there is to say.
  }
}
