import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { brotliCompressSync, brotliDecompressSync } from "node:zlib";
import Fastify, { type FastifyInstance } from "fastify";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { servePage } from "./website-page.js";

const pageIn = (language: string, script = "") =>
  `<!doctype html><html lang="${language}"><script>${script}</script><p>${language}`;

describe("the page", () => {
  let folder = "";
  let app: FastifyInstance;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "vitrine-page-"));
    await writeFile(path.join(folder, "index.html"), pageIn("en"));
    await writeFile(path.join(folder, "index.html.br"), brotliCompressSync(pageIn("en")));
    await writeFile(path.join(folder, "index.de.html"), pageIn("de", "let here;"));
    app = Fastify();
    await servePage(app, folder);
  });
  afterEach(async () => {
    await app.close();
    await rm(folder, { recursive: true });
  });

  const get = (headers: Record<string, string> = {}, url = "/") => app.inject({ url, headers });

  it("comes in the language that the browser wishes for, and says so to caches", async () => {
    const german = await get({ "accept-language": "fr,de-AT;q=0.8,en;q=0.5" });
    expect(german.body).toBe(pageIn("de", "let here;"));
    expect(german.headers).toMatchObject({
      "content-language": "de",
      "content-type": "text/html; charset=utf-8",
      vary: "accept-language, accept-encoding",
      "cache-control": "no-cache",
    });
    expect((await get()).headers["content-language"]).toBe("en");
    expect((await get({ "accept-language": "ja" })).headers["content-language"]).toBe("en");
  });

  it("comes in the language that the address names, whatever the browser wishes for", async () => {
    const asked = await get({ "accept-language": "en" }, "/?lang=de");
    expect(asked.headers["content-language"]).toBe("de");
    const unknown = await get({ "accept-language": "de" }, "/?lang=../../etc");
    expect(unknown.headers["content-language"]).toBe("de");
    expect((await get({}, "/?lang=de&lang=en")).headers["content-language"]).toBe("en");
  });

  it("is not sent again to who has it, in this language and coding", async () => {
    const etag = String((await get({ "accept-language": "de" })).headers.etag);
    const again = await get({ "accept-language": "de", "if-none-match": `"other", W/${etag}` });
    expect(again.statusCode).toBe(304);
    expect(again.body).toBe("");
    expect(again.headers).toMatchObject({ etag, vary: "accept-language, accept-encoding" });
    expect((await get({ "accept-language": "en", "if-none-match": etag })).statusCode).toBe(200);
    const small = await get({ "accept-encoding": "br" });
    const plain = await get();
    expect(small.headers.etag).not.toBe(plain.headers.etag);
  });

  it("comes compressed where the build has it so and the browser takes it", async () => {
    const small = await get({ "accept-encoding": "gzip, br" });
    expect(small.headers["content-encoding"]).toBe("br");
    expect(brotliDecompressSync(small.rawPayload).toString()).toBe(pageIn("en"));
    const german = await get({ "accept-encoding": "br", "accept-language": "de" });
    expect(german.headers["content-encoding"]).toBeUndefined();
  });

  it("may run the script that the build put into it, and no other", async () => {
    const policy = String((await get({}, "/?lang=de")).headers["content-security-policy"]);
    expect(policy).toContain(
      `script-src 'self' 'sha256-${createHash("sha256").update("let here;").digest("base64")}';`,
    );
  });

  it("tells search engines where it is in each language, on the host that was asked", async () => {
    const { link } = (await get({ host: "shop.example" })).headers;
    expect(link).toContain('<http://shop.example/?lang=de>; rel="alternate"; hreflang="de"');
    expect(link).toContain('<http://shop.example/>; rel="alternate"; hreflang="x-default"');
    expect((await get({ host: 'a">b' })).headers.link).not.toContain('a">b');
  });

  it("that does not say its language is served to everybody, beside what else answers vary by", async () => {
    const other = await mkdtemp(path.join(tmpdir(), "vitrine-page-"));
    await writeFile(path.join(other, "index.html"), "<!doctype html><p>x");
    const plain = Fastify();
    plain.addHook("onRequest", async (_request, reply) => void reply.header("vary", "Origin"));
    await servePage(plain, other);
    const { headers, body } = await plain.inject({ url: "/", headers: { "accept-language": "de" } });
    await plain.close();
    await rm(other, { recursive: true });
    expect(body).toBe("<!doctype html><p>x");
    expect(headers.vary).toBe("Origin, accept-language, accept-encoding");
    expect([headers["content-language"], headers.link]).toEqual([undefined, undefined]);
  });

  it("answers HEAD with the same headers and nothing else", async () => {
    const head = await app.inject({ method: "HEAD", url: "/" });
    expect([head.statusCode, head.body]).toEqual([200, ""]);
    expect(head.headers["content-language"]).toBe("en");
  });
});
