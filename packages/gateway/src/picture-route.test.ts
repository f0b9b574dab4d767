import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { problemSchema } from "./api.js";
import { model, startTestGateway, type TestGateway } from "./testing/gateway.js";
import { type HttpHost, startHttpHost } from "./testing/http-host.js";

let setup: TestGateway;
let host: HttpHost;
/** Path to what lies there. */
const files = new Map<string, Buffer>();

/** Left half red, right half blue. */
function halves(width: number, height: number, alpha?: number) {
  const channels = alpha === undefined ? 3 : 4;
  const pixels = new Uint8Array(channels * width * height);
  for (let at = 0; at < width * height; at += 1) {
    const isLeft = at % width < width / 2;
    pixels.set(
      [isLeft ? 255 : 0, 0, isLeft ? 0 : 255, ...(alpha === undefined ? [] : [alpha])],
      channels * at,
    );
  }
  return sharp(pixels, { raw: { width, height, channels } });
}

/** A BMP of 2 x 1 pixels, red and blue: libvips reads none. */
function bmp(): Buffer {
  const file = Buffer.alloc(62);
  file.write("BM", "latin1");
  file.writeUInt32LE(62, 2);
  file.writeUInt32LE(54, 10);
  file.writeUInt32LE(40, 14);
  file.writeInt32LE(2, 18);
  file.writeInt32LE(1, 22);
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(24, 28);
  file.set([0, 0, 255, 255, 0, 0], 54);
  return file;
}

beforeAll(async () => {
  files.set(
    "/photo.jpg",
    await halves(2000, 1000)
      .withMetadata({ exif: { IFD0: { Copyright: "someone" } } })
      .jpeg()
      .toBuffer(),
  );
  for (const orientation of [1, 2, 3, 4, 5, 6, 7, 8]) {
    files.set(
      `/turned-${orientation}.jpg`,
      await halves(80, 40).withMetadata({ orientation }).jpeg().toBuffer(),
    );
  }
  files.set("/small.png", await halves(40, 20).png().toBuffer());
  files.set("/see-through.png", await halves(40, 20, 128).png().toBuffer());
  files.set("/photo.webp", await halves(2000, 1000).webp().toBuffer());
  files.set("/photo.gif", await halves(40, 20, 0).gif().toBuffer());
  files.set("/photo.tiff", await halves(40, 20).tiff().toBuffer());
  files.set("/photo.avif", await halves(64, 32).avif().toBuffer());
  files.set("/grey.jpg", await halves(40, 20).greyscale().jpeg().toBuffer());
  files.set("/inks.jpg", await halves(40, 20).toColourspace("cmyk").jpeg().toBuffer());
  files.set("/photo.bmp", bmp());
  files.set("/half.jpg", files.get("/photo.jpg")!.subarray(0, 3000));
  files.set("/drawing.svg", Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'));
  files.set("/page.html", Buffer.from("<!doctype html><script>alert(1)</script>"));
  host = await startHttpHost((request, response) => {
    const file = files.get(request.url ?? "");
    if (file === undefined) response.writeHead(404).end();
    else response.writeHead(200, { "content-type": "text/html" }).end(file);
  });
  setup = await startTestGateway(model(), { allowImageHost: [host.authority], maxImageBytes: "1000000" });
});

afterAll(async () => {
  await setup.close();
  await host.close();
});

const ask = (path: string, query = "", headers: Record<string, string> = {}) =>
  fetch(setup.url(`/picture?url=${encodeURIComponent(host.url(path))}${query}`), { headers });

async function shown(path: string, query = "") {
  const response = await ask(path, query);
  expect(response.status).toBe(200);
  const bytes = Buffer.from(await response.arrayBuffer());
  return { response, bytes, metadata: await sharp(bytes).metadata() };
}

describe("GET /picture", () => {
  it("answers a JPEG of our own whose longest edge is 1024, without what the file said beside its pixels", async () => {
    const { response, bytes, metadata } = await shown("/photo.jpg");
    expect(response.headers.get("content-type")).toBe("image/jpeg");
    expect(metadata).toMatchObject({ format: "jpeg", width: 1024, height: 512 });
    expect(metadata.exif ?? metadata.icc ?? metadata.xmp ?? metadata.iptc).toBeUndefined();
    expect(bytes.includes("someone")).toBe(false);
    expect(files.get("/photo.jpg")!.includes("someone")).toBe(true);
  });

  it("says that no page may run it, frame it or guess its kind, and lets the browser that asked keep it", async () => {
    const { response } = await shown("/photo.jpg");
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
      "x-content-type-options": "nosniff",
      "cross-origin-resource-policy": "same-origin",
      "cache-control": "private, max-age=300",
      "server-timing": expect.stringMatching(/^fetch;dur=/),
    });
  });

  it("answers 304 to who has it already, and another tag for another size", async () => {
    const { response } = await shown("/photo.jpg");
    const etag = response.headers.get("etag")!;
    const again = await ask("/photo.jpg", "", { "if-none-match": `"x", W/${etag}` });
    expect([again.status, again.headers.get("etag"), await again.text()]).toEqual([304, etag, ""]);
    expect((await shown("/photo.jpg", "&edge=100")).response.headers.get("etag")).not.toBe(etag);
  });

  it("shrinks to the edge asked for and never enlarges", async () => {
    expect((await shown("/photo.jpg", "&edge=100")).metadata).toMatchObject({ width: 100, height: 50 });
    expect((await shown("/small.png", "&edge=2048")).metadata).toMatchObject({ width: 40, height: 20 });
  });

  it.each([
    // The corner that the red half has when the picture is upright, as x and y.
    [1, 0, 0],
    [2, 79, 0],
    [3, 79, 39],
    [4, 0, 39],
    [5, 0, 0],
    [6, 39, 0],
    [7, 39, 79],
    [8, 0, 79],
  ])("turns orientation %i upright", async (orientation, x, y) => {
    const { bytes } = await shown(`/turned-${orientation}.jpg`);
    const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual(orientation >= 5 ? [40, 80] : [80, 40]);
    const at = 3 * (y * info.width + x);
    expect(data[at]).toBeGreaterThan(200);
    const across = 3 * ((info.height - 1 - y) * info.width + (info.width - 1 - x));
    expect(data[across + 2]).toBeGreaterThan(200);
  });

  it.each(["/photo.webp", "/photo.tiff", "/photo.avif", "/grey.jpg", "/inks.jpg", "/photo.bmp"])(
    "shows %s as a JPEG, whatever its host calls it",
    async (path) => {
      const { metadata } = await shown(path);
      expect(metadata.format).toBe("jpeg");
      expect(["srgb", "b-w"]).toContain(metadata.space);
    },
  );

  it.each(["/see-through.png", "/photo.gif"])(
    "keeps what can be seen through in %s, as WebP",
    async (path) => {
      const { response, metadata } = await shown(path);
      expect(response.headers.get("content-type")).toBe("image/webp");
      expect(metadata).toMatchObject({ format: "webp", hasAlpha: true });
    },
  );

  it.each([
    ["a linked page", "/page.html", 415, "IMAGE_TYPE_UNSUPPORTED"],
    ["an SVG drawing", "/drawing.svg", 415, "IMAGE_TYPE_UNSUPPORTED"],
    ["half a JPEG", "/half.jpg", 400, "IMAGE_UNDECODABLE"],
    ["nothing", "/none", 400, "IMAGE_URL_FAILED"],
  ])("refuses %s as POST /predict does", async (_what, path, status, reason) => {
    const response = await ask(path);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(problemSchema.parse(await response.json())).toMatchObject({ status, reason });
  });

  it.each([
    "",
    "?url=",
    "?url=a&url=b",
    "?edge=100",
    "?url=http://a.example/&edge=63",
    "?url=http://a.example/&edge=x",
  ])("refuses the query %j", async (query) => {
    const response = await fetch(setup.url(`/picture${query}`));
    expect(response.status).toBe(400);
    const { reason } = problemSchema.parse(await response.json());
    expect(reason).toBe(query === "?url=" ? "IMAGE_URL_INVALID" : "BODY_INVALID");
  });

  it("refuses inner addresses", async () => {
    const response = await fetch(setup.url("/picture?url=http://169.254.169.254/"));
    expect(problemSchema.parse(await response.json()).reason).toBe("IMAGE_URL_FORBIDDEN");
  });

  it("holds no bytes and no permits afterwards", async () => {
    const text = await (await fetch(setup.url("/metrics"))).text();
    expect(text).toMatch(/^vitrine_gateway_held_bytes 0$/m);
    expect(text).toMatch(/^vitrine_gateway_predictions_in_flight 0$/m);
    expect(text).toContain('route="/picture",code="OK"');
  });
});

describe("GET /picture under bounds", () => {
  it("works without a model tier, for it asks no model", async () => {
    const alone = await startTestGateway(model(), { allowImageHost: [host.authority] }, { start: false });
    const response = await fetch(alone.url(`/picture?url=${host.url("/small.png")}`));
    expect(response.status).toBe(200);
    await alone.close();
  });

  it("counts against the limit per client", async () => {
    const bounded = await startTestGateway(model(), {
      allowImageHost: [host.authority],
      maxRequestsPerClient: "1",
    });
    const send = () => fetch(bounded.url(`/picture?url=${host.url("/small.png")}`));
    const statuses = [(await send()).status, (await send()).status];
    await bounded.close();
    expect(statuses).toEqual([200, 429]);
  });
});
