import { request as httpRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixture, type StartedServer, startServer } from "../testing/start.js";

let server: StartedServer;
let withCors: StartedServer;
beforeAll(async () => {
  server = await startServer(fixture("add"));
  withCors = await startServer(fixture("add"), { restApiEnableCorsSupport: "true" });
});
afterAll(async () => {
  await Promise.all([server.stop(), withCors.stop()]);
});

const BODY = '{"instances": [{"x": [1, 2], "y": [3, 4]}]}';

function post(url: string, body: string, headers: Record<string, string> = {}) {
  return fetch(url, { method: "POST", body, headers });
}

test("the content type is JSON without a charset, also of errors", async () => {
  for (const body of [BODY, "{"]) {
    const response = await post(`${server.rest}/v1/models/add:predict`, body);
    expect(response.headers.get("content-type")).toBe("application/json");
  }
});

test.each([
  ["/V1/Models/add:PREDICT"],
  ["/v1/models/%61dd:predict"],
  ["/v1/models/add/versions/1:predict"],
  ["/v1/models/add/versions/0001:predict"],
  // ovmsclient's word for any version.
  ["/v1/models/add/versions/0:predict"],
])("POST %s is answered", async (route) => {
  const response = await post(server.rest + route, BODY);
  expect(await response.json()).toEqual({ predictions: [[4, 6]] });
});

test.each<[string, string, number, string]>([
  ["POST", "/v1/models/add:classify", 400, "When method is classify/regress, key 'examples' is expected"],
  ["POST", "/v1/models/add:predict?x=1", 400, "Malformed request: POST /v1/models/add:predict?x=1"],
  ["POST", "/v1/models/add:predict/", 400, "Malformed request: POST /v1/models/add:predict/"],
  ["GET", "/v1/models/add:predict", 400, "Malformed request: GET /v1/models/add:predict"],
  ["GET", "/v1/models/%zz", 400, "Malformed request: GET /v1/models/%zz"],
  ["GET", "/v1/models", 400, "Missing model name in request."],
  ["GET", "/v1/models/add/versions/99999999999999999999", 400, "Failed to convert version"],
  ["GET", "/v1/models/add/labels/stable/metadata", 400, "Unrecognized servable version label: stable"],
  ["GET", "/v1/models/nope/metadata", 404, "Servable not found for request: Latest(nope)"],
])("%s %s is %i %s", async (method, route, status, message) => {
  const response = await fetch(server.rest + route, { method, ...(method === "POST" ? { body: BODY } : {}) });
  expect(response.status).toBe(status);
  expect((await response.json()).error).toContain(message);
});

test.each([
  ["/v1/models/add:classify", "Expected one input Tensor."],
  ["/v1/models/add:regress", "Expected one input Tensor."],
])("POST %s to a signature that takes no examples is refused", async (route, message) => {
  const response = await post(server.rest + route, '{"examples": [{"x": 1.0}]}');
  expect(response.status).toBe(400);
  expect((await response.json()).error).toBe(message);
});

describe("CORS", () => {
  /** fetch would not send Origin, nor OPTIONS without a preflight of its own. */
  function send(base: string, method: string, origin?: string) {
    return new Promise<{ status: number | undefined; allowed: unknown; body: string }>((resolve, reject) => {
      const request = httpRequest(`${base}/v1/models/add`, {
        method,
        headers: origin === undefined ? {} : { origin },
      });
      request.on("error", reject);
      request.on("response", async (response) => {
        const chunks = await response.toArray();
        resolve({
          status: response.statusCode,
          allowed: response.headers["access-control-allow-origin"],
          body: Buffer.concat(chunks).toString(),
        });
      });
      request.end();
    });
  }

  test("headers come with the flag, on every answer", async () => {
    expect(await send(withCors.rest, "GET")).toMatchObject({ status: 200, allowed: "*" });
    expect(await send(withCors.rest, "PUT")).toMatchObject({ status: 400, allowed: "*" });
    expect(await send(server.rest, "GET")).toMatchObject({ status: 200, allowed: undefined });
  });

  test("OPTIONS is answered to an origin, without the flag too", async () => {
    const preflight = { status: 200, body: "" };
    expect(await send(withCors.rest, "OPTIONS", "https://a.test")).toEqual({ ...preflight, allowed: "*" });
    expect(await send(server.rest, "OPTIONS", "http://a.test")).toEqual({ ...preflight, allowed: undefined });
    expect(await send(server.rest, "OPTIONS")).toMatchObject({ status: 400, body: "" });
  });
});
