import { EventEmitter, once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { tmpdir } from "node:os";
import path from "node:path";
import * as grpc from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import { HEALTH_CHECK } from "../services.js";
import { startTcpProxy } from "../testing/tcp-proxy.js";
import { pem } from "../testing/tls-certificates.js";
import { GrpcChannel } from "./channel.js";
import { GrpcServer, type GrpcServerOptions } from "./server.js";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

const SERVING = { status: 1 } as const;
const EMPTY_MESSAGE = Buffer.alloc(5);
const LARGEST_STREAM = 2 ** 31 - 1;

/** A server whose calls wait for "go on", and a client that has one open. */
async function startWithOpenCall(options: GrpcServerOptions = {}) {
  const events = new EventEmitter();
  const server = new GrpcServer(options);
  server.unary(HEALTH_CHECK, async () => {
    events.emit("running");
    await once(events, "go on");
    return SERVING;
  });
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  cleanups.push(() => server.close());
  const scheme = options.tls === undefined ? "http" : "https";
  const session = connectHttp2(`${scheme}://127.0.0.1:${port}`, { ca: pem("authority.crt") });
  session.on("error", () => undefined);
  cleanups.push(() => session.destroy());
  const lastStreams: number[] = [];
  session.on("goaway", (_, lastStream) => lastStreams.push(lastStream));
  const running = once(events, "running");
  const stream = call(session);
  await running;
  return { server, session, stream, lastStreams, goOn: () => events.emit("go on") };
}

function call(session: ClientHttp2Session): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": HEALTH_CHECK.path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => undefined);
  stream.resume();
  stream.end(EMPTY_MESSAGE);
  return stream;
}

describe("the end of a connection", () => {
  test("is announced before the last call is named, and that call is answered", async () => {
    const { server, session, stream, lastStreams, goOn } = await startWithOpenCall();
    const drained = server.drain(60_000);
    await once(session, "goaway");
    await once(session, "goaway");
    expect(lastStreams).toEqual([LARGEST_STREAM, 1]);
    const trailers = once(stream, "trailers");
    goOn();
    expect((await trailers)[0]).toMatchObject({ "grpc-status": "0" });
    await drained;
  });

  test("is told in one step with TLS", async () => {
    const tls = { key: pem("server.key"), cert: pem("server.crt") };
    const { server, session, lastStreams, goOn } = await startWithOpenCall({ tls });
    const drained = server.drain(60_000);
    await once(session, "goaway");
    goOn();
    await drained;
    expect(lastStreams).toEqual([1]);
  });

  test("by age ends the calls that are still open after the grace", async () => {
    const { stream } = await startWithOpenCall({ maxConnectionAgeMs: 20, maxConnectionAgeGraceMs: 20 });
    await once(stream, "close");
    expect(stream.rstCode).not.toBe(0);
  });

  test("does not come by idleness while a call is open", async () => {
    const { session, stream, lastStreams, goOn } = await startWithOpenCall({ maxConnectionIdleMs: 20 });
    await new Promise<void>((resolve) => session.ping(() => resolve()));
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(lastStreams).toEqual([]);
    const trailers = once(stream, "trailers");
    goOn();
    expect((await trailers)[0]).toMatchObject({ "grpc-status": "0" });
    await once(session, "close");
  });
});

describe("keepalive", () => {
  test("ends the calls of a peer that has vanished", async () => {
    const events = new EventEmitter();
    const server = new GrpcServer({ keepaliveMs: 20, keepaliveTimeoutMs: 20 });
    server.unary(HEALTH_CHECK, async (_, { signal }) => {
      events.emit("running");
      await once(signal, "abort");
      events.emit("aborted", signal.reason);
      return SERVING;
    });
    const port = await server.listen({ host: "127.0.0.1", port: 0 });
    cleanups.push(() => server.close());
    const proxy = await startTcpProxy(port);
    cleanups.push(() => proxy.close());
    const channel = new GrpcChannel("127.0.0.1", proxy.port);
    cleanups.push(() => channel.close());
    const running = once(events, "running");
    const aborted = once(events, "aborted");
    channel.unary(HEALTH_CHECK, { service: "" }).catch(() => undefined);
    await running;
    proxy.freeze();
    expect((await aborted)[0]).toMatchObject({ code: "CANCELLED" });
  });

  test("keeps a peer that is only silent", async () => {
    const { server, session, stream, goOn } = await startWithOpenCall({
      keepaliveMs: 10,
      keepaliveTimeoutMs: 5000,
    });
    let pings = 0;
    const threePings = new Promise<void>((resolve) => {
      session.on("ping", () => {
        pings++;
        if (pings === 3) resolve();
      });
    });
    await threePings;
    const trailers = once(stream, "trailers");
    goOn();
    expect((await trailers)[0]).toMatchObject({ "grpc-status": "0" });
    await server.drain(60_000);
  });
});

describe("a Unix socket", () => {
  function socketPath(): string {
    const folder = mkdtempSync(path.join(tmpdir(), "vitrine-socket-"));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    return path.join(folder, "grpc.sock");
  }

  async function check(file: string): Promise<unknown> {
    const client = new grpc.Client(`unix:${file}`, grpc.credentials.createInsecure());
    cleanups.push(() => client.close());
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        HEALTH_CHECK.path,
        (message: { service: string }) => Buffer.concat(HEALTH_CHECK.encodeRequest(message)),
        (bytes: Buffer) => HEALTH_CHECK.decodeResponse(bytes),
        { service: "" },
        (error, response) => (error === null ? resolve(response) : reject(error)),
      );
    });
  }

  function serverOf(): GrpcServer {
    const server = new GrpcServer();
    server.unary(HEALTH_CHECK, () => SERVING);
    cleanups.push(() => server.close());
    return server;
  }

  test("answers beside the port, and is gone afterwards", async () => {
    const file = socketPath();
    const server = serverOf();
    const port = await server.listen({ host: "127.0.0.1", port: 0 });
    expect(await server.listen({ path: file })).toBe(0);
    expect(await check(file)).toEqual(SERVING);
    const channel = new GrpcChannel("127.0.0.1", port);
    cleanups.push(() => channel.close());
    expect(await channel.unary(HEALTH_CHECK, { service: "" })).toEqual(SERVING);
    await server.drain(1000);
    expect(existsSync(file)).toBe(false);
  });

  test("takes the place of one that a dead server left, but of no other file", async () => {
    const file = socketPath();
    await serverOf().listen({ path: file });
    await serverOf().listen({ path: file });
    expect(await check(file)).toEqual(SERVING);
    const other = `${file}.txt`;
    writeFileSync(other, "a file");
    await expect(serverOf().listen({ path: other })).rejects.toMatchObject({ code: "EADDRINUSE" });
  });
});
