import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import type { PredictRequest, PredictResponse } from "../gen/tensorflow_serving/apis/predict.js";
import { PREDICT } from "../services.js";
import { ForeignClient, startForeignServer } from "../testing/foreign-grpc.js";
import { isEcho, pictureRequest } from "../testing/picture-request.js";
import { pem } from "../testing/tls-certificates.js";
import { type ClientTls, GrpcChannel } from "./channel.js";
import { GrpcServer, type GrpcServerOptions, type ServerTls } from "./server.js";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

const SERVER_TLS = { key: pem("server.key"), cert: pem("server.crt") };
const MUTUAL_TLS = { ...SERVER_TLS, clientAuthority: pem("authority.crt"), verifyClient: true };
const CLIENT_TLS = { authority: pem("authority.crt") };
const CLIENT_IDENTITY = { key: pem("client.key"), cert: pem("client.crt") };

function echo(request: PredictRequest): PredictResponse {
  return { outputs: request.inputs, modelSpec: request.modelSpec };
}

async function startEcho(tls: ServerTls, options: GrpcServerOptions = {}) {
  const server = new GrpcServer({ tls, ...options });
  server.unary(PREDICT, echo);
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  cleanups.push(() => server.close());
  return { server, port };
}

function channelTo(port: number, tls: ClientTls | undefined): GrpcChannel {
  const channel = new GrpcChannel("127.0.0.1", port, tls === undefined ? {} : { tls });
  cleanups.push(() => channel.close());
  return channel;
}

const request = pictureRequest(1_000_000);

describe("our server", () => {
  test.each<[string, ServerTls, Buffer[]]>([
    ["with TLS", SERVER_TLS, []],
    [
      "with TLS that verifies clients",
      MUTUAL_TLS,
      [CLIENT_IDENTITY.key, CLIENT_IDENTITY.cert].map(Buffer.from),
    ],
  ])("%s answers @grpc/grpc-js", async (_, tls, [key = null, cert = null]) => {
    const { port } = await startEcho(tls);
    const credentials = grpc.credentials.createSsl(Buffer.from(CLIENT_TLS.authority), key, cert);
    const client = new ForeignClient(port, {}, credentials);
    cleanups.push(() => client.close());
    expect(isEcho(request, await client.unary(PREDICT, request))).toBe(true);
  });

  test.each<[string, ClientTls]>([
    ["no certificate", CLIENT_TLS],
    [
      "another authority's certificate",
      { ...CLIENT_TLS, key: pem("intruder.key"), cert: pem("intruder.crt") },
    ],
  ])("that verifies clients refuses one with %s", async (_, tls) => {
    const { port } = await startEcho(MUTUAL_TLS);
    await expect(channelTo(port, tls).unary(PREDICT, request)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  test("tells of a client that does not speak TLS, and goes on", async () => {
    const failures: string[] = [];
    const { port } = await startEcho(SERVER_TLS, {
      onHandshakeFailed: ({ message }) => failures.push(message),
    });
    await expect(channelTo(port, undefined).unary(PREDICT, request)).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
    expect(failures).toEqual([expect.stringContaining("wrong version number")]);
    expect(isEcho(request, await channelTo(port, CLIENT_TLS).unary(PREDICT, request))).toBe(true);
  });

  test("tells of a client that does not offer HTTP/2", async () => {
    const failures: string[] = [];
    const { port } = await startEcho(SERVER_TLS, {
      onHandshakeFailed: ({ message }) => failures.push(message),
    });
    const socket = connectTls({ host: "127.0.0.1", port, ca: CLIENT_TLS.authority });
    socket.on("error", () => undefined);
    await once(socket, "close");
    expect(failures).toEqual(["the client did not offer HTTP/2 (ALPN h2)"]);
  });

  test("shows a renewed certificate to those who connect after", async () => {
    const { server, port } = await startEcho(SERVER_TLS);
    const shown = async () => {
      const socket = connectTls({ host: "127.0.0.1", port, ca: CLIENT_TLS.authority, ALPNProtocols: ["h2"] });
      await once(socket, "secureConnect");
      const { subject } = socket.getPeerCertificate();
      socket.destroy();
      return subject.CN;
    };
    const early = channelTo(port, CLIENT_TLS);
    await early.unary(PREDICT, request);
    expect(await shown()).toBe("localhost");
    server.renewCertificate({ key: pem("renewed.key"), cert: pem("renewed.crt") });
    expect(await shown()).toBe("renewed");
    expect(isEcho(request, await early.unary(PREDICT, request))).toBe(true);
  });

  test("forgets a connection that was broken from within TLS", async () => {
    const { server, port } = await startEcho(SERVER_TLS);
    const socket = connectTcp(port, "127.0.0.1");
    const secure = connectTls({ socket, ca: CLIENT_TLS.authority, ALPNProtocols: ["h2"], host: "127.0.0.1" });
    secure.on("error", () => undefined);
    socket.on("error", () => undefined);
    await once(secure, "secureConnect");
    secure.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    await once(secure, "data");
    const closed = once(socket, "close");
    socket.write(Buffer.from([23, 3, 3, 0, 16, ...Buffer.alloc(16)]));
    await closed;
    await server.drain(60_000);
  });

  test("does not wait at its end for a client that never began the handshake", async () => {
    const { server, port } = await startEcho(SERVER_TLS);
    const silent = connectTcp(port, "127.0.0.1");
    await once(silent, "connect");
    const answered = channelTo(port, CLIENT_TLS).unary(PREDICT, request);
    await answered;
    const closed = once(silent, "close");
    await server.drain(60_000);
    await closed;
  });
});

describe("our channel", () => {
  async function startForeign(credentials: grpc.ServerCredentials) {
    const { port, server } = await startForeignServer(
      PREDICT,
      (call, callback) => callback(null, echo(call.request)),
      {},
      0,
      credentials,
    );
    cleanups.push(() => server.forceShutdown());
    return port;
  }
  const pair = {
    private_key: Buffer.from(SERVER_TLS.key),
    cert_chain: Buffer.from(SERVER_TLS.cert),
  };

  test("calls @grpc/grpc-js with TLS", async () => {
    const port = await startForeign(grpc.ServerCredentials.createSsl(null, [pair]));
    expect(isEcho(request, await channelTo(port, CLIENT_TLS).unary(PREDICT, request))).toBe(true);
  });

  test("shows @grpc/grpc-js its certificate", async () => {
    const authority = Buffer.from(CLIENT_TLS.authority);
    const port = await startForeign(grpc.ServerCredentials.createSsl(authority, [pair], true));
    const channel = channelTo(port, { ...CLIENT_TLS, ...CLIENT_IDENTITY });
    expect(isEcho(request, await channel.unary(PREDICT, request))).toBe(true);
  });

  test.each<[string, ClientTls, string]>([
    ["of an unknown authority", {}, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
    ["for another name", { ...CLIENT_TLS, serverName: "other.test" }, "ERR_TLS_CERT_ALTNAME_INVALID"],
  ])("refuses a certificate %s", async (_, tls, code) => {
    const { port } = await startEcho(SERVER_TLS);
    await expect(channelTo(port, tls).unary(PREDICT, request)).rejects.toMatchObject({
      code: "UNAVAILABLE",
      cause: { code },
    });
  });

  test("takes the name that the certificate must have", async () => {
    const { port } = await startEcho(SERVER_TLS);
    const channel = channelTo(port, { ...CLIENT_TLS, serverName: "model.test" });
    expect(isEcho(request, await channel.unary(PREDICT, request))).toBe(true);
  });

  test("refuses a server that did not agree on HTTP/2", async () => {
    const sockets: TLSSocket[] = [];
    const server = createTlsServer(SERVER_TLS, (socket) => {
      sockets.push(socket);
      socket.on("error", () => undefined);
      // An empty SETTINGS frame: HTTP/2 without having agreed on it.
      socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanups.push(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await expect(channelTo(port, CLIENT_TLS).unary(PREDICT, request)).rejects.toMatchObject({
      code: "UNAVAILABLE",
      cause: { message: expect.stringContaining("ALPN") },
    });
  });
});
