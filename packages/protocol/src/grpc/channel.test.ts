import { EventEmitter, once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import type { HealthCheckRequest, HealthCheckResponse } from "../gen/grpc/health/v1/health.js";
import type { PredictRequest, PredictResponse } from "../gen/tensorflow_serving/apis/predict.js";
import { HEALTH_CHECK, PREDICT } from "../services.js";
import { ServeError } from "../status.js";
import { DataType, tensorFromProto, tensorToProto } from "../tensor.js";
import { type ForeignHandler, startForeignServer } from "../testing/foreign-grpc.js";
import { isEcho, pictureRequest } from "../testing/picture-request.js";
import { startTcpProxy } from "../testing/tcp-proxy.js";
import { GrpcChannel, type GrpcChannelOptions } from "./channel.js";
import { GrpcServer } from "./server.js";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

const SERVING = { status: 1 } as const;
const EVERYTHING = { service: "" };

function openChannel(port: number, options?: GrpcChannelOptions): GrpcChannel {
  const channel = new GrpcChannel("127.0.0.1", port, options);
  cleanups.push(() => channel.close());
  return channel;
}

async function startForeignHealth(
  handler: ForeignHandler<HealthCheckRequest, HealthCheckResponse>,
  options?: grpc.ServerOptions,
): Promise<{ port: number; server: grpc.Server }> {
  const started = await startForeignServer(HEALTH_CHECK, handler, options);
  cleanups.push(() => started.server.forceShutdown());
  return started;
}

async function startForeignEcho(options?: grpc.ServerOptions): Promise<number> {
  const echo: ForeignHandler<PredictRequest, PredictResponse> = ({ request }, callback) =>
    callback(null, { outputs: request.inputs, modelSpec: request.modelSpec });
  const { port, server } = await startForeignServer(PREDICT, echo, options);
  cleanups.push(() => server.forceShutdown());
  return port;
}

async function startOwnHealth(port = 0): Promise<{ port: number; server: GrpcServer }> {
  const server = new GrpcServer();
  server.unary(HEALTH_CHECK, () => SERVING);
  cleanups.push(() => server.close());
  return { server, port: await server.listen({ host: "127.0.0.1", port }) };
}

/** An HTTP/2 server that answers each stream as it is told. */
async function startHttp2(onStream: (stream: ServerHttp2Stream) => void): Promise<number> {
  const server = createHttp2Server();
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => undefined);
    onStream(stream);
  });
  return listen(server);
}

async function listen(server: Server): Promise<number> {
  server.listen({ host: "127.0.0.1", port: 0 });
  cleanups.push(() => server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

describe("with @grpc/grpc-js as the server", () => {
  test("10 MB go both ways", async () => {
    const channel = openChannel(await startForeignEcho());
    const request = pictureRequest(10_000_000);
    expect(isEcho(request, await channel.unary(PREDICT, request))).toBe(true);
  });

  test("32 concurrent calls of 1 MB each get their own answer", async () => {
    const channel = openChannel(await startForeignEcho());
    const requests = Array.from({ length: 32 }, (_, index) => pictureRequest(1_070_000, index));
    const responses = await Promise.all(requests.map((request) => channel.unary(PREDICT, request)));
    expect(requests.every((request, index) => isEcho(request, responses[index]!))).toBe(true);
  });

  test.each([
    ["gzip", grpc.compressionAlgorithms.gzip],
    ["deflate", grpc.compressionAlgorithms.deflate],
  ])("a response compressed with %s is read", async (_, algorithm) => {
    const channel = openChannel(await startForeignEcho({ "grpc.default_compression_algorithm": algorithm }));
    const request = pictureRequest(100_000);
    expect(isEcho(request, await channel.unary(PREDICT, request))).toBe(true);
  });

  test("a response above the limit is refused", async () => {
    const channel = openChannel(await startForeignEcho(), { maxReceiveBytes: 1000 });
    await expect(channel.unary(PREDICT, pictureRequest(2_000_000))).rejects.toMatchObject({
      reason: "MESSAGE_TOO_LARGE",
      code: "RESOURCE_EXHAUSTED",
    });
    const small = pictureRequest(900);
    expect(isEcho(small, await channel.unary(PREDICT, small))).toBe(true);
  });

  test.each([
    [grpc.status.NOT_FOUND, "NOT_FOUND", "MODEL_NOT_FOUND"],
    [grpc.status.INVALID_ARGUMENT, "INVALID_ARGUMENT", "REQUEST_INVALID"],
    [grpc.status.FAILED_PRECONDITION, "FAILED_PRECONDITION", "SIGNATURE_NOT_FOUND"],
    [grpc.status.UNAVAILABLE, "UNAVAILABLE", "MODEL_UNAVAILABLE"],
    [grpc.status.UNIMPLEMENTED, "UNIMPLEMENTED", "METHOD_UNIMPLEMENTED"],
    [grpc.status.DATA_LOSS, "DATA_LOSS", "INTERNAL"],
  ])("status %i arrives as %s with its message", async (status, code, reason) => {
    const { port } = await startForeignHealth((_, callback) =>
      callback({ code: status, details: 'größer: 100%\n"模型"' }),
    );
    await expect(openChannel(port).unary(HEALTH_CHECK, EVERYTHING)).rejects.toMatchObject({
      code,
      reason,
      message: 'größer: 100%\n"模型"',
    });
  });

  test("a method that is not there is UNIMPLEMENTED", async () => {
    const { port } = await startForeignHealth((_, callback) => callback(null, SERVING));
    await expect(openChannel(port).unary(PREDICT, pictureRequest(3_000_000))).rejects.toMatchObject({
      code: "UNIMPLEMENTED",
    });
  });

  test("metadata and the deadline travel", async () => {
    let seen: { traceparent: unknown; deadlineMs: number } | undefined;
    const { port } = await startForeignHealth((call, callback) => {
      seen = {
        traceparent: call.metadata.get("traceparent")[0],
        deadlineMs: Number(call.getDeadline()) - Date.now(),
      };
      callback(null, SERVING);
    });
    await openChannel(port).unary(HEALTH_CHECK, EVERYTHING, {
      timeoutMs: 20_000,
      metadata: { traceparent: "00-ab-cd-01" },
    });
    expect(seen?.traceparent).toBe("00-ab-cd-01");
    expect(seen?.deadlineMs).toBeGreaterThan(10_000);
    expect(seen?.deadlineMs).toBeLessThanOrEqual(20_000);
  });

  test("the deadline is kept here when the server does not", async () => {
    const port = await startHttp2(() => undefined);
    await expect(openChannel(port).unary(HEALTH_CHECK, EVERYTHING, { timeoutMs: 30 })).rejects.toMatchObject({
      reason: "DEADLINE_EXCEEDED",
      message: "no answer within 30 ms",
    });
  });

  test("an aborted call is cancelled at the server, its neighbour is not", async () => {
    const events = new EventEmitter();
    const { port } = await startForeignHealth((call, callback) => {
      call.on("cancelled", () => events.emit("cancelled", call.request.service));
      events.once("go on", () => callback(null, SERVING));
      events.emit("running", call.request.service);
    });
    const channel = openChannel(port);
    const abort = new AbortController();
    const firstRuns = once(events, "running");
    const neighbour = channel.unary(HEALTH_CHECK, { service: "neighbour" });
    await firstRuns;
    const secondRuns = once(events, "running");
    const aborted = channel.unary(HEALTH_CHECK, { service: "aborted" }, { signal: abort.signal });
    await secondRuns;
    const cancelled = once(events, "cancelled");
    const reason = new ServeError("DEADLINE_EXCEEDED", "the request took too long");
    abort.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    expect(await cancelled).toEqual(["aborted"]);
    events.emit("go on");
    expect(await neighbour).toEqual(SERVING);
  });

  test("a signal that has aborted already makes no call", async () => {
    const channel = openChannel(1);
    await expect(
      channel.unary(HEALTH_CHECK, EVERYTHING, { signal: AbortSignal.abort(new Error("gone")) }),
    ).rejects.toMatchObject({ reason: "CANCELLED", cause: new Error("gone") });
  });
});

describe("between Vitrines", () => {
  test("the reason survives, and a large tensor", async () => {
    const server = new GrpcServer();
    server.unary(HEALTH_CHECK, () => {
      throw new ServeError("QUEUE_FULL", "queue was full");
    });
    server.unary(PREDICT, ({ inputs, modelSpec }) => ({ outputs: inputs, modelSpec }));
    cleanups.push(() => server.close());
    const channel = openChannel(await server.listen({ host: "127.0.0.1", port: 0 }));
    await expect(channel.unary(HEALTH_CHECK, EVERYTHING)).rejects.toMatchObject({
      code: "UNAVAILABLE",
      reason: "QUEUE_FULL",
      message: "queue was full",
    });
    const request = pictureRequest(1_070_000);
    expect(isEcho(request, await channel.unary(PREDICT, request))).toBe(true);
  });

  test("a large tensor of floats is used where it was received", async () => {
    let shared = false;
    const server = new GrpcServer();
    server.unary(PREDICT, ({ inputs, modelSpec }) => {
      const proto = inputs.get("image");
      const data = proto && tensorFromProto(proto, "image").data;
      shared = ArrayBuffer.isView(data) && data.buffer === proto?.tensorContent.buffer;
      return { outputs: new Map(), modelSpec };
    });
    cleanups.push(() => server.close());
    const channel = openChannel(await server.listen({ host: "127.0.0.1", port: 0 }));
    for (const name of ["m", "mo", "mod", "mode", "model"]) {
      const data = new Float32Array(299 * 299 * 3);
      const image = tensorToProto({ dtype: DataType.DT_FLOAT, shape: [1, 299, 299, 3], data }, "content");
      await channel.unary(PREDICT, {
        modelSpec: { name, versionChoice: undefined, signatureName: "" },
        inputs: new Map([["image", image]]),
        outputFilter: [],
      });
      expect(shared, name).toBe(true);
    }
  });

  test("headers that HTTP/2 forbids are a bug of ours, not a server's absence", async () => {
    const { port } = await startOwnHealth();
    const call = openChannel(port).unary(HEALTH_CHECK, EVERYTHING, {
      metadata: { connection: "keep-alive" },
    });
    await expect(call).rejects.toMatchObject({
      reason: "INTERNAL",
      cause: { code: expect.stringMatching(/^ERR_/) },
    });
  });

  test("calls above the server's limit of streams wait their turn", async () => {
    let running = 0;
    let most = 0;
    const server = new GrpcServer({ maxConcurrentStreams: 4 });
    server.unary(HEALTH_CHECK, async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return SERVING;
    });
    cleanups.push(() => server.close());
    const channel = openChannel(await server.listen({ host: "127.0.0.1", port: 0 }));
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => channel.unary(HEALTH_CHECK, EVERYTHING)),
    );
    expect(answers).toHaveLength(100);
    expect(most).toBeLessThanOrEqual(4);
  });

  test("1500 cancelled calls do not cost the connection", async () => {
    let open = () => {};
    let gate = Promise.resolve();
    const server = new GrpcServer();
    server.unary(HEALTH_CHECK, () => gate.then(() => SERVING));
    cleanups.push(() => server.close());
    const proxy = await startTcpProxy(await server.listen({ host: "127.0.0.1", port: 0 }));
    cleanups.push(() => proxy.close());
    const channel = openChannel(proxy.port);
    await channel.unary(HEALTH_CHECK, EVERYTHING);
    for (let round = 0; round < 15; round++) {
      gate = new Promise((resolve) => {
        open = resolve;
      });
      const calls = Array.from({ length: 100 }, () => {
        const abort = new AbortController();
        setImmediate(() => abort.abort());
        return channel.unary(HEALTH_CHECK, EVERYTHING, { signal: abort.signal });
      });
      const settled = await Promise.allSettled(calls);
      expect(settled.every(({ status }) => status === "rejected")).toBe(true);
      open();
    }
    expect(await channel.unary(HEALTH_CHECK, EVERYTHING)).toEqual(SERVING);
    expect(proxy.accepted).toBe(1);
  });
});

describe("answers that are no gRPC", () => {
  test.each([
    [503, "UNAVAILABLE"],
    [429, "UNAVAILABLE"],
    [404, "UNIMPLEMENTED"],
    [403, "PERMISSION_DENIED"],
    [401, "UNAUTHENTICATED"],
    [400, "INTERNAL"],
    [418, "UNKNOWN"],
  ])("HTTP %i is %s", async (httpStatus, code) => {
    const port = await startHttp2((stream) => {
      stream.respond({ ":status": httpStatus, "content-type": "text/html" });
      stream.end("<html>");
    });
    await expect(openChannel(port).unary(HEALTH_CHECK, EVERYTHING)).rejects.toMatchObject({
      code,
      message: `the server answered HTTP ${httpStatus}, expected gRPC`,
    });
  });

  test.each<[string, (stream: ServerHttp2Stream) => void, string, RegExp]>([
    [
      "another content-type",
      (stream) => {
        stream.respond({ ":status": 200, "content-type": "text/html" });
        stream.end("<html>");
      },
      "UNKNOWN",
      /content-type text\/html/,
    ],
    [
      "OK without a message",
      (stream) =>
        stream.respond(
          { ":status": 200, "content-type": "application/grpc", "grpc-status": "0" },
          { endStream: true },
        ),
      "INTERNAL",
      /without a message/,
    ],
    [
      "no status",
      (stream) => {
        stream.respond({ ":status": 200, "content-type": "application/grpc" });
        stream.end(Buffer.from([0, 0, 0, 0, 0]));
      },
      "INTERNAL",
      /without a status/,
    ],
    [
      "two messages",
      (stream) => {
        stream.respond({ ":status": 200, "content-type": "application/grpc" });
        stream.end(Buffer.alloc(10));
      },
      "INTERNAL",
      /more than one message/,
    ],
    [
      "an encoding that was not offered",
      (stream) => {
        stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-encoding": "snappy" });
        stream.end();
      },
      "INTERNAL",
      /grpc-encoding/,
    ],
    ["a reset with INTERNAL_ERROR", (stream) => stream.close(2), "INTERNAL", /HTTP\/2 error 2/],
    ["a reset with CANCEL", (stream) => stream.close(8), "CANCELLED", /HTTP\/2 error 8/],
    [
      "a reset with ENHANCE_YOUR_CALM",
      (stream) => stream.close(11),
      "RESOURCE_EXHAUSTED",
      /HTTP\/2 error 11/,
    ],
    ["a refusal, twice", (stream) => stream.close(7), "UNAVAILABLE", /refused/],
  ])("%s is an error of its own", async (_, answer, code, message) => {
    const port = await startHttp2(answer);
    await expect(openChannel(port).unary(HEALTH_CHECK, EVERYTHING)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  test("a server of HTTP/1.1 is unavailable", async () => {
    const port = await listen(createHttpServer((_, response) => response.end()));
    await expect(openChannel(port).unary(HEALTH_CHECK, EVERYTHING)).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
  });

  test("a port that accepts and says nothing is unavailable after the connect timeout", async () => {
    const port = await listen(createTcpServer());
    await expect(
      openChannel(port, { connectTimeoutMs: 30 }).unary(HEALTH_CHECK, EVERYTHING),
    ).rejects.toMatchObject({ code: "UNAVAILABLE", reason: "MODEL_UNAVAILABLE" });
  });
});

describe("a server that comes and goes", () => {
  test("without a server calls fail as UNAVAILABLE, without naming its address", async () => {
    const { server, port } = await startOwnHealth();
    server.close();
    const error: ServeError = await openChannel(port)
      .unary(HEALTH_CHECK, EVERYTHING)
      .then(
        () => expect.unreachable(),
        (caught) => caught,
      );
    expect(error).toMatchObject({ code: "UNAVAILABLE", reason: "MODEL_UNAVAILABLE" });
    expect(error.message).not.toContain(String(port));
    expect(error.cause).toMatchObject({ code: "ECONNREFUSED" });
  });

  test("between two attempts calls fail at once", async () => {
    let attempts = 0;
    const port = await listen(
      createTcpServer((socket) => {
        attempts++;
        socket.destroy();
      }),
    );
    const channel = openChannel(port, { minBackoffMs: 600_000, maxBackoffMs: 600_000 });
    const failures = await Promise.allSettled(
      Array.from({ length: 10 }, () => channel.unary(HEALTH_CHECK, EVERYTHING)),
    );
    expect(failures.every(({ status }) => status === "rejected")).toBe(true);
    await expect(channel.unary(HEALTH_CHECK, EVERYTHING)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(attempts).toBe(1);
  });

  test("a server that was killed fails its open call, and the next call finds the one in its place", async () => {
    const events = new EventEmitter();
    const server = new GrpcServer();
    server.unary(HEALTH_CHECK, async (_, { signal }) => {
      events.emit("running");
      await once(signal, "abort");
      return SERVING;
    });
    const port = await server.listen({ host: "127.0.0.1", port: 0 });
    const proxy = await startTcpProxy(port);
    cleanups.push(() => proxy.close());
    const channel = openChannel(proxy.port);
    const running = once(events, "running");
    const call = channel.unary(HEALTH_CHECK, EVERYTHING);
    const failed = expect(call).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: "the connection to the server was lost",
    });
    await running;
    proxy.cut();
    await failed;
    server.close();
    await startOwnHealth(port);
    expect(await channel.unary(HEALTH_CHECK, EVERYTHING)).toEqual(SERVING);
    expect(proxy.accepted).toBe(2);
  });

  test("a server that is replaced under load loses no call", async () => {
    let { server, port } = await startOwnHealth();
    const channel = openChannel(port);
    const progress = new EventEmitter();
    let answered = 0;
    let replaced = false;
    const caller = async () => {
      while (!replaced) {
        expect(await channel.unary(HEALTH_CHECK, EVERYTHING)).toEqual(SERVING);
        progress.emit(String(++answered));
      }
    };
    const callers = Array.from({ length: 16 }, caller);
    for (let round = 0; round < 5; round++) {
      await once(progress, String(answered + 200));
      const drained = server.drain(60_000);
      ({ server } = await startOwnHealth(port));
      await drained;
    }
    replaced = true;
    await Promise.all(callers);
    expect(answered).toBeGreaterThanOrEqual(1000);
  });

  test("calls in flight at GOAWAY finish while new ones use a new connection", async () => {
    const events = new EventEmitter();
    const server = new GrpcServer();
    server.unary(HEALTH_CHECK, async ({ service }) => {
      events.emit("running");
      if (service === "slow") await once(events, "go on");
      return { status: 2 };
    });
    const port = await server.listen({ host: "127.0.0.1", port: 0 });
    const channel = openChannel(port);
    const running = once(events, "running");
    const old = channel.unary(HEALTH_CHECK, { service: "slow" });
    await running;
    const drained = server.drain(60_000);
    await startOwnHealth(port);
    // Calls that were on their way before the GOAWAY had come are answered, too.
    let { status } = await channel.unary(HEALTH_CHECK, EVERYTHING);
    while (status !== SERVING.status) ({ status } = await channel.unary(HEALTH_CHECK, EVERYTHING));
    events.emit("go on");
    expect(await old).toEqual({ status: 2 });
    await drained;
  });

  test("a peer that has vanished without a word is noticed", async () => {
    const events = new EventEmitter();
    const { port } = await startForeignHealth(() => events.emit("running"));
    const proxy = await startTcpProxy(port);
    cleanups.push(() => proxy.close());
    const channel = openChannel(proxy.port, { keepaliveMs: 30, keepaliveTimeoutMs: 30 });
    const running = once(events, "running");
    const call = channel.unary(HEALTH_CHECK, EVERYTHING);
    const failed = expect(call).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await running;
    proxy.freeze();
    await failed;
  });

  test("a peer that vanishes after it was slow, and answered a ping, is noticed", async () => {
    const events = new EventEmitter();
    const { port } = await startForeignHealth((_, callback) => {
      if (!events.emit("running")) setTimeout(() => callback(null, SERVING), 150);
    });
    const proxy = await startTcpProxy(port);
    cleanups.push(() => proxy.close());
    const channel = openChannel(proxy.port, { keepaliveMs: 20, keepaliveTimeoutMs: 1000 });
    expect(await channel.unary(HEALTH_CHECK, EVERYTHING)).toEqual(SERVING);
    const running = once(events, "running");
    const failed = expect(channel.unary(HEALTH_CHECK, EVERYTHING)).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
    await running;
    proxy.freeze();
    await failed;
  });

  test("a peer that is only slow is kept", async () => {
    const { port } = await startForeignHealth((_, callback) => {
      setTimeout(() => callback(null, SERVING), 150);
    });
    const proxy = await startTcpProxy(port);
    cleanups.push(() => proxy.close());
    const channel = openChannel(proxy.port, { keepaliveMs: 20, keepaliveTimeoutMs: 5000 });
    expect(await channel.unary(HEALTH_CHECK, EVERYTHING)).toEqual(SERVING);
    expect(proxy.accepted).toBe(1);
  });

  test("a closed channel makes no more calls", async () => {
    const { port } = await startOwnHealth();
    const channel = openChannel(port);
    await channel.unary(HEALTH_CHECK, EVERYTHING);
    channel.close();
    await expect(channel.unary(HEALTH_CHECK, EVERYTHING)).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: "the channel was closed",
    });
  });

  test("a deadline also ends the wait for a connection, and the attempt goes on for the others", async () => {
    const port = await listen(createTcpServer());
    const channel = openChannel(port, { connectTimeoutMs: 200 });
    const patient = expect(channel.unary(HEALTH_CHECK, EVERYTHING)).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
    await expect(channel.unary(HEALTH_CHECK, EVERYTHING, { timeoutMs: 20 })).rejects.toMatchObject({
      code: "DEADLINE_EXCEEDED",
    });
    await patient;
  });
});
