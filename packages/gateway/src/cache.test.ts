/** The two caches, seen from outside: what the picture's host and the model tier are asked. */
import { afterEach, describe, expect, it } from "vitest";
import { predictResponseSchema, problemSchema } from "./api.js";
import { contract, jpeg, model, startTestGateway, type TestGateway } from "./testing/gateway.js";
import { type HttpHost, startHttpHost } from "./testing/http-host.js";

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function gateway(flags: Record<string, string | string[]>): Promise<TestGateway> {
  const setup = await startTestGateway(model(), flags);
  closers.push(() => setup.close());
  setup.tier.calls.length = 0;
  return setup;
}

async function host(handle: Parameters<typeof startHttpHost>[0]): Promise<HttpHost> {
  const made = await startHttpHost(handle);
  closers.push(() => made.close());
  return made;
}

const predicts = ({ tier }: TestGateway) => tier.calls.length;

async function upload(setup: TestGateway, ...photos: Buffer[]) {
  const form = new FormData();
  for (const photo of photos) form.append("file", new Blob([new Uint8Array(photo)]), "photo.jpg");
  const response = await fetch(setup.url("/predict"), { method: "POST", body: form });
  return {
    answer: predictResponseSchema.parse(await response.json()),
    cache: response.headers.get("x-cache"),
  };
}

const askForUrl = async (setup: TestGateway, url: string) => {
  const response = await fetch(setup.url("/predict"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ url }),
  });
  return { status: response.status, body: await response.json() };
};

describe("answers", () => {
  it("are given again for the same picture without asking the model tier", async () => {
    const setup = await gateway({ cacheBytes: "1000000" });
    const photo = await jpeg();
    const first = await upload(setup, photo);
    const second = await upload(setup, photo);
    expect([first.cache, second.cache]).toEqual([null, "hit"]);
    expect(second.answer.predictions).toEqual(first.answer.predictions);
    expect(predicts(setup)).toBe(1);
  });

  it("are not kept unless asked for", async () => {
    const setup = await gateway({});
    const photo = await jpeg();
    await upload(setup, photo);
    expect((await upload(setup, photo)).cache).toBeNull();
    expect(predicts(setup)).toBe(2);
  });

  it("of another version of the model are never given", async () => {
    const setup = await gateway({ cacheBytes: "1000000" });
    const photo = await jpeg();
    await upload(setup, photo);
    setup.tier.model = model({
      version: 2,
      contract: contract({ config: { id2label: { 0: "a", 1: "b", 2: "c" } } }),
    });
    await upload(setup, await jpeg(16, 16, "#ff0000"));
    const { answer } = await upload(setup, photo);
    expect(answer.model.version).toBe("2");
    expect(Object.keys(answer.predictions)).toEqual(["a", "b", "c"]);
  });

  it("of an item are computed for its new photos only, and a bad photo is told by its place", async () => {
    const setup = await gateway({ cacheBytes: "1000000" });
    const [known, fresh] = [await jpeg(), await jpeg(20, 20, "#00ff00")];
    await upload(setup, known);
    const item = await upload(setup, known, fresh);
    expect(item.answer.photos).toHaveLength(2);
    expect(predicts(setup)).toBe(2);
    const form = new FormData();
    form.append("file", new Blob([new Uint8Array(known)]), "a.jpg");
    form.append("file", new Blob(["not a picture"]), "b.jpg");
    const response = await fetch(setup.url("/predict"), { method: "POST", body: form });
    expect(await response.json()).toMatchObject({ photo: 1, detail: expect.stringMatching(/^photo 2: /) });
  });

  it("of a bad photo that is sent alone and in an item at the same time: each is told its own place of it", async () => {
    const setup = await gateway({ cacheBytes: "1000000" });
    const known = await jpeg();
    await upload(setup, known);
    const large = await jpeg(3000, 3000);
    const bad = large.subarray(0, large.length - 100);
    const photoOf = async (...photos: Buffer[]) => {
      const form = new FormData();
      for (const photo of photos) form.append("file", new Blob([new Uint8Array(photo)]), "a.jpg");
      const response = await fetch(setup.url("/predict"), { method: "POST", body: form });
      const problem = problemSchema.parse(await response.json());
      return [problem.photo, problem.detail.startsWith("photo")];
    };
    const all = [photoOf(bad), photoOf(known, bad), photoOf(bad, known), photoOf(known, bad), photoOf(bad)];
    expect(await Promise.all(all)).toEqual([
      [undefined, false],
      [1, true],
      [0, true],
      [1, true],
      [undefined, false],
    ]);
  });

  it("asked for at the same time are computed once", async () => {
    const setup = await gateway({ cacheBytes: "1000000" });
    const photo = await jpeg();
    const answers = await Promise.all(Array.from({ length: 8 }, () => upload(setup, photo)));
    expect(new Set(answers.map(({ answer }) => answer.top_class)).size).toBe(1);
    expect(predicts(setup)).toBe(1);
  });
});

describe("pictures behind URLs", () => {
  it("are asked for by their ETag and not sent a second time", async () => {
    const photo = await jpeg();
    const conditions: (string | undefined)[] = [];
    const { url, authority } = await host((request, response) => {
      conditions.push(request.headers["if-none-match"]);
      if (request.headers["if-none-match"] === '"v1"') response.writeHead(304).end();
      else response.writeHead(200, { etag: '"v1"' }).end(photo);
    });
    const setup = await gateway({ cacheBytes: "1000000", allowImageHost: [authority] });
    for (const _ of [1, 2, 3]) expect((await askForUrl(setup, url("/a.jpg"))).status).toBe(200);
    expect(conditions).toEqual([undefined, '"v1"', '"v1"']);
    expect(predicts(setup)).toBe(1);
  });

  it("that changed get a new answer", async () => {
    const photos = [await jpeg(), await jpeg(16, 16, "#ffffff")];
    let asked = 0;
    const { url, authority } = await host((_request, response) => {
      response.writeHead(200, { etag: `"v${asked}"` }).end(photos[asked]);
      asked += 1;
    });
    const setup = await gateway({ cacheBytes: "1000000", allowImageHost: [authority] });
    await askForUrl(setup, url("/a.jpg"));
    await askForUrl(setup, url("/a.jpg"));
    expect(predicts(setup)).toBe(2);
  });

  it.each([
    ["a weak ETag", { etag: 'W/"v1"' }],
    ["cache-control: no-store", { etag: '"v1"', "cache-control": "no-store" }],
    ["cache-control: private", { etag: '"v1"', "cache-control": "max-age=60, private" }],
    ["vary: *", { etag: '"v1"', vary: "*" }],
  ])("with %s are not kept", async (_name, headers) => {
    const photo = await jpeg();
    const conditions: unknown[] = [];
    const { url, authority } = await host((request, response) => {
      conditions.push(request.headers["if-none-match"]);
      response.writeHead(200, headers).end(photo);
    });
    const setup = await gateway({ cacheBytes: "1000000", allowImageHost: [authority] });
    await askForUrl(setup, url("/a.jpg"));
    await askForUrl(setup, url("/a.jpg"));
    expect(conditions).toEqual([undefined, undefined]);
  });

  it("that redirect are asked for by the ETag of the picture only, not on the way", async () => {
    const photo = await jpeg();
    const seen: string[] = [];
    const { url, authority } = await host((request, response) => {
      seen.push(`${request.url} ${request.headers["if-none-match"] ?? "-"}`);
      if (request.url === "/a") response.writeHead(302, { location: "/b" }).end();
      else if (request.headers["if-none-match"] !== undefined) response.writeHead(304).end();
      else response.writeHead(200, { etag: '"b"' }).end(photo);
    });
    const setup = await gateway({ cacheBytes: "1000000", allowImageHost: [authority] });
    await askForUrl(setup, url("/a"));
    await askForUrl(setup, url("/a"));
    expect(seen).toEqual(["/a -", "/b -", "/a -", '/b "b"']);
  });

  it("that nobody knows yet are refused when the host answers 304 all the same", async () => {
    const { url, authority } = await host((_request, response) => response.writeHead(304).end());
    const setup = await gateway({ cacheBytes: "1000000", allowImageHost: [authority] });
    expect(await askForUrl(setup, url("/a"))).toMatchObject({
      status: 400,
      body: { reason: "IMAGE_URL_FAILED" },
    });
  });
});
