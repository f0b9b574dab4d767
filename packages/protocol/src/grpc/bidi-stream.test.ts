import { once } from "node:events";
import * as grpc from "@grpc/grpc-js";
import { afterEach, expect, test } from "vitest";
import type { HealthCheckRequest } from "../gen/grpc/health/v1/health.js";
import { HEALTH_WATCH } from "../services.js";
import { ServeError } from "../status.js";
import { type FinishedCall, GrpcServer, type ServerCall } from "./server.js";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

type Handler = (
  requests: AsyncIterable<HealthCheckRequest>,
  call: ServerCall,
) => AsyncIterable<{ status: 0 | 1 | 2 | 3 }>;

/** Opens a stream to a server with that handler; messages of the health service serve as any others. */
async function open(handler: Handler) {
  const finished: FinishedCall[] = [];
  let onCallEnd: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    onCallEnd = resolve;
  });
  const server = new GrpcServer({
    onCallEnd: (call) => {
      finished.push(call);
      onCallEnd();
    },
  });
  server.bidiStream(HEALTH_WATCH, handler);
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  cleanups.push(() => {
    client.close();
    server.close();
  });
  const stream = client.makeBidiStreamRequest(
    HEALTH_WATCH.path,
    (message: HealthCheckRequest) => Buffer.concat(HEALTH_WATCH.encodeRequest(message)),
    (bytes: Buffer) => HEALTH_WATCH.decodeResponse(bytes),
  );
  stream.on("error", () => undefined);
  return { stream, finished, ended };
}

/** Answers each request with the length of its text. */
async function* lengths(requests: AsyncIterable<HealthCheckRequest>) {
  for await (const { service } of requests) {
    if (service === "refuse") throw new ServeError("REQUEST_INVALID", "refused");
    yield { status: service.length as 0 | 1 | 2 | 3 };
  }
}

test("each request is answered when it comes", async () => {
  const { stream, finished, ended } = await open(lengths);
  for (const [service, status] of [
    ["a", 1],
    ["bb", 2],
    ["ccc", 3],
  ] as const) {
    const answered = once(stream, "data");
    stream.write({ service });
    expect((await answered)[0]).toEqual({ status });
  }
  const status = once(stream, "status");
  stream.end();
  expect((await status)[0]).toMatchObject({ code: 0 });
  await ended;
  expect(finished).toMatchObject([{ error: undefined }]);
});

test("a refused request ends the call with its status", async () => {
  const { stream } = await open(lengths);
  const status = new Promise((resolve) => stream.once("status", resolve));
  stream.resume();
  stream.write({ service: "a" });
  stream.write({ service: "refuse" });
  expect(await status).toMatchObject({ code: grpc.status.INVALID_ARGUMENT, details: "refused" });
});

test("the handler's requests end when the caller leaves", async () => {
  let over: () => void = () => undefined;
  const handlerOver = new Promise<void>((resolve) => {
    over = resolve;
  });
  const { stream, ended } = await open(async function* (requests) {
    try {
      for await (const _ of requests) yield { status: 1 };
    } finally {
      over();
    }
  });
  const answered = once(stream, "data");
  stream.write({ service: "a" });
  await answered;
  stream.cancel();
  await handlerOver;
  await ended;
});

test("requests that nobody asks for hold the caller up instead of filling the memory", async () => {
  let read = 0;
  let goOn: () => void = () => undefined;
  const waiting = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const { stream } = await open(async function* (requests) {
    for await (const _ of requests) {
      read++;
      if (read === 1) await waiting;
    }
    yield { status: 1 };
  });
  const service = "x".repeat(1_000_000);
  let written = 0;
  const count = 40;
  const writeMore = () => {
    while (written < count) {
      written++;
      if (!stream.write({ service })) {
        stream.once("drain", writeMore);
        return;
      }
    }
    stream.end();
  };
  writeMore();
  const firstSeconds = new Promise((resolve) => setTimeout(resolve, 300));
  await firstSeconds;
  expect(written).toBeLessThan(count);
  const answered = once(stream, "data");
  goOn();
  await answered;
  expect(read).toBe(count);
});
