/** What callers do to a connection, written by hand on real sockets. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { MOST_DRAINED_BYTES } from "./drain-body.js";
import { model, startTestGateway, type TestGateway } from "./testing/gateway.js";
import { type RawClient, rawClient } from "./testing/raw-client.js";

let setup: TestGateway;
const clients: RawClient[] = [];

beforeAll(async () => {
  setup = await startTestGateway(model(), { maxImageBytes: "100000" });
});
afterEach(() => {
  for (const { socket } of clients.splice(0)) socket.destroy();
});
afterAll(async () => {
  await setup.close();
});

function connect(): RawClient {
  const client = rawClient(setup.gateway.url);
  clients.push(client);
  return client;
}

const imageHead = (bytes: number) =>
  `POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: image/jpeg\r\ncontent-length: ${bytes}\r\n\r\n`;
const formHead = (bytes: number) =>
  `POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: ${bytes}\r\n\r\n`;
const PART_HEAD = '--b\r\ncontent-disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n';
const PING = "GET /ping HTTP/1.1\r\nhost: x\r\n\r\n";

describe("a refusal in the middle of an upload", () => {
  it.each([
    ["a picture", imageHead(450_000), ""],
    ["a form", formHead(PART_HEAD.length + 450_000 + 9), `${PART_HEAD}`],
  ])(
    "of %s comes as soon as it is too large, and leaves the connection usable",
    async (_what, head, first) => {
      const { socket, until } = connect();
      socket.write(`${head}${first}${"x".repeat(150_000)}`);
      await until("IMAGE_TOO_LARGE");
      socket.write("x".repeat(300_000));
      if (first !== "") socket.write("\r\n--b--\r\n");
      socket.write(PING);
      await until("PONG");
    },
  );

  it.each([
    ["a form", `${formHead(10e9)}${PART_HEAD}`],
    ["a picture", imageHead(10e9)],
    ["a body for a path that is none", "POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 9999999999\r\n\r\n"],
  ])("of %s without end is followed by the end of the connection some while later", async (_what, head) => {
    const { socket, until } = connect();
    const chunk = Buffer.alloc(1024 * 1024, "x");
    let sent = chunk.byteLength;
    socket.write(head);
    socket.write(chunk);
    await until("application/problem+json");
    while (!socket.destroyed) {
      sent += chunk.byteLength;
      await new Promise((resolve) => socket.write(chunk, resolve));
    }
    expect(sent).toBeGreaterThan(MOST_DRAINED_BYTES);
    expect(sent).toBeLessThan(2 * MOST_DRAINED_BYTES);
  });
});

describe("a request", () => {
  it.each([
    ["without a host", "", 0],
    ["with two hosts", "host: a\r\nHOST: b\r\n", 2],
  ])("%s is refused as a problem, as RFC 9112 wants it", async (_what, headers, hosts) => {
    const { socket, until, received } = connect();
    socket.write(`GET /ping HTTP/1.1\r\n${headers}\r\n`);
    await until(`request had ${hosts} headers`);
    expect(received()).toMatch(/^HTTP\/1\.1 400 /);
  });

  it.each([
    ["of HTTP/1.0 without a host", "GET /ping HTTP/1.0\r\n\r\n"],
    ["for a whole address", "GET http://localhost/ping HTTP/1.1\r\nhost: localhost\r\n\r\n"],
    ["that asks for another protocol", `${PING.slice(0, -2)}connection: Upgrade\r\nupgrade: h2c\r\n\r\n`],
    ["whose sender sends no more", PING],
  ])("%s is answered", async (what, request) => {
    const { socket, until } = connect();
    if (what.startsWith("whose")) socket.end(request);
    else socket.write(request);
    await until("PONG");
  });

  it("after the other on one connection, without waiting, is answered in order", async () => {
    const { socket, closed } = connect();
    socket.write(`${PING.repeat(200)}GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    const all = await closed;
    expect(all.match(/PONG/g)).toHaveLength(200);
    expect(all.lastIndexOf("healthy")).toBeGreaterThan(all.lastIndexOf("PONG"));
  });
});

describe("bytes that are no HTTP/1.1", () => {
  it.each([
    ["HTTP/2 without being asked", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
    ["a head of 64 KiB", `GET /ping HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(65_536)}\r\n\r\n`],
    [
      "a length and chunks",
      "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    [
      "two lengths",
      "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcd",
    ],
    [
      "trailers of 64 KiB",
      `POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-type: application/json\r\n\r\n2\r\n{}\r\n0\r\nx: ${"y".repeat(65_536)}\r\n\r\n`,
    ],
  ])("%s end with a problem and the connection", async (_what, bytes) => {
    const { socket, closed } = connect();
    socket.write(bytes, "latin1");
    expect(await closed).toMatch(/HTTP\/1\.1 400 [\s\S]*connection: close[\s\S]*BODY_INVALID/);
  });
});
