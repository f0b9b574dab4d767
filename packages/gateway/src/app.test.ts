import { request as httpRequest } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { infoResponseSchema, predictResponseSchema, problemSchema } from "./api.js";
import { contract, jpeg, LABELS, model, startTestGateway, type TestGateway } from "./testing/gateway.js";
import { type HttpHost, startHttpHost } from "./testing/http-host.js";
import { floats } from "./testing/model-tier.js";

let setup: TestGateway;
let pictures: HttpHost;
let photo: Buffer;

beforeAll(async () => {
  photo = await jpeg();
  pictures = await startHttpHost((request, response) => {
    if (request.url === "/photo.jpg") response.writeHead(200, { "content-type": "image/jpeg" }).end(photo);
    else response.writeHead(404).end();
  });
  setup = await startTestGateway(model(), { allowImageHost: [pictures.authority], maxImageBytes: "100000" });
});

afterAll(async () => {
  await setup.close();
  await pictures.close();
});

afterEach(() => {
  setup.tier.model = model();
  setup.tier.calls.length = 0;
});

const post = (path: string, body: RequestInit["body"], headers: Record<string, string> = {}) =>
  fetch(setup.url(path), { method: "POST", body: body ?? null, headers });

const postJson = (path: string, body: unknown) =>
  post(path, JSON.stringify(body), { "content-type": "application/json" });

const blob = (bytes: Buffer, type = "image/jpeg") => new Blob([new Uint8Array(bytes)], { type });

/** @param parts files, and links as texts. */
function form(...parts: (Buffer | string)[]): FormData {
  const data = new FormData();
  for (const part of parts) {
    if (typeof part === "string") data.append("url", part);
    else data.append("file", blob(part), "photo.jpg");
  }
  return data;
}

async function problemOf(response: Response) {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const problem = problemSchema.parse(await response.json());
  expect(problem.status).toBe(response.status);
  expect(problem.requestId).toBe(response.headers.get("x-request-id"));
  return problem;
}

describe("POST /predict", () => {
  const forms: [string, () => Promise<Response>][] = [
    ["JSON with a url", () => postJson("/predict", { url: pictures.url("/photo.jpg") })],
    ["multipart/form-data", () => post("/predict", form(photo))],
    ["multipart/form-data with a url", () => post("/predict", form(pictures.url("/photo.jpg")))],
    ["the picture itself", () => post("/predict", blob(photo))],
  ];

  it.each(forms)("answers %s", async (_form, send) => {
    const response = await send();
    expect(response.status).toBe(200);
    const answer = predictResponseSchema.strict().parse(await response.json());
    expect(Object.keys(answer.predictions)).toEqual(LABELS);
    expect(Object.values(answer.predictions).reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    expect(answer.top_class).toBe("pants");
    expect(answer.top_probability).toBeCloseTo(Math.exp(3) / (1 + Math.E + Math.exp(3)), 12);
    expect(answer).toMatchObject({ unsure: false, model: { name: "clothing-model", version: "1" } });
    expect(answer.contract).toBe(contract().digest);
    expect(answer).not.toHaveProperty("photos");
    expect(answer).not.toHaveProperty("top");
  });

  it("sends the pixels that the contract asks for, and asks for the scores alone", async () => {
    await post("/predict", blob(photo));
    const [call] = setup.tier.calls;
    expect(call).toMatchObject({ outputFilter: ["logits"], signatureName: "serving_default" });
    expect(call?.input.shape).toEqual([1, 8, 8, 3]);
    expect(call?.input.data).toHaveLength(192);
    // One colour in, the same colour in every pixel out, within JPEG's rounding.
    const [red, green, blue] = call!.input.data as Uint8Array;
    expect(Math.abs(red! - 0x33) + Math.abs(green! - 0x50) + Math.abs(blue! - 0x7a)).toBeLessThan(6);
  });

  it("answers the raw scores alone in label order, with model and contract in headers", async () => {
    const response = await post("/predict?format=scores", blob(photo));
    expect(await response.text()).toBe('{"dress":0,"hat":1,"pants":3}');
    expect(response.headers.get("x-model-version")).toBe("1");
    expect(response.headers.get("x-contract-digest")).toBe(contract().digest);
  });

  it("adds the top labels when asked", async () => {
    const response = await post("/predict?top_k=2", blob(photo));
    const { top } = predictResponseSchema.parse(await response.json());
    expect(top?.map(({ label }) => label)).toEqual(["pants", "hat"]);
  });

  it("adds a heat map when asked, and then asks the model for it", async () => {
    const response = await post("/predict?explain=1", blob(photo));
    const { heatmap } = predictResponseSchema.parse(await response.json());
    expect(heatmap).toEqual({
      width: 2,
      height: 2,
      values: [0, 0, 0.5, 1],
      method: "activation",
      photo: 0,
      area: { x: 0, y: 0, width: 1, height: 1 },
      orientation: 1,
      flat: false,
    });
    expect(setup.tier.calls[0]?.outputFilter).toEqual(["logits", "maps"]);
  });

  it("is unsure below the contract's threshold", async () => {
    setup.tier.model = model({ predict: () => ({ logits: floats([1, 3], [1, 1, 1.1]) }) });
    const answer = predictResponseSchema.parse(await (await post("/predict", blob(photo))).json());
    expect(answer.unsure).toBe(true);
  });

  it("reads scores that the model tier answers one by one, as TensorFlow Serving does", async () => {
    setup.tier.model = model({ form: "values" });
    expect(await (await post("/predict?format=scores", blob(photo))).json()).toEqual({
      dress: 0,
      hat: 1,
      pants: 3,
    });
  });

  it.each([
    ["files", () => post("/predict", form(photo, photo))],
    ["files and urls", () => post("/predict", form(pictures.url("/photo.jpg"), photo))],
    ["urls", () => postJson("/predict", { urls: [pictures.url("/photo.jpg"), pictures.url("/photo.jpg")] })],
  ])("answers an item of several %s once, with each photo's own answer in order", async (_form, send) => {
    const answers = [floats([1, 3], [5, 0, 0]), floats([1, 3], [0, 0, 4])];
    setup.tier.model = model({ predict: () => ({ logits: answers.shift()! }) });
    const answer = predictResponseSchema.parse(await (await send()).json());
    expect(answer.photos?.map(({ top_class }) => top_class)).toEqual(["dress", "pants"]);
    expect(answer.top_class).toBe("dress");
    expect(setup.tier.calls).toHaveLength(2);
  });

  it("lists the photos of a list of one url, too", async () => {
    const response = await postJson("/predict", { urls: [pictures.url("/photo.jpg")] });
    expect(predictResponseSchema.parse(await response.json()).photos).toHaveLength(1);
  });

  it("says where the time went, in the body and in Server-Timing", async () => {
    const response = await postJson("/predict", { url: pictures.url("/photo.jpg") });
    const { timings } = predictResponseSchema.parse(await response.json());
    const header = response.headers.get("server-timing") ?? "";
    expect(header.split(", ").map((metric) => metric.split(";")[0])).toEqual([
      "fetch",
      "decode",
      "resize",
      "predict",
      "total",
    ]);
    expect(timings.total).toBeGreaterThanOrEqual(timings.predict);
    expect(header).toContain(`total;dur=${timings.total}`);
  });

  it("passes the request's id and trace on to the model tier, and gives the id back", async () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const response = await post("/predict", blob(photo), { "x-request-id": "abc-123", traceparent });
    expect(response.headers.get("x-request-id")).toBe("abc-123");
    const metadata = setup.tier.calls[0]?.metadata;
    expect([metadata?.get("x-request-id"), metadata?.get("traceparent")]).toEqual(["abc-123", traceparent]);
  });

  it("makes an id of its own instead of one that could break a log line", async () => {
    const response = await post("/predict", blob(photo), { "x-request-id": 'a"b' });
    expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe("bodies that are refused", () => {
  it.each<[string, () => Promise<Response>, number, string, RegExp]>([
    [
      "nothing",
      () => post("/predict", null),
      400,
      "BODY_INVALID",
      /empty.*application\/json.*multipart.*image/s,
    ],
    [
      "application/octet-stream",
      () => post("/predict", blob(photo, "application/octet-stream")),
      415,
      "BODY_UNSUPPORTED",
      /application\/octet-stream.*image\/\*/s,
    ],
    [
      "a form that curl -d sends",
      () => post("/predict", new URLSearchParams({ url: "http://a.example/" })),
      415,
      "BODY_UNSUPPORTED",
      /x-www-form-urlencoded/,
    ],
    ["no content-type", () => post("/predict", Buffer.from("x")), 415, "BODY_UNSUPPORTED", /no content-type/],
    [
      "JSON that is none",
      () => post("/predict", "{url", { "content-type": "application/json" }),
      400,
      "BODY_INVALID",
      /was not JSON/,
    ],
    ["a JSON array", () => postJson("/predict", ["http://a.example/"]), 400, "BODY_INVALID", /JSON array/],
    ["JSON null", () => postJson("/predict", null), 400, "BODY_INVALID", /null/],
    [
      "a JSON object without url",
      () => postJson("/predict", { link: "x" }),
      400,
      "BODY_INVALID",
      /"link".*"url"/,
    ],
    [
      "url and urls",
      () => postJson("/predict", { url: "a", urls: ["b"] }),
      400,
      "BODY_INVALID",
      /"url", "urls"/,
    ],
    ["no urls", () => postJson("/predict", { urls: [] }), 400, "BODY_INVALID", /"urls"/],
    [
      "too many urls",
      () => postJson("/predict", { urls: Array(11).fill("http://a.example/") }),
      400,
      "TOO_MANY_IMAGES",
      /10 photos/,
    ],
    [
      "too long JSON",
      () => postJson("/predict", { url: "x".repeat(200_000) }),
      400,
      "BODY_INVALID",
      /131072 bytes/,
    ],
    [
      "a url that is none",
      () => postJson("/predict", { url: "photo.jpg" }),
      400,
      "IMAGE_URL_INVALID",
      /absolute/,
    ],
    [
      "a url inside",
      () => postJson("/predict", { url: "http://169.254.169.254/" }),
      400,
      "IMAGE_URL_FORBIDDEN",
      /public/,
    ],
    [
      "a url that is not there",
      () => postJson("/predict", { url: pictures.url("/none.jpg") }),
      400,
      "IMAGE_URL_FAILED",
      /404/,
    ],
    [
      "a picture too large",
      () => post("/predict", blob(Buffer.alloc(100_001))),
      413,
      "IMAGE_TOO_LARGE",
      /100000 bytes/,
    ],
    [
      "too many files",
      () => post("/predict", form(...Array<Buffer>(11).fill(photo))),
      400,
      "TOO_MANY_IMAGES",
      /10 photos/,
    ],
    [
      "an empty file",
      () => post("/predict", form(Buffer.alloc(0))),
      400,
      "IMAGE_UNDECODABLE",
      /^picture was empty, expected a JPEG/,
    ],
    [
      "an empty picture as the body",
      () => post("/predict", blob(Buffer.alloc(0))),
      400,
      "IMAGE_UNDECODABLE",
      /^picture was empty, expected a JPEG/,
    ],
    [
      "an empty form",
      () => post("/predict", "", { "content-type": "multipart/form-data; boundary=b" }),
      400,
      "BODY_INVALID",
      /^body was empty/,
    ],
    [
      "text that calls itself a picture",
      () => post("/predict", blob(Buffer.from("hello, this is text"))),
      415,
      "IMAGE_TYPE_UNSUPPORTED",
      /./,
    ],
    [
      "half a JPEG",
      () => post("/predict", blob(photo.subarray(0, photo.length - 40))),
      400,
      "IMAGE_UNDECODABLE",
      /./,
    ],
    [
      "a wrong format",
      () => post("/predict?format=xml", blob(photo)),
      400,
      "BODY_INVALID",
      /parameter format/,
    ],
    ["a wrong top_k", () => post("/predict?top_k=0", blob(photo)), 400, "BODY_INVALID", /parameter top_k/],
    [
      "scores of two photos",
      () => post("/predict?format=scores", form(photo, photo)),
      400,
      "BODY_INVALID",
      /2 photos/,
    ],
    [
      "a grid finer than is allowed",
      () => post("/predict?explain=occlusion&explain_grid=9", blob(photo)),
      400,
      "BODY_INVALID",
      /explain_grid was 9, expected at most 8/,
    ],
  ])("%s", async (_what, send, status, reason, words) => {
    const response = await send();
    expect(response.status).toBe(status);
    const problem = await problemOf(response);
    expect(problem.reason).toBe(reason);
    expect(problem.detail).toMatch(words);
    expect(problem).not.toHaveProperty("photo");
    expect(problem.type).toBe(`/docs#${reason}`);
  });

  const half = () => photo.subarray(0, photo.length - 40);
  const linked = (...others: string[]) =>
    postJson("/predict", { urls: [pictures.url("/photo.jpg"), ...others] });

  it.each<[string, () => Promise<Response>, string, number]>([
    ["a link that is not there", () => linked(pictures.url("/none.jpg")), "IMAGE_URL_FAILED", 1],
    [
      "a link inside",
      () => linked("http://169.254.169.254/", pictures.url("/photo.jpg")),
      "IMAGE_URL_FORBIDDEN",
      1,
    ],
    ["a link that is none", () => linked(pictures.url("/photo.jpg"), "photo.jpg"), "IMAGE_URL_INVALID", 2],
    [
      "a link inside, between files",
      () => post("/predict", form(photo, "http://169.254.169.254/", photo)),
      "IMAGE_URL_FORBIDDEN",
      1,
    ],
    [
      "a damaged file after a link",
      () => post("/predict", form(pictures.url("/photo.jpg"), half())),
      "IMAGE_UNDECODABLE",
      1,
    ],
    ["a damaged first file", () => post("/predict", form(half(), photo)), "IMAGE_UNDECODABLE", 0],
    ["a damaged last file", () => post("/predict", form(photo, photo, half())), "IMAGE_UNDECODABLE", 2],
    [
      "text for a file",
      () => post("/predict", form(photo, Buffer.from("text"))),
      "IMAGE_TYPE_UNSUPPORTED",
      1,
    ],
    ["an empty file", () => post("/predict", form(photo, Buffer.alloc(0), photo)), "IMAGE_UNDECODABLE", 1],
    [
      "a first file too large",
      () => post("/predict", form(Buffer.alloc(300_000), photo)),
      "IMAGE_TOO_LARGE",
      0,
    ],
    [
      "a last file too large",
      () => post("/predict", form(photo, Buffer.alloc(300_000))),
      "IMAGE_TOO_LARGE",
      1,
    ],
    [
      "none but files too large",
      () => post("/predict", form(Buffer.alloc(300_000), Buffer.alloc(300_000))),
      "IMAGE_TOO_LARGE",
      0,
    ],
  ])(
    "an item with %s says which photo it is, to programs and to people",
    async (_what, send, reason, photo) => {
      const problem = await problemOf(await send());
      expect(problem).toMatchObject({ reason, photo });
      expect(problem.detail).toMatch(new RegExp(`^photo ${photo + 1}: (?!photo)`));
    },
  );

  it.each<[string, () => Promise<Response>, string]>([
    ["a list of one bad link", () => postJson("/predict", { urls: ["photo.jpg"] }), "IMAGE_URL_INVALID"],
    [
      "too many files and links",
      () => post("/predict", form(...Array<Buffer>(5).fill(photo), ...Array<string>(6).fill("x"))),
      "TOO_MANY_IMAGES",
    ],
    ["too many files", () => post("/predict", form(...Array<Buffer>(11).fill(photo))), "TOO_MANY_IMAGES"],
    ["scores of two photos", () => post("/predict?format=scores", form(photo, photo)), "BODY_INVALID"],
  ])("%s: no photo of several is at fault, so none is named", async (_what, send, reason) => {
    const problem = await problemOf(await send());
    expect(problem.reason).toBe(reason);
    expect(problem).not.toHaveProperty("photo");
  });

  it("a file too large in a form is named though it is the only one: nobody waits for what may follow", async () => {
    const data = form(Buffer.alloc(300_000));
    data.append("note", "x");
    expect(await problemOf(await post("/predict", data))).toMatchObject({
      ...{ status: 413, reason: "IMAGE_TOO_LARGE", photo: 0 },
      detail: "photo 1: picture was larger than 100000 bytes, the limit",
    });
  });

  it("a form of a file and an empty url is of the file, as a form that was not filled in is sent", async () => {
    expect((await post("/predict", form("", photo))).status).toBe(200);
    expect((await problemOf(await post("/predict", form("")))).detail).toMatch(/^form had the fields url, /);
  });

  it("a form with other fields names them", async () => {
    const data = new FormData();
    data.append("image", blob(photo), "photo.jpg");
    data.append("note", "x");
    const problem = await problemOf(await post("/predict", data));
    expect(problem.detail).toBe(
      'form had the fields image, note, expected a picture in the field "file", or its address in "url"',
    );
  });

  it("a form that breaks off", async () => {
    const body = '--b\r\ncontent-disposition: form-data; name="file"; filename="a.jpg"\r\n\r\nabc';
    const response = await post("/predict", body, { "content-type": "multipart/form-data; boundary=b" });
    expect((await problemOf(response)).reason).toBe("BODY_INVALID");
  });

  it("a form without a boundary", async () => {
    const response = await post("/predict", "abc", { "content-type": "multipart/form-data" });
    expect((await problemOf(response)).reason).toBe("BODY_INVALID");
  });
});

describe("the other routes", () => {
  it("GET /info says what the page has to know", async () => {
    const info = infoResponseSchema.strict().parse(await (await fetch(setup.url("/info"))).json());
    expect(info).toEqual({
      model: { name: "clothing-model", version: "1", signature: "serving_default" },
      contract: contract().digest,
      labels: LABELS,
      score_kind: "logits",
      threshold: 0.6,
      explain: true,
      explain_by: "activation",
      limits: {
        max_image_bytes: 100_000,
        max_image_pixels: 50_000_000,
        max_images: 10,
        max_explain_grid: 8,
        timeout_ms: 20_000,
        media_types: [
          "image/jpeg",
          "image/png",
          "image/webp",
          "image/gif",
          "image/bmp",
          "image/tiff",
          "image/avif",
        ],
      },
      picture: { width: 8, height: 8, filter: "bilinear", decoder: "pillow", orientation: "ignore" },
      shrink: { keeps_answer: true, least_edge: 24 },
      feedback: { enabled: false, keep_days: null },
    });
  });

  it.each([
    ["/health", '{"status":"healthy"}'],
    ["/livez", '{"status":"healthy"}'],
    ["/ping", "PONG"],
    ["/ping/", "PONG"],
    ["/readyz", '{"status":"ready","model":{"name":"clothing-model","version":"1"}}'],
  ])("GET %s", async (path, body) => {
    const response = await fetch(setup.url(path));
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(body);
  });

  it("GET /metrics counts requests by route, code and reason, and times the stages", async () => {
    await post("/predict", blob(photo));
    await post("/predict", null);
    await fetch(setup.url("/no/such/path"));
    const text = await (await fetch(setup.url("/metrics"))).text();
    expect(text).toMatch(/vitrine_gateway_requests_total\{route="\/predict",code="OK",reason="OK"\} \d/);
    expect(text).toMatch(
      /vitrine_gateway_requests_total\{route="\/predict",code="INVALID_ARGUMENT",reason="BODY_INVALID"\} \d/,
    );
    expect(text).toMatch(
      /vitrine_gateway_requests_total\{route="other",code="NOT_FOUND",reason="ROUTE_NOT_FOUND"\} \d/,
    );
    expect(text).toMatch(/vitrine_gateway_stage_duration_seconds_count\{stage="predict"\} \d/);
    expect(text).toContain("vitrine_gateway_predictions_in_flight 0");
    expect(text).toContain("vitrine_gateway_held_bytes 0");
    expect(text).toMatch(/vitrine_gateway_requests_in_flight [1-9]/);
  });

  it("a path that is none is 404", async () => {
    expect(await problemOf(await fetch(setup.url("/no/such/path")))).toMatchObject({
      status: 404,
      reason: "ROUTE_NOT_FOUND",
      code: "NOT_FOUND",
      detail: "path was not found, expected one of those that /docs lists",
    });
  });

  it.each([
    ["QUERY", "/info", "GET, HEAD"],
    ["GET", "/predict", "POST"],
    ["PUT", "/predict?x=1", "POST"],
    ["POST", "/ping", "GET, HEAD"],
    ["OPTIONS", "/predict", "POST"],
  ])("%s %s is 405 and says what is allowed", async (method, path, allow) => {
    const response = await fetch(setup.url(path), { method });
    expect(response.headers.get("allow")).toBe(allow);
    expect(await problemOf(response)).toMatchObject({ status: 405, reason: "METHOD_NOT_ALLOWED" });
  });

  it("HEAD answers the head alone", async () => {
    const response = await fetch(setup.url("/health"), { method: "HEAD" });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("");
  });

  it("a broken path is a problem, too", async () => {
    const status = await new Promise<[number | undefined, string | undefined]>((resolve, reject) => {
      httpRequest(setup.url("/%zz"), (response) => {
        response.resume();
        resolve([response.statusCode, response.headers["content-type"]]);
      })
        .on("error", reject)
        .end();
    });
    expect(status).toEqual([400, "application/problem+json"]);
  });

  it("no answer lets another site read it, be framed, or be sniffed", async () => {
    const response = await fetch(setup.url("/health"), { headers: { origin: "https://evil.example" } });
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "cross-origin-resource-policy": "same-origin",
      "cache-control": "no-store",
    });
  });

  it("/docs and /openapi.json are what docs-page.ts and openapi.ts make", async () => {
    const page = await fetch(setup.url("/docs"));
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'none'; script-src 'sha256-/);
    const document = await (await fetch(setup.url("/openapi.json"))).json();
    expect(document).toMatchObject({ openapi: "3.1.0", info: { version: "0.0.0" } });
  });

  it("without a website / leads to /docs", async () => {
    const response = await fetch(setup.url("/"), { redirect: "manual" });
    expect([response.status, response.headers.get("location")]).toEqual([302, "/docs"]);
  });
});

describe("the log", () => {
  it("has one line a request, without the picture, the url or the query", async () => {
    const before = setup.log.length;
    await postJson("/predict?top_k=3", { url: `${pictures.url("/photo.jpg")}?secret=42` });
    await fetch(setup.url("/no/such?secret=42"));
    const text = JSON.stringify(setup.log.slice(before));
    expect(text).not.toContain("secret");
    const lines = setup.log.slice(before).filter(({ msg }) => msg === "request");
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatchObject({ method: "GET", route: "other", status: 404, reason: "ROUTE_NOT_FOUND" });
  });
});
