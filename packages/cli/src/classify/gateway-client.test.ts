import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { createGatewayClient, longestUploadMs } from "./gateway-client.js";

type Handler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

async function gatewayThat(handler: Handler): Promise<string> {
  const server = createServer((request, response) => {
    void buffer(request).then((body) => handler(request, response, body));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const ANSWER = { top_class: "pants", top_probability: 1, predictions: { pants: 1 } };
const LINK = { source: "https://example.com/a.jpg", kind: "url" } as const;
const plain = { signal: new AbortController().signal, concurrency: 8 };

function answer(response: ServerResponse, status: number, body: unknown, headers = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

async function photo(name: string, content: string): Promise<{ source: string; kind: "file" }> {
  const folder = await mkdtemp(path.join(tmpdir(), "client-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(path.join(folder, name), content);
  return { source: path.join(folder, name), kind: "file" };
}

test("a file goes as the picture itself, under the type of its extension", async () => {
  let seen: unknown;
  const url = await gatewayThat((request, response, body) => {
    seen = [request.method, request.url, request.headers["content-type"], body.toString()];
    answer(response, 200, { ...ANSWER, more: 1 });
  });
  const client = createGatewayClient(`${url}/`, plain);
  expect(await client.classify(await photo("a.PNG", "pixels"), 100)).toEqual(ANSWER);
  expect(seen).toEqual(["POST", "/predict", "image/png", "pixels"]);
});

test("a large picture has time for its upload beside the gateway's deadline, a small one hardly more", () => {
  expect(longestUploadMs(5_300_000)).toBe(120_000);
  expect(longestUploadMs(1_000_000)).toBe(50_000);
  expect(longestUploadMs(40_000)).toBe(2_000);
});

test("a link goes as JSON", async () => {
  let seen = "";
  const url = await gatewayThat((_, response, body) => {
    seen = body.toString();
    answer(response, 200, ANSWER);
  });
  await createGatewayClient(url, plain).classify(LINK, 100);
  expect(JSON.parse(seen)).toEqual({ url: LINK.source });
});

test("a problem of the gateway is the answer, and is not asked again", async () => {
  let asked = 0;
  const url = await gatewayThat((_, response) => {
    asked++;
    answer(response, 415, {
      code: "INVALID_ARGUMENT",
      reason: "IMAGE_TYPE_UNSUPPORTED",
      detail: "no picture",
    });
  });
  expect(await createGatewayClient(url, plain).classify(LINK, 100)).toEqual({
    error: { code: "INVALID_ARGUMENT", reason: "IMAGE_TYPE_UNSUPPORTED", message: "no picture" },
  });
  expect(asked).toBe(1);
});

test("a file that is not there, and one that is too large, are answered without asking", async () => {
  const client = createGatewayClient("http://127.0.0.1:1", plain);
  expect(await client.classify({ source: "/no/photo.jpg", kind: "file" }, 100)).toMatchObject({
    error: { code: "NOT_FOUND", reason: "FILE_UNREADABLE" },
  });
  expect(await client.classify(await photo("a.jpg", "12345"), 4)).toMatchObject({
    error: { reason: "IMAGE_TOO_LARGE" },
  });
});

test("a later is tried again until there is an answer", async () => {
  const statuses = [503, 429, 504, 502, 200];
  const url = await gatewayThat((_, response) => {
    const status = statuses.shift() ?? 500;
    answer(response, status, status === 200 ? ANSWER : {});
  });
  expect(await createGatewayClient(url, { ...plain, wait: async () => {} }).classify(LINK, 100)).toEqual(
    ANSWER,
  );
});

test("a key goes with each request, and one that is refused ends the run", async () => {
  const seen: unknown[] = [];
  const url = await gatewayThat((request, response) => {
    seen.push(request.headers.authorization);
    answer(response, 401, { code: "UNAUTHENTICATED", reason: "UNAUTHENTICATED", detail: "API key unknown" });
  });
  const client = createGatewayClient(url, { ...plain, apiKey: "secret" });
  await expect(client.classify(LINK, 100)).rejects.toThrow(/answered 401: API key unknown; see --api-key/);
  expect(seen).toEqual(["Bearer secret"]);
});

test("every 64th request gives its connection up, so that the load balancer is asked again", async () => {
  const sockets = new Set<unknown>();
  const url = await gatewayThat((request, response) => {
    sockets.add(request.socket);
    answer(response, 200, ANSWER);
  });
  const client = createGatewayClient(url, plain);
  for (let nth = 0; nth < 130; nth++) await client.classify(LINK, 100);
  expect(sockets.size).toBeGreaterThanOrEqual(3);
  expect(sockets.size).toBeLessThan(10);
});

test("with patience, a gateway that takes nothing at all ends the run", async () => {
  const url = await gatewayThat((_, response) => answer(response, 503, {}));
  const client = createGatewayClient(url, { ...plain, patienceMs: 1 });
  await expect(client.info()).rejects.toThrow(/took nothing for 0\.001 s: the last answer was 503/);
  await expect(client.classify(LINK, 100)).rejects.toThrow(/took nothing for/);
});

test("with patience, a gateway that is away costs no picture its tries", async () => {
  const waitsMs: number[] = [];
  const url = await gatewayThat((_, response) => {
    if (waitsMs.length === 40) answer(response, 200, ANSWER);
    else answer(response, 503, {}, { "retry-after": "3" });
  });
  const wait = async (ms: number) => void waitsMs.push(ms);
  const client = createGatewayClient(url, { ...plain, patienceMs: 600_000, wait });
  expect(await client.classify(LINK, 100)).toEqual(ANSWER);
  expect(Math.min(...waitsMs)).toBeGreaterThanOrEqual(3_000);
  expect(Math.max(...waitsMs)).toBe(10_000);
});

test("with patience, a picture that is refused while others are answered gets the refusal as its row", async () => {
  const bad = { source: "https://example.com/bad.jpg", kind: "url" } as const;
  let refusals = 0;
  const url = await gatewayThat((_, response, body) => {
    if (!body.toString().includes("bad")) return answer(response, 200, ANSWER);
    refusals++;
    answer(response, 503, { code: "UNAVAILABLE", reason: "WORKER_LOST", detail: "the worker died" });
  });
  const wait = async () => void (await client.classify(LINK, 100));
  const client = createGatewayClient(url, { ...plain, patienceMs: 600_000, wait });
  expect(await client.classify(bad, 100)).toMatchObject({ error: { reason: "WORKER_LOST" } });
  // Nobody had been answered when it was refused for the first time.
  expect(refusals).toBe(21);
});

test("a wait for a later try ends when the run is interrupted", async () => {
  const controller = new AbortController();
  const url = await gatewayThat((_, response) => {
    answer(response, 503, {}, { "retry-after": "3600" });
    controller.abort();
  });
  await expect(
    createGatewayClient(url, { ...plain, signal: controller.signal }).classify(LINK, 100),
  ).rejects.toThrow(/abort/i);
});

test("a gateway that is not there is told by name", async () => {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  const client = createGatewayClient(`http://127.0.0.1:${port}`, plain);
  await expect(client.info()).rejects.toThrow(/did not answer, expected a gateway there: .*ECONNREFUSED/);
});
