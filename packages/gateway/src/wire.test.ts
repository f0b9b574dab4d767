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
