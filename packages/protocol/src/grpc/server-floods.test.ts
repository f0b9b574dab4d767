/** Callers that keep a server busy with frames instead of calls. Source: CVE-2019-9512 and others, CVE-2023-44487, CVE-2024-27983. */
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, expect, test } from "vitest";
import { HEALTH_CHECK } from "../services.js";
import { callHead, END_HEADERS, FRAME, field, frame, rawHttp2 } from "../testing/raw-http2.js";
import { GrpcChannel } from "./channel.js";
import { GrpcServer } from "./server.js";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

const HEAD = callHead(HEALTH_CHECK.path);
const CANCEL = Buffer.from([0, 0, 0, 8]);

const floods: Record<string, { reads: boolean; first?: Buffer; each: (index: number) => Buffer }> = {
  "opens calls and resets them": {
    reads: true,
    each: (index) =>
      Buffer.concat([
        frame(FRAME.headers, END_HEADERS, 2 * index + 1, HEAD),
        frame(FRAME.reset, 0, 2 * index + 1, CANCEL),
      ]),
  },
  "sends pings and reads no answer": { reads: false, each: () => frame(FRAME.ping, 0, 0, Buffer.alloc(8)) },
  "sends settings and reads no answer": {
    reads: false,
    each: () => frame(FRAME.settings, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100])),
  },
  "sends metadata without end": {
    reads: true,
    first: frame(FRAME.headers, 0, 1, HEAD),
    each: () => frame(FRAME.continuation, 0, 1, field("x", "y".repeat(10_000))),
  },
  "sends metadata of nothing without end": {
    reads: true,
    first: frame(FRAME.headers, 0, 1, HEAD),
    each: () => frame(FRAME.continuation, 0, 1),
  },
  "sends data of nothing without end": {
    reads: true,
    first: frame(FRAME.headers, END_HEADERS, 1, HEAD),
    each: () => frame(FRAME.data, 0, 1),
  },
};

/** None of these takes as many before it ends the connection. */
const MOST_FRAMES = 500_000;
/** Written at once: of the smallest frames several thousand, more than a server should keep answers to. */
const BURST_BYTES = 131_072;
/** The caller's burst included. */
const MOST_HELD_BYTES = 20e6;

/** What is reachable, in V8's heap and outside of it, HTTP/2's own memory included; not what waits to be collected. */
function heldBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  // The first finds the buffers and leaves it to a thread to free them; the second waits for that.
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test.each(Object.entries(floods))(
  "a caller that %s loses its connection, and others are served",
  async (_what, { reads, first, each }) => {
    const server = new GrpcServer();
    server.unary(HEALTH_CHECK, () => ({ status: 1 }) as const);
    const port = await server.listen({ host: "127.0.0.1", port: 0 });
    cleanups.push(() => server.close());
    const socket = rawHttp2(port);
    cleanups.push(() => socket.destroy());
    if (reads) socket.resume();
    if (first !== undefined) socket.write(first);
    const before = heldBytes();
    let mostHeld = 0;
    let sent = 0;
    while (!socket.destroyed && sent < MOST_FRAMES) {
      const burst: Buffer[] = [];
      for (let bytes = 0; bytes < BURST_BYTES; bytes += burst.at(-1)?.length ?? 0) burst.push(each(sent++));
      await new Promise((resolve) => socket.write(Buffer.concat(burst), resolve));
      // What the kernel takes at once leaves the server, in this thread, no turn to read it.
      await setImmediate();
      mostHeld = Math.max(mostHeld, heldBytes() - before);
    }
    expect(socket.destroyed).toBe(true);
    expect(mostHeld).toBeLessThan(MOST_HELD_BYTES);
    const channel = new GrpcChannel("127.0.0.1", port);
    cleanups.push(() => channel.close());
    const signal = AbortSignal.timeout(10_000);
    expect(await channel.unary(HEALTH_CHECK, { service: "" }, { signal, timeoutMs: 10_000 })).toEqual({
      status: 1,
    });
  },
);
