import { EventEmitter, once } from "node:events";
import { request as httpRequest } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2, type OutgoingHttpHeaders } from "node:http2";
import { connect as connectTcp } from "node:net";
import { gzipSync } from "node:zlib";
import * as grpc from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import { HealthCheckResponse } from "../gen/grpc/health/v1/health.js";
import type { PredictRequest, PredictResponse } from "../gen/tensorflow_serving/apis/predict.js";
import { HEALTH_CHECK, HEALTH_WATCH, PREDICT } from "../services.js";
import { ServeError } from "../status.js";
import { ForeignClient } from "../testing/foreign-grpc.js";
import { isEcho, pictureRequest } from "../testing/picture-request.js";
import { type FinishedCall, GrpcServer, type GrpcServerOptions, type ServerCall } from "./server.js";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

const SERVING = { status: 1 } as const;

interface Started {
  readonly server: GrpcServer;
  readonly port: number;
  readonly finished: FinishedCall[];
  /** Emits "finished" with each call. */
  readonly events: EventEmitter;
}

async function start(
  register: (server: GrpcServer) => void,
  options: GrpcServerOptions = {},
): Promise<Started> {
  const finished: FinishedCall[] = [];
  const events = new EventEmitter();
  const server = new GrpcServer({
    ...options,
    onCallEnd: (call) => {
      finished.push(call);
      events.emit("finished", call);
    },
  });
  register(server);
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  cleanups.push(() => server.close());
  return { server, port, finished, events };
}

function foreignClient(port: number, options?: grpc.ClientOptions): ForeignClient {
  const client = new ForeignClient(port, options);
  cleanups.push(() => client.close());
  return client;
}

function echo(request: PredictRequest): PredictResponse {
  return { outputs: request.inputs, modelSpec: request.modelSpec };
}

/** A peer that may say anything. */
class RawClient {
  readonly session: ClientHttp2Session;

  constructor(port: number) {
    this.session = connectHttp2(`http://127.0.0.1:${port}`);
    this.session.on("error", () => undefined);
    cleanups.push(() => this.session.destroy());
  }

  /** Sends the bytes and returns what came back: headers and trailers in one. */
  async exchange(headers: OutgoingHttpHeaders, body: Uint8Array): Promise<Record<string, unknown>> {
    const stream = this.session.request({
      ":method": "POST",
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    let answer: Record<string, unknown> = {};
    stream.on("response", (received) => {
      answer = { ...answer, ...received };
    });
    stream.on("trailers", (received) => {
      answer = { ...answer, ...received };
    });
    stream.resume();
    stream.end(body);
    await once(stream, "close");
    return answer;
  }
}

function framed(message: Uint8Array, flag = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

const CHECK = { ":path": HEALTH_CHECK.path };

describe("with @grpc/grpc-js as the client", () => {
  test("10 MB go both ways", async () => {
    const { port, finished } = await start((server) => server.unary(PREDICT, echo));
    const request = pictureRequest(10_000_000);
    expect(isEcho(request, await foreignClient(port).unary(PREDICT, request))).toBe(true);
    expect(finished).toEqual([{ path: PREDICT.path, error: undefined, durationMs: expect.any(Number) }]);
  });

  test("32 concurrent calls of 1 MB each get their own answer", async () => {
    const { port } = await start((server) => server.unary(PREDICT, echo));
    const client = foreignClient(port);
    const requests = Array.from({ length: 32 }, (_, index) => pictureRequest(1_070_000, index));
    const responses = await Promise.all(requests.map((request) => client.unary(PREDICT, request)));
    expect(requests.every((request, index) => isEcho(request, responses[index]!))).toBe(true);
  });

  test.each([
    ["gzip", grpc.compressionAlgorithms.gzip],
    ["deflate", grpc.compressionAlgorithms.deflate],
  ])("a request compressed with %s is read", async (_, algorithm) => {
    const { port } = await start((server) => server.unary(PREDICT, echo));
    const client = foreignClient(port, { "grpc.default_compression_algorithm": algorithm });
    const request = pictureRequest(100_000);
    expect(isEcho(request, await client.unary(PREDICT, request))).toBe(true);
  });

  test("the handler sees the caller's metadata, address and a quiet signal", async () => {
    let seen: ServerCall | undefined;
    const { port } = await start((server) =>
      server.unary(HEALTH_CHECK, (_, call) => {
        seen = call;
        return SERVING;
      }),
    );
    await foreignClient(port).unary(
      HEALTH_CHECK,
      { service: "" },
      { metadata: { traceparent: "00-ab-cd-01" } },
    );
    expect(seen?.metadata.get("traceparent")).toBe("00-ab-cd-01");
    expect(seen?.peer).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(seen?.signal.aborted).toBe(false);
  });

  test("a ServeError is the caller's status, with a message in any script", async () => {
    const { port } = await start((server) =>
      server.unary(HEALTH_CHECK, () => {
        throw new ServeError("MODEL_NOT_FOUND", 'größer: 100%\n\t"模型"');
      }),
    );
    await expect(foreignClient(port).unary(HEALTH_CHECK, { service: "" })).rejects.toMatchObject({
      code: grpc.status.NOT_FOUND,
      details: 'größer: 100%\n\t"模型"',
    });
  });

  test("a message above 1024 bytes is cut as TensorFlow Serving cuts it", async () => {
    const { port } = await start((server) =>
      server.unary(HEALTH_CHECK, () => {
        throw new ServeError("TENSOR_INVALID", "x".repeat(5000));
      }),
    );
    await expect(foreignClient(port).unary(HEALTH_CHECK, { service: "" })).rejects.toMatchObject({
      details: `${"x".repeat(1024)}...TRUNCATED`,
    });
  });

  test("any other error leaves as INTERNAL and is kept for the log", async () => {
    const bug = new TypeError("secret path /home/x");
    const { port, finished } = await start((server) =>
      server.unary(HEALTH_CHECK, () => {
        throw bug;
      }),
    );
    await expect(foreignClient(port).unary(HEALTH_CHECK, { service: "" })).rejects.toMatchObject({
      code: grpc.status.INTERNAL,
      details: "internal error",
    });
    expect(finished[0]?.error).toMatchObject({ reason: "INTERNAL", cause: bug });
  });

  test("a message above the limit is refused before it has arrived", async () => {
    const { port } = await start((server) => server.unary(PREDICT, echo), { maxReceiveBytes: 1000 });
    const client = foreignClient(port);
    await expect(client.unary(PREDICT, pictureRequest(50_000_000))).rejects.toMatchObject({
      code: grpc.status.RESOURCE_EXHAUSTED,
      details: expect.stringMatching(/^message had 50\d{6} bytes, expected at most 1000$/),
    });
    const small = pictureRequest(900);
    expect(isEcho(small, await client.unary(PREDICT, small))).toBe(true);
  });

  test("a small message that would grow beyond the limit is refused", async () => {
    const { port } = await start((server) => server.unary(PREDICT, echo), { maxReceiveBytes: 100_000 });
    const client = foreignClient(port, {
      "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip,
    });
    await expect(client.unary(PREDICT, pictureRequest(10_000_000))).rejects.toMatchObject({
      code: grpc.status.RESOURCE_EXHAUSTED,
      details: "message had more than 100000 bytes when decompressed",
    });
  });

  test("an unknown method is UNIMPLEMENTED, also after a large request", async () => {
    const { port } = await start((server) => server.unary(HEALTH_CHECK, () => SERVING));
    const client = foreignClient(port);
    await expect(client.unary(PREDICT, pictureRequest(5_000_000))).rejects.toMatchObject({
      code: grpc.status.UNIMPLEMENTED,
      details: `method ${PREDICT.path} is not served`,
    });
    expect(await client.unary(HEALTH_CHECK, { service: "" })).toEqual(SERVING);
  });

  test("a caller that cancels aborts the handler's signal, and no other's", async () => {
    const signals: AbortSignal[] = [];
    const waiting = new EventEmitter();
    const { port, events } = await start((server) =>
      server.unary(HEALTH_CHECK, async ({ service }, call) => {
        signals.push(call.signal);
        waiting.emit("call");
        if (service === "cancelled") await once(call.signal, "abort");
        else await once(waiting, "go on");
        return SERVING;
      }),
    );
    const client = foreignClient(port);
    const neighbour = client.unary(HEALTH_CHECK, { service: "neighbour" });
    await once(waiting, "call");
    const second = once(waiting, "call");
    const cancelled = client.unary(
      HEALTH_CHECK,
      { service: "cancelled" },
      { onCall: (call) => void second.then(() => call.cancel()) },
    );
    await expect(cancelled).rejects.toMatchObject({ code: grpc.status.CANCELLED });
    const [call]: FinishedCall[] = await once(events, "finished");
    expect(call?.error?.reason).toBe("CANCELLED");
    expect(signals[1]?.reason).toBe(call?.error);
    expect(signals[0]?.aborted).toBe(false);
    waiting.emit("go on");
    expect(await neighbour).toEqual(SERVING);
  });

  test("Watch streams each status as it comes and ends when the caller leaves", async () => {
    const changes = new EventEmitter();
    let ended = false;
    const { port, events } = await start((server) =>
      server.serverStream(HEALTH_WATCH, async function* (_, { signal }) {
        try {
          yield { status: 2 } as const;
          await once(changes, "change", { signal });
          yield { status: 1 } as const;
          await once(changes, "never", { signal });
        } finally {
          ended = true;
        }
      }),
    );
    const call = foreignClient(port).client.makeServerStreamRequest(
      HEALTH_WATCH.path,
      () => Buffer.alloc(0),
      (bytes: Buffer) => HealthCheckResponse.decode(bytes),
      null,
    );
    call.on("error", () => undefined);
    expect(await once(call, "data")).toEqual([{ status: 2 }]);
    changes.emit("change");
    expect(await once(call, "data")).toEqual([{ status: 1 }]);
    call.cancel();
    const [finished]: FinishedCall[] = await once(events, "finished");
    expect(finished?.error?.reason).toBe("CANCELLED");
    expect(ended).toBe(true);
  });

  test("a stream that fails after a message still ends with its status", async () => {
    const { port } = await start((server) =>
      server.serverStream(HEALTH_WATCH, async function* () {
        yield { status: 1 } as const;
        throw new ServeError("DRAINING", "server was draining");
      }),
    );
    const call = foreignClient(port).client.makeServerStreamRequest(
      HEALTH_WATCH.path,
      () => Buffer.alloc(0),
      (bytes: Buffer) => HealthCheckResponse.decode(bytes),
      null,
    );
    call.resume();
    const [error] = await once(call, "error");
    expect(error).toMatchObject({ code: grpc.status.UNAVAILABLE, details: "server was draining" });
  });
});

describe("deadlines", () => {
  test("the handler's signal aborts at the caller's deadline, and the caller is told", async () => {
    let reason: unknown;
    const { port, finished } = await start((server) =>
      server.unary(HEALTH_CHECK, async (_, { signal }) => {
        await once(signal, "abort");
        reason = signal.reason;
        return SERVING;
      }),
    );
    const answer = await new RawClient(port).exchange(
      { ...CHECK, "grpc-timeout": "20m" },
      framed(Buffer.alloc(0)),
    );
    expect(answer).toMatchObject({ "grpc-status": "4", "vitrine-reason": "DEADLINE_EXCEEDED" });
    expect(reason).toMatchObject({ reason: "DEADLINE_EXCEEDED" });
    expect(finished[0]?.error).toBe(reason);
  });

  test("a deadline in the past is exceeded before the handler runs", async () => {
    let ran = false;
    const { port } = await start((server) =>
      server.unary(HEALTH_CHECK, async (_, { signal }) => {
        if (!signal.aborted) await once(signal, "abort");
        ran = true;
        return SERVING;
      }),
    );
    const answer = await new RawClient(port).exchange(
      { ...CHECK, "grpc-timeout": "0n" },
      framed(Buffer.alloc(0)),
    );
    expect(answer["grpc-status"]).toBe("4");
    expect(ran).toBe(true);
  });

  test("a deadline also ends a request that never finishes", async () => {
    const { port, finished } = await start((server) => server.unary(HEALTH_CHECK, () => SERVING));
    const client = new RawClient(port);
    const stream = client.session.request({
      ":method": "POST",
      "content-type": "application/grpc",
      ":path": HEALTH_CHECK.path,
      "grpc-timeout": "20m",
    });
    stream.write(Buffer.from([0, 0]));
    const [headers] = await once(stream, "response");
    expect(headers["grpc-status"]).toBe("4");
    expect(finished[0]?.error?.reason).toBe("DEADLINE_EXCEEDED");
  });

  test("no deadline at all is no deadline", async () => {
    const { port } = await start((server) => server.unary(HEALTH_CHECK, () => SERVING));
    const answer = await new RawClient(port).exchange(CHECK, framed(Buffer.alloc(0)));
    expect(answer["grpc-status"]).toBe("0");
  });
});

describe("broken and foreign requests", () => {
  test.each([
    [
      "another content-type",
      { "content-type": "application/json" },
      framed(Buffer.alloc(0)),
      { ":status": 415 },
    ],
    [
      "a content-type that only begins alike",
      { "content-type": "application/grpcx" },
      framed(Buffer.alloc(0)),
      { ":status": 415 },
    ],
    ["a malformed timeout", { "grpc-timeout": "5" }, framed(Buffer.alloc(0)), { "grpc-status": "3" }],
    [
      "an unknown encoding",
      { "grpc-encoding": "snappy" },
      framed(Buffer.alloc(0)),
      { "grpc-status": "12", "grpc-accept-encoding": "identity,deflate,gzip" },
    ],
    ["no message", {}, Buffer.alloc(0), { "grpc-status": "3" }],
    ["half a prefix", {}, Buffer.from([0, 0]), { "grpc-status": "3" }],
    ["half a message", {}, Buffer.from([0, 0, 0, 0, 9, 1]), { "grpc-status": "3" }],
    [
      "two messages",
      {},
      Buffer.concat([framed(Buffer.alloc(0)), framed(Buffer.alloc(0))]),
      { "grpc-status": "3" },
    ],
    [
      "bytes after the message",
      {},
      Buffer.concat([framed(Buffer.alloc(0)), Buffer.from([0])]),
      { "grpc-status": "3" },
    ],
    ["an unknown flag", {}, framed(Buffer.alloc(0), 2), { "grpc-status": "13" }],
    ["compression that is not declared", {}, framed(gzipSync("x"), 1), { "grpc-status": "13" }],
    [
      "bytes that are not gzip",
      { "grpc-encoding": "gzip" },
      framed(Buffer.from("x"), 1),
      { "grpc-status": "13" },
    ],
    ["a message that is not of the method", {}, framed(Buffer.from([0xff])), { "grpc-status": "3" }],
    ["a length beyond the limit", {}, Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), { "grpc-status": "8" }],
  ])("%s is answered in its own way", async (_, headers, body, expected) => {
    const { port } = await start((server) => server.unary(HEALTH_CHECK, () => SERVING));
    const client = new RawClient(port);
    expect(await client.exchange({ ...CHECK, ...headers }, body)).toMatchObject(expected);
    // The connection has not suffered.
    expect(await client.exchange(CHECK, framed(Buffer.alloc(0)))).toMatchObject({ "grpc-status": "0" });
  });

  test.each(["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"])(
    "content-type %s is gRPC, with or without te",
    async (contentType) => {
      const { port } = await start((server) => server.unary(HEALTH_CHECK, () => SERVING));
      const answer = await new RawClient(port).exchange(
        { ...CHECK, "content-type": contentType, te: undefined },
        framed(Buffer.alloc(0)),
      );
      expect(answer).toMatchObject({
        ":status": 200,
        "content-type": "application/grpc",
        "grpc-status": "0",
      });
    },
  );

  test("a compressed message is read even in pieces of one byte", async () => {
    let seen = "";
    const { port } = await start((server) =>
      server.unary(HEALTH_CHECK, ({ service }) => {
        seen = service;
        return SERVING;
      }),
    );
    const stream = new RawClient(port).session.request({
      ":method": "POST",
      "content-type": "application/grpc",
      "grpc-encoding": "gzip",
      ":path": HEALTH_CHECK.path,
    });
    const message = gzipSync(Buffer.concat(HEALTH_CHECK.encodeRequest({ service: "piecewise" })));
    for (const byte of framed(message, 1)) stream.write(Buffer.of(byte));
    stream.end();
    stream.resume();
    await once(stream, "close");
    expect(seen).toBe("piecewise");
  });

  test("HTTP/1.1 and noise do not disturb the others", async () => {
    const { port } = await start((server) => server.unary(HEALTH_CHECK, () => SERVING));
    const http1 = httpRequest({ port, host: "127.0.0.1", path: "/" });
    http1.end();
    await once(http1, "error");
    const noise = connectTcp(port, "127.0.0.1");
    noise.on("error", () => undefined);
    noise.resume();
    noise.write(Buffer.alloc(1000, 0xff));
    await once(noise, "close");
    expect(await foreignClient(port).unary(HEALTH_CHECK, { service: "" })).toEqual(SERVING);
  });

  test("a caller that does not read holds up nobody else", async () => {
    const { port } = await start((server) => server.unary(PREDICT, echo));
    const request = pictureRequest(20_000_000);
    const lazy = connectHttp2(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 1000 } });
    cleanups.push(() => lazy.destroy());
    const stream = lazy.request({
      ":method": "POST",
      "content-type": "application/grpc",
      ":path": PREDICT.path,
    });
    stream.end(framed(Buffer.concat(PREDICT.encodeRequest(request))));
    await once(stream, "response");
    const small = pictureRequest(1000);
    expect(isEcho(small, await foreignClient(port).unary(PREDICT, small))).toBe(true);
    expect(stream.closed).toBe(false);
  });
});

describe("life and death", () => {
  test("a port in use is an error", async () => {
    const { port } = await start(() => undefined);
    await expect(new GrpcServer().listen({ host: "127.0.0.1", port })).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
  });

  test("drain lets the open call finish, then closes its connection and resolves", async () => {
    const events = new EventEmitter();
    const { server, port } = await start((grpcServer) =>
      grpcServer.unary(HEALTH_CHECK, async () => {
        events.emit("running");
        await once(events, "go on");
        return SERVING;
      }),
    );
    const client = new RawClient(port);
    const running = once(events, "running");
    const answer = client.exchange(CHECK, framed(Buffer.alloc(0)));
    await running;
    let drained = false;
    const drain = server.drain(60_000).then(() => {
      drained = true;
    });
    await once(client.session, "goaway");
    expect(drained).toBe(false);
    events.emit("go on");
    expect(await answer).toMatchObject({ "grpc-status": "0" });
    await drain;
    await expect(foreignClient(port).unary(HEALTH_CHECK, { service: "" })).rejects.toMatchObject({
      code: grpc.status.UNAVAILABLE,
    });
  });

  test("drain without calls is done at once", async () => {
    const { server, port } = await start((grpcServer) => grpcServer.unary(HEALTH_CHECK, () => SERVING));
    await foreignClient(port).unary(HEALTH_CHECK, { service: "" });
    await server.drain(60_000);
  });

  test("a call that outlives the grace period is cancelled", async () => {
    const events = new EventEmitter();
    let reason: unknown;
    const { server, port } = await start((grpcServer) =>
      grpcServer.unary(HEALTH_CHECK, async (_, { signal }) => {
        events.emit("running");
        await once(signal, "abort");
        reason = signal.reason;
        return SERVING;
      }),
    );
    const running = once(events, "running");
    const call = foreignClient(port).unary(HEALTH_CHECK, { service: "" });
    const failed = expect(call).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
    await running;
    await server.drain(20);
    await failed;
    expect(reason).toMatchObject({ reason: "CANCELLED" });
  });

  test("an idle connection is closed in order", async () => {
    const { port } = await start((server) => server.unary(HEALTH_CHECK, () => SERVING), {
      maxConnectionIdleMs: 30,
    });
    const client = new RawClient(port);
    await client.exchange(CHECK, framed(Buffer.alloc(0)));
    const [code] = await once(client.session, "goaway");
    expect(code).toBe(0);
    await once(client.session, "close");
  });

  test("a connection of the greatest age is closed in order, its call answered", async () => {
    const { port } = await start(
      (server) =>
        server.unary(HEALTH_CHECK, async () => {
          await once(client.session, "goaway");
          return SERVING;
        }),
      { maxConnectionAgeMs: 30 },
    );
    const client = new RawClient(port);
    expect(await client.exchange(CHECK, framed(Buffer.alloc(0)))).toMatchObject({ "grpc-status": "0" });
    await once(client.session, "close");
  });
});
