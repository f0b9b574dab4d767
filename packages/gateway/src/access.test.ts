import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { UsageError } from "@vitrine/runtime/settings";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { problemSchema } from "./api.js";
import { apiKeysOf } from "./api-keys.js";
import { jpeg, model, startTestGateway, type TestGateway } from "./testing/gateway.js";

const KEY = "k-7f3a9c55e0d14b7c";
const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");

let photo: Buffer;
let folder: string;

beforeAll(async () => {
  photo = await jpeg();
  folder = await mkdtemp(path.join(tmpdir(), "vitrine-access-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function withGateway(
  flags: Record<string, string | string[]>,
  test: (setup: TestGateway) => Promise<void>,
): Promise<void> {
  const setup = await startTestGateway(model(), flags);
  try {
    await test(setup);
  } finally {
    await setup.close();
  }
}

const predict = (setup: TestGateway, headers: Record<string, string> = {}) =>
  fetch(setup.url("/predict"), {
    method: "POST",
    headers: { "content-type": "image/jpeg", ...headers },
    body: new Uint8Array(photo),
  });

describe("a gateway with API keys", () => {
  let setup: TestGateway;
  beforeAll(async () => {
    const file = path.join(folder, "keys");
    await writeFile(file, `# shop\nshop sha256:${sha256(KEY)}\n\nbatch ${sha256("other-key")}\n`);
    setup = await startTestGateway(model(), { apiKeysFile: file });
  });
  afterAll(async () => {
    await setup.close();
  });

  it("answers a caller who shows a key as bearer token or x-api-key, and names it in the log", async () => {
    for (const headers of [{ authorization: `Bearer ${KEY}` }, { "x-api-key": KEY }]) {
      expect((await predict(setup, headers)).status).toBe(200);
    }
    expect(setup.log.filter(({ client }) => client === "shop")).toHaveLength(2);
    expect(JSON.stringify(setup.log)).not.toContain(KEY);
  });

  it("refuses a missing and a wrong key with 401 and says which header it expects", async () => {
    for (const headers of [{}, { authorization: "Bearer wrong" }, { authorization: "Basic YTpi" }]) {
      const response = await predict(setup, headers);
      const problem = problemSchema.parse(await response.json());
      expect([response.status, problem.reason]).toEqual([401, "UNAUTHENTICATED"]);
      expect(response.headers.get("www-authenticate")).toBe("Bearer");
      expect(problem.detail).toContain("authorization: Bearer KEY");
    }
  });

  it("asks for no key on probes and for one on /info", async () => {
    expect((await fetch(setup.url("/readyz"))).status).toBe(200);
    expect((await fetch(setup.url("/info"))).status).toBe(401);
    expect((await fetch(setup.url("/info"), { headers: { "x-api-key": KEY } })).status).toBe(200);
  });
});

describe("a file of API keys", () => {
  it("is refused without ever quoting a line that may hold the key itself", () => {
    const text = `shop ${KEY}\nshop ${sha256("a")}\nshop ${sha256("b")}`;
    expect(() => apiKeysOf(text, "keys")).toThrow(UsageError);
    try {
      apiKeysOf(text, "keys");
    } catch (error) {
      expect(String(error)).not.toContain(KEY);
      expect(String(error)).toMatch(/line 1 was not a key's hash[\s\S]*line 3 named shop a second time/);
    }
  });

  it("is refused when it is empty", () => {
    expect(() => apiKeysOf("# nothing\n", "keys")).toThrow(/held no keys/);
  });
});

describe("a limit per client", () => {
  it("refuses the prediction after the last allowed one with 429 and the time to wait", async () => {
    await withGateway({ maxRequestsPerClient: "2" }, async (setup) => {
      expect((await predict(setup)).status).toBe(200);
      expect((await predict(setup)).status).toBe(200);
      const refused = await predict(setup);
      const problem = problemSchema.parse(await refused.json());
      expect([refused.status, problem.reason]).toEqual([429, "CLIENT_LIMIT"]);
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
      expect((await fetch(setup.url("/readyz"))).status).toBe(200);
    });
  });

  it("counts each photo of an item and each part of an explanation, and says what is left", async () => {
    await withGateway({ maxRequestsPerClient: "8" }, async (setup) => {
      const item = new FormData();
      for (const name of ["a.jpg", "b.jpg", "c.jpg"])
        item.append("file", new Blob([new Uint8Array(photo)]), name);
      const send = (query = "") => fetch(setup.url(`/predict${query}`), { method: "POST", body: item });
      const leftOf = (response: Response) => response.headers.get("x-ratelimit-remaining");
      const first = await send();
      expect([first.status, first.headers.get("x-ratelimit-limit"), leftOf(first)]).toEqual([200, "8", "5"]);
      const explained = await send("?explain=occlusion&explain_grid=2");
      const problem = problemSchema.parse(await explained.json());
      expect([explained.status, problem.reason]).toEqual([429, "CLIENT_LIMIT"]);
      expect(problem.detail).toContain("more than 8 predictions in a minute, and this request is 7");
      expect(Number(explained.headers.get("retry-after"))).toBeGreaterThan(50);
      expect(leftOf(await send())).toBe("1");
    });
  });

  it("believes x-forwarded-for from a trusted proxy only, and counts an IPv6 network as one client", async () => {
    await withGateway({ maxRequestsPerClient: "1", trustedProxy: ["127.0.0.1"] }, async (setup) => {
      const from = async (address: string) => (await predict(setup, { "x-forwarded-for": address })).status;
      expect(await from("198.51.100.7")).toBe(200);
      expect(await from("198.51.100.8")).toBe(200);
      expect(await from("198.51.100.7")).toBe(429);
      expect(await from("2001:db8:1:2::1")).toBe(200);
      expect(await from("2001:db8:1:2:ffff::9")).toBe(429);
    });
    await withGateway({ maxRequestsPerClient: "1" }, async (setup) => {
      expect((await predict(setup, { "x-forwarded-for": "198.51.100.7" })).status).toBe(200);
      expect((await predict(setup, { "x-forwarded-for": "198.51.100.8" })).status).toBe(429);
    });
  });
});

describe("CORS", () => {
  it("lets pages of the named origin read answers, refusals and the headers beside them", async () => {
    await withGateway({ corsOrigin: ["https://shop.example"] }, async (setup) => {
      const asked = await fetch(setup.url("/predict"), {
        method: "OPTIONS",
        headers: { origin: "https://shop.example", "access-control-request-method": "POST" },
      });
      expect(asked.status).toBe(204);
      expect(asked.headers.get("access-control-allow-origin")).toBe("https://shop.example");
      expect(asked.headers.get("access-control-allow-methods")).toBe("GET, POST, DELETE");
      const answer = await predict(setup, { origin: "https://shop.example" });
      expect(answer.headers.get("access-control-allow-origin")).toBe("https://shop.example");
      expect(answer.headers.get("access-control-expose-headers")).toContain("x-request-id");
      const refusal = await fetch(setup.url("/predict"), {
        method: "POST",
        headers: { origin: "https://shop.example", "content-type": "text/plain" },
        body: "x",
      });
      expect(refusal.status).toBe(415);
      expect(refusal.headers.get("access-control-allow-origin")).toBe("https://shop.example");
      const other = await predict(setup, { origin: "https://other.example" });
      expect(other.headers.get("access-control-allow-origin")).not.toBe("https://other.example");
    });
  });

  it("says nothing to other origins where none is named", async () => {
    await withGateway({}, async (setup) => {
      const answer = await predict(setup, { origin: "https://shop.example" });
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    });
  });
});

describe("an admin port", () => {
  it("takes metrics and the API's pages off the public port and has the probes, too", async () => {
    await withGateway({ adminPort: "0" }, async (setup) => {
      const admin = (name: string) => fetch(`${setup.gateway.adminUrl}${name}`);
      for (const name of ["/metrics", "/docs", "/openapi.json"]) {
        expect([name, (await fetch(setup.url(name))).status]).toEqual([name, 404]);
        expect([name, (await admin(name)).status]).toEqual([name, 200]);
      }
      for (const name of ["/livez", "/readyz", "/health"]) {
        expect([name, (await fetch(setup.url(name))).status]).toEqual([name, 200]);
        expect([name, (await admin(name)).status]).toEqual([name, 200]);
      }
      const offered = await fetch(`${setup.gateway.adminUrl}/predict`, { method: "POST", body: "x" });
      expect(offered.status).toBe(404);
      expect(setup.gateway.addresses).toEqual([setup.gateway.url, setup.gateway.adminUrl]);
    });
  });
});
