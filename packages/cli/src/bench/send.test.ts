import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, expect, test } from "vitest";
import { createSender, parseServerTiming, type Sender } from "./send.js";
import { type StubGateway, startStubGateway } from "./testing/stub-gateway.js";

const PICTURE = { body: Buffer.from("picture"), contentType: "image/jpeg" };

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

async function gatewayThat(answer: (response: ServerResponse, request: IncomingMessage) => void) {
  const gateway = await startStubGateway(answer);
  open.push(gateway);
  return gateway;
}

function senderTo(
  { url }: Pick<StubGateway, "url">,
  options: { timeoutMs?: number; apiKey?: string } = {},
): Sender {
  const sender = createSender(url, { timeoutMs: 5_000, ...options });
  open.push(sender);
  return sender;
}

test("an answer is OK with the stages that Server-Timing names", async () => {
  const gateway = await gatewayThat((response) =>
    response.writeHead(200, { "server-timing": "decode;dur=1.5, predict;dur=20, total;dur=25.25" }).end("{}"),
  );
  const answer = await senderTo(gateway).send(PICTURE);
  expect(answer.outcome).toBe("OK");
  expect(answer.answerBytes).toBe(2);
  expect([...answer.stagesMs]).toEqual([
    ["decode", 1.5],
    ["predict", 20],
    ["total", 25.25],
  ]);
});

test("Server-Timing is read with descriptions, spaces and names without a duration", () => {
  expect([...parseServerTiming('cache;desc="a, b", db; desc="x" ; dur=53, miss')]).toEqual([["db", 53]]);
  expect(parseServerTiming("").size).toBe(0);
});

test("an answer out of the gateway's cache is marked", async () => {
  const gateway = await gatewayThat((response) => response.writeHead(200, { "x-cache": "hit" }).end("{}"));
  expect(await senderTo(gateway).send(PICTURE)).toMatchObject({ outcome: "OK", cached: true });
});

test("a problem's outcome is its reason, any other failure's its status", async () => {
  const problem = JSON.stringify({ reason: "QUEUE_FULL", status: 503 });
  const replies = [
    [503, problem],
    [502, "<html>bad gateway</html>"],
  ] as const;
  let index = 0;
  const gateway = await gatewayThat((response) => {
    const [status, body] = replies[index++ % 2]!;
    response.writeHead(status).end(body);
  });
  const sender = senderTo(gateway);
  expect((await sender.send(PICTURE)).outcome).toBe("QUEUE_FULL");
  expect((await sender.send(PICTURE)).outcome).toBe("HTTP 502");
});

test("a connection that is refused or cut has its error as the outcome", async () => {
  const gateway = await gatewayThat((_, request) => request.socket.destroy());
  const sender = senderTo(gateway);
  expect((await sender.send(PICTURE)).outcome).toBe("ECONNRESET");
  await gateway.close();
  open.splice(open.indexOf(gateway), 1);
  expect((await sender.send(PICTURE)).outcome).toBe("ECONNREFUSED");
});

test("an answer that is cut off in its middle is a failure", async () => {
  const gateway = await gatewayThat((response, request) => {
    response.writeHead(200, { "content-length": 100 }).write("{", () => request.socket.destroy());
  });
  expect((await senderTo(gateway).send(PICTURE)).outcome).toBe("ECONNRESET");
});

test("a request without an answer is given up at its timeout", async () => {
  const gateway = await gatewayThat(() => {});
  expect((await senderTo(gateway, { timeoutMs: 20 }).send(PICTURE)).outcome).toBe("CLIENT_TIMEOUT");
});

test("closing ends what is under way", async () => {
  const sender = createSender((await gatewayThat(() => sender.close())).url, { timeoutMs: 5_000 });
  expect((await sender.send(PICTURE)).outcome).toBe("ABANDONED");
});

test("an API key goes with each request", async () => {
  const gateway = await gatewayThat((response, { headers }) =>
    response.writeHead(headers.authorization === "Bearer secret" ? 200 : 401).end(),
  );
  expect((await senderTo(gateway, { apiKey: "secret" }).send(PICTURE)).outcome).toBe("OK");
  expect((await senderTo(gateway).send(PICTURE)).outcome).toBe("HTTP 401");
});

test("connections are kept, but not for ever, so that a new gateway behind a load balancer gets its share", async () => {
  const gateway = await gatewayThat((response) => response.end());
  const sender = senderTo(gateway);
  for (let request = 0; request < 130; request++) await sender.send(PICTURE);
  expect(gateway.connections()).toBe(3);
});
