/** A closed loop of HTTP clients: each sends its next request when the answer to the last is there. */
import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { text } from "node:stream/consumers";

interface LoadRequest {
  readonly path: string;
  readonly body: Uint8Array;
  readonly contentType: string;
}

export interface LoadAnswer {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly startedMs: number;
  readonly durationMs: number;
}

export interface LoadOptions {
  readonly url: string;
  readonly concurrency: number;
  /** Ends the load; requests under way are answered first. */
  readonly signal: AbortSignal;
  /** The request to send as number `index`. */
  readonly requestOf: (index: number) => LoadRequest;
  /** After an answer of a kind that is no success a client rests so long, as clients that heed Retry-After do. */
  readonly pauseAfterFailureMs?: number;
}

/** Sends requests until `signal` aborts. @returns every answer, in order of completion. */
export async function runLoad(options: LoadOptions): Promise<LoadAnswer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: options.concurrency });
  const answers: LoadAnswer[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    while (!options.signal.aborted) {
      const answer = await send(options.url, options.requestOf(next++), agent);
      answers.push(answer);
      if (answer.status !== 200 && options.pauseAfterFailureMs !== undefined) {
        await new Promise((resolve) => setTimeout(resolve, options.pauseAfterFailureMs));
      }
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, client));
  agent.destroy();
  return answers;
}

/** Sends one request; a connection that fails is an answer of status 0 with the error's code as its body. */
async function send(
  url: string,
  { path, body, contentType }: LoadRequest,
  agent?: Agent,
): Promise<LoadAnswer> {
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const fail = (error: NodeJS.ErrnoException): void =>
      resolve({
        status: 0,
        headers: {},
        body: error.code ?? error.message,
        startedMs,
        durationMs: performance.now() - startedMs,
      });
    const outgoing = request(
      new URL(path, url),
      {
        method: "POST",
        headers: { "content-type": contentType, "content-length": body.byteLength },
        ...(agent === undefined ? {} : { agent }),
      },
      (response) => {
        text(response).then(
          (answer) =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: answer,
              startedMs,
              durationMs: performance.now() - startedMs,
            }),
          fail,
        );
      },
    );
    outgoing.once("error", fail);
    outgoing.end(body);
  });
}
