import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { feedbackResponseSchema, infoResponseSchema, problemSchema } from "../api.js";
import { contract, model, startTestGateway, type TestGateway } from "../testing/gateway.js";
import { type HttpHost, startHttpHost } from "../testing/http-host.js";
import { floats } from "../testing/model-tier.js";
import { RECORD_BYTES } from "./feedback-index.js";
import { readFeedback } from "./feedback-record.js";

/** With a place, a copyright and a small picture in it. */
let photo: Buffer;
let other: Buffer;
let host: HttpHost;
let folder: string;
const open: TestGateway[] = [];

beforeAll(async () => {
  const make = (background: string) =>
    sharp({ create: { width: 60, height: 40, channels: 3, background } })
      .withExif({
        IFD0: { Copyright: "SECRET" },
        IFD3: { GPSLatitudeRef: "N", GPSLatitude: "52/1 30/1 0/1" },
      })
      .jpeg()
      .toBuffer();
  photo = await make("#33507a");
  other = await make("#7a5033");
  host = await startHttpHost((request, response) => {
    if (request.url === "/photo.jpg") response.writeHead(200).end(photo);
    else response.writeHead(404).end();
  });
});
afterAll(() => host.close());

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "vitrine-feedback-"));
});
afterEach(async () => {
  for (const setup of open.splice(0)) await setup.close();
  await rm(folder, { recursive: true });
});

async function start(flags: Record<string, string | string[]> = {}, puppet = model()): Promise<TestGateway> {
  const setup = await startTestGateway(puppet, {
    feedbackDir: folder,
    allowImageHost: [host.authority],
    ...flags,
  });
  open.push(setup);
  return setup;
}

function form(files: readonly Buffer[], fields: Record<string, string>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  for (const file of files) data.append("file", new Blob([new Uint8Array(file)]), "photo.jpg");
  return data;
}

const give = (
  setup: TestGateway,
  files: readonly Buffer[],
  fields: Record<string, string> = {},
  headers: Record<string, string> = {},
) =>
  fetch(setup.url("/feedback"), {
    method: "POST",
    body: form(files, { label: "pants", consent: "yes", ...fields }),
    headers,
  });

const giveJson = (setup: TestGateway, body: unknown) =>
  fetch(setup.url("/feedback"), {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });

const reasonOf = async (response: Response) => {
  const { reason, status } = problemSchema.parse(await response.json());
  expect(response.status).toBe(status);
  return reason;
};

async function given(setup: TestGateway, ...rest: [readonly Buffer[], Record<string, string>?]) {
  const response = await give(setup, ...rest);
  expect(response.status).toBe(201);
  return feedbackResponseSchema.strict().parse(await response.json());
}

/** Every file below the folder, by its path in it. */
async function filesIn(place = folder): Promise<string[]> {
  const entries = await readdir(place, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith(".feedback-folder-"))
    .map((entry) => path.relative(place, path.join(entry.parentPath, entry.name)))
    .sort();
}

const picturesIn = async () => (await filesIn()).filter((name) => name.includes(path.sep));
/** The rest of the record, whatever is in it. */
const recorded = async () => {
  const { records } = await readFeedback(folder);
  return records.map(({ label, predicted, model: { version }, contract: digest }) => [
    label,
    predicted,
    version,
    digest,
  ]);
};
const withdraw = (setup: TestGateway, id: string) =>
  fetch(setup.url(`/feedback/${id}`), { method: "DELETE" });

describe("what a correction says of the answer", () => {
  it("is kept as it was told, also of a model that another has replaced since", async () => {
    const setup = await start();
    const before = { predicted: "skort", model_version: "7", contract: "sha256:earlier" };
    expect((await give(setup, [photo], before)).status).toBe(201);
    expect(await recorded()).toEqual([["pants", "skort", "7", "sha256:earlier"]]);
  });

  it("is not made up where it was not told", async () => {
    const setup = await start();
    await give(setup, [photo], { predicted: "hat", model_version: "", contract: "" });
    expect(await recorded()).toEqual([["pants", "hat", null, null]]);
  });

  it.each([
    [
      { label: "skort", contract: "sha256:earlier" },
      'label was "skort", expected one of the labels of GET /info, which is of another model than the answer was',
    ],
    [
      { predicted: "a\tb", contract: "sha256:earlier" },
      'predicted was "a\tb", expected one of the labels of GET /info, which is of another model than the answer was',
    ],
    [
      { predicted: "skort", contract: contract().digest },
      'predicted was "skort", expected one of the labels of GET /info',
    ],
  ])("is refused where it cannot be: %j", async (fields, detail) => {
    const answer = await give(await start(), [photo], fields);
    expect(problemSchema.parse(await answer.json())).toMatchObject({
      reason: "FEEDBACK_LABEL_UNKNOWN",
      detail,
    });
  });
});

describe("a correction", () => {
  it("is kept as a picture without metadata in its label's folder, and a record that names nobody", async () => {
    const setup = await start();
    const response = await give(
      setup,
      [photo],
      { predicted: "hat", model_version: "1", contract: contract().digest, request_id: "abc-123" },
      { "user-agent": "Nobody's Browser" },
    );
    expect(response.status).toBe(201);
    const answer = feedbackResponseSchema.strict().parse(await response.json());
    expect(answer.withdraw).toMatch(new RegExp(`^/feedback/${answer.id}\\?folder=[A-Za-z0-9_-]{11}$`));
    expect(response.headers.get("location")).toBe(answer.withdraw);
    expect(answer).toMatchObject({ label: "pants", pictures: 1 });
    expect(Date.parse(answer.delete_after) - Date.parse(answer.stored_at)).toBe(90 * 86_400_000);

    const [picture = ""] = await picturesIn();
    expect(path.dirname(picture)).toBe("pants");
    const kept = await readFile(path.join(folder, picture));
    expect(kept.includes("SECRET")).toBe(false);
    expect((await sharp(kept).metadata()).exif).toBeUndefined();
    const raw = (file: Buffer) => sharp(file).raw().toBuffer();
    expect((await raw(kept)).equals(await raw(photo))).toBe(true);

    const { records } = await readFeedback(folder);
    expect(records).toEqual([
      {
        schema: 1,
        id: answer.id,
        label: "pants",
        predicted: "hat",
        model: { name: "clothing-model", version: "1" },
        contract: contract().digest,
        request_id: "abc-123",
        stored_at: answer.stored_at,
        delete_after: answer.delete_after,
        pictures: [
          {
            sha256: createHash("sha256").update(kept).digest("hex"),
            media_type: "image/jpeg",
            bytes: kept.byteLength,
            width: 60,
            height: 40,
          },
        ],
      },
    ]);
    expect(JSON.stringify(records)).not.toMatch(/127\.0\.0\.1|Browser/);
    expect((await stat(path.join(folder, picture))).mode & 0o007).toBe(0);
  });

  it("may be a link, and then goes through the guard of addresses", async () => {
    const setup = await start();
    const kept = await giveJson(setup, { url: host.url("/photo.jpg"), label: "hat", consent: true });
    expect(kept.status).toBe(201);
    expect((await picturesIn())[0]).toMatch(/^hat\/feedback-[0-9a-f]{32}\.jpg$/);
    const inner = await giveJson(setup, { url: "http://169.254.169.254/", label: "hat", consent: true });
    expect(await reasonOf(inner)).toBe("IMAGE_URL_FORBIDDEN");
  });

  it("may be of photos and links together, which lie under one id", async () => {
    const setup = await start();
    const body = form([photo], { label: "hat", consent: "yes" });
    body.append("url", host.url("/photo.jpg"));
    body.append("file", new Blob([new Uint8Array(other)]), "other.jpg");
    const response = await fetch(setup.url("/feedback"), { method: "POST", body });
    // The linked photo is the same as the first one.
    expect(feedbackResponseSchema.parse(await response.json())).toMatchObject({ label: "hat", pictures: 2 });
    const inner = form([photo], { label: "hat", consent: "yes" });
    inner.append("url", "http://169.254.169.254/");
    expect(await reasonOf(await fetch(setup.url("/feedback"), { method: "POST", body: inner }))).toBe(
      "IMAGE_URL_FORBIDDEN",
    );
  });

  it("keeps all photos of an item under one id", async () => {
    const setup = await start();
    const { id, pictures } = await given(setup, [photo, other, photo]);
    expect(pictures).toBe(2);
    expect(await picturesIn()).toHaveLength(2);
    expect((await withdraw(setup, id)).status).toBe(204);
    expect(await filesIn()).toEqual([]);
  });

  it("of a picture that is there already adds a record and no second picture, which stays until nobody gives it", async () => {
    const setup = await start();
    const first = await given(setup, [photo]);
    const second = await given(setup, [photo]);
    expect(first.id).not.toBe(second.id);
    expect(await picturesIn()).toHaveLength(1);
    await withdraw(setup, first.id);
    expect(await picturesIn()).toHaveLength(1);
    await withdraw(setup, second.id);
    expect(await filesIn()).toEqual([]);
  });

  it("can be taken back once, and only by its id", async () => {
    const setup = await start();
    const { id } = await given(setup, [photo]);
    for (const wrong of ["x", "..%2F..%2Fetc%2Fpasswd", "A".repeat(22), `${id}x`, "%00"]) {
      expect([400, 404]).toContain((await withdraw(setup, wrong)).status);
    }
    expect(await picturesIn()).toHaveLength(1);
    expect((await withdraw(setup, id)).status).toBe(204);
    expect(await reasonOf(await withdraw(setup, id))).toBe("FEEDBACK_NOT_FOUND");
  });

  it("is counted by whether the person agrees with the model", async () => {
    const setup = await start();
    await given(setup, [photo], { predicted: "pants" });
    await given(setup, [photo], { predicted: "hat" });
    await given(setup, [other]);
    const text = await (await fetch(setup.url("/metrics"))).text();
    for (const agrees of ["true", "false", "unknown"]) {
      expect(text).toContain(`vitrine_gateway_feedback_total{agrees="${agrees}"} 1`);
    }
    const sizes = await Promise.all((await picturesIn()).map((name) => stat(path.join(folder, name))));
    const bytes = sizes.reduce((sum, { size }) => sum + size, 0);
    expect(text).toContain(`vitrine_gateway_feedback_bytes ${bytes + 3 * RECORD_BYTES}`);
    expect(text).toMatch(/^vitrine_gateway_held_bytes 0$/m);
    expect(text).toMatch(/^vitrine_gateway_predictions_in_flight 0$/m);
  });
});

describe("pages that may leave and take back corrections", () => {
  it.each<[string, (setup: TestGateway) => Record<string, string>]>([
    ["the gateway's own", (setup) => ({ origin: new URL(setup.url("/")).origin })],
    [
      "the gateway's own behind a proxy that speaks TLS for it",
      (setup) => ({ origin: new URL(setup.url("/")).origin.replace("http:", "https:") }),
    ],
    [
      "the gateway's own behind a proxy that changes Host",
      () => ({ "sec-fetch-site": "same-origin", origin: "https://shop.example" }),
    ],
    ["one of --cors-origin", () => ({ origin: "https://friend.example" })],
    [
      "one of --cors-origin that says where it stands",
      () => ({ "sec-fetch-site": "cross-site", origin: "https://friend.example" }),
    ],
  ])("%s", async (_what, headersOf) => {
    const setup = await start({ corsOrigin: ["https://friend.example"] });
    const headers = headersOf(setup);
    const response = await give(setup, [photo], {}, headers);
    const { id } = feedbackResponseSchema.parse(await response.json());
    const take = (from: Record<string, string>) =>
      fetch(setup.url(`/feedback/${id}`), { method: "DELETE", headers: from });
    expect(await reasonOf(await take({ origin: "http://evil.example" }))).toBe("FEEDBACK_ORIGIN_FORBIDDEN");
    expect((await take(headers)).status).toBe(204);
  });

  it("are held to the limit per client, also when they take back", async () => {
    const setup = await start({ maxRequestsPerClient: "2" });
    const { id } = await given(setup, [photo]);
    for (const other of ["A", "B"]) expect((await withdraw(setup, other.repeat(22))).status).toBe(404);
    expect(await reasonOf(await withdraw(setup, id))).toBe("CLIENT_LIMIT");
    expect(await picturesIn()).toHaveLength(1);
  });
});

describe("nothing is kept", () => {
  it.each<[string, (setup: TestGateway) => Promise<Response>, string]>([
    ["without consent", (setup) => give(setup, [photo], { consent: "" }), "FEEDBACK_CONSENT_MISSING"],
    ["with consent=no", (setup) => give(setup, [photo], { consent: "no" }), "FEEDBACK_CONSENT_MISSING"],
    [
      'with "consent": "true" in JSON',
      (setup) => giveJson(setup, { url: host.url("/photo.jpg"), label: "hat", consent: "true" }),
      "FEEDBACK_CONSENT_MISSING",
    ],
    [
      "under a label of nobody",
      (setup) => give(setup, [photo], { label: "trousers" }),
      "FEEDBACK_LABEL_UNKNOWN",
    ],
    [
      "under a label that climbs",
      (setup) => give(setup, [photo], { label: "../x" }),
      "FEEDBACK_LABEL_UNKNOWN",
    ],
    [
      "of a prediction of nobody",
      (setup) => give(setup, [photo], { predicted: "x" }),
      "FEEDBACK_LABEL_UNKNOWN",
    ],
    [
      "with a request id that breaks lines",
      (setup) => give(setup, [photo], { request_id: "a\nb" }),
      "BODY_INVALID",
    ],
    [
      "with a contract of any text",
      (setup) => give(setup, [photo], { contract: "of a person" }),
      "BODY_INVALID",
    ],
    ["without a picture", (setup) => give(setup, []), "BODY_INVALID"],
    ["of half a picture", (setup) => give(setup, [photo.subarray(0, 500)]), "IMAGE_UNDECODABLE"],
    ["of text", (setup) => give(setup, [Buffer.from("<script>alert(1)</script>")]), "IMAGE_TYPE_UNSUPPORTED"],
    ["of one bad photo of two", (setup) => give(setup, [photo, photo.subarray(0, 500)]), "IMAGE_UNDECODABLE"],
    [
      "that another site's page sent",
      (setup) => give(setup, [photo], {}, { "sec-fetch-site": "cross-site", origin: "https://evil.example" }),
      "FEEDBACK_ORIGIN_FORBIDDEN",
    ],
    [
      "that another site's page sent without TLS",
      (setup) => give(setup, [photo], {}, { origin: "http://evil.example" }),
      "FEEDBACK_ORIGIN_FORBIDDEN",
    ],
    [
      "that a page of another port sent",
      (setup) => give(setup, [photo], {}, { origin: "http://127.0.0.1:1" }),
      "FEEDBACK_ORIGIN_FORBIDDEN",
    ],
    [
      "that a page in a sandbox sent",
      (setup) => give(setup, [photo], {}, { origin: "null" }),
      "FEEDBACK_ORIGIN_FORBIDDEN",
    ],
    [
      "in another form",
      (setup) =>
        fetch(setup.url("/feedback"), {
          method: "POST",
          body: new Uint8Array(photo),
          headers: { "content-type": "image/jpeg" },
        }),
      "BODY_UNSUPPORTED",
    ],
    ["of nothing", (setup) => fetch(setup.url("/feedback"), { method: "POST" }), "BODY_INVALID"],
  ])("%s", async (_what, send, reason) => {
    const setup = await start();
    expect(await reasonOf(await send(setup))).toBe(reason);
    expect(await filesIn()).toEqual([]);
  });

  it.each<[string, (setup: TestGateway) => Promise<Response>, string, number]>([
    ["damaged", (setup) => give(setup, [photo, photo.subarray(0, 500)]), "IMAGE_UNDECODABLE", 1],
    ["empty", (setup) => give(setup, [Buffer.alloc(0), photo]), "IMAGE_UNDECODABLE", 0],
    ["too large", (setup) => give(setup, [Buffer.alloc(100_000), photo]), "IMAGE_TOO_LARGE", 0],
    [
      "not there",
      (setup) => {
        const urls = ["/photo.jpg", "/none.jpg"].map((place) => host.url(place));
        return giveJson(setup, { urls, label: "pants", consent: true });
      },
      "IMAGE_URL_FAILED",
      1,
    ],
  ])("of several photos of which one is %s, and says which", async (_what, send, reason, index) => {
    const setup = await start({ maxImageBytes: "50000" });
    const problem = problemSchema.parse(await (await send(setup)).json());
    expect(problem).toMatchObject({ reason, photo: index });
    expect(await filesIn()).toEqual([]);
  });

  it("where the gateway was not told to, and says so", async () => {
    const setup = await startTestGateway(model());
    open.push(setup);
    expect(await reasonOf(await give(setup, [photo]))).toBe("FEEDBACK_DISABLED");
    expect(await reasonOf(await withdraw(setup, "A".repeat(22)))).toBe("FEEDBACK_DISABLED");
    const info = infoResponseSchema.parse(await (await fetch(setup.url("/info"))).json());
    expect(info.feedback).toEqual({ enabled: false, keep_days: null });
  });

  it("when the folder is full, and 507 says so", async () => {
    const setup = await start({ feedbackMaxBytes: String(2 * RECORD_BYTES + 1000) });
    const answers: number[] = [];
    for (const background of ["#111111", "#222222", "#333333", "#444444"]) {
      const file = await sharp({ create: { width: 60, height: 40, channels: 3, background } })
        .jpeg()
        .toBuffer();
      answers.push((await give(setup, [file])).status);
    }
    expect(answers.at(-1)).toBe(507);
    const before = await filesIn();
    const response = await give(setup, [photo]);
    expect(response.headers.get("retry-after")).toBe("3600");
    expect(await reasonOf(response)).toBe("FEEDBACK_FULL");
    expect(await filesIn()).toEqual(before);
  });

  it("when the label's folder cannot be made, and no record stays behind", async () => {
    const setup = await start();
    await writeFile(path.join(folder, "pants"), "a file where the folder should be");
    const response = await give(setup, [photo]);
    const problem = problemSchema.parse(await response.json());
    expect(problem).toMatchObject({ status: 503, reason: "FEEDBACK_UNWRITABLE" });
    expect(problem.detail).not.toContain(folder);
    expect(await filesIn()).toEqual(["pants"]);
  });
});

describe("the folder", () => {
  it.each([
    ["a file", async (place: string) => writeFile(place, "")],
    [
      "below a file",
      async (place: string) => writeFile(path.dirname(place), "").catch(() => writeFile(place, "")),
    ],
  ])("that is %s ends the start with a sentence", async (_what, make) => {
    const place = path.join(folder, "corrections");
    await make(place);
    await expect(start({ feedbackDir: place })).rejects.toMatchObject({
      problems: [
        expect.stringMatching(/^--feedback-dir was .*expected a folder that the gateway can write to \(E/),
      ],
    });
  });

  it.skipIf(process.getuid?.() === 0)("that is read-only ends the start with a sentence", async () => {
    const place = path.join(folder, "corrections");
    await mkdir(place);
    await chmod(place, 0o500);
    await expect(start({ feedbackDir: place })).rejects.toThrow(/--feedback-dir/);
  });

  it("is said in /info with the days", async () => {
    const setup = await start({ feedbackKeepDays: "30" });
    const info = infoResponseSchema.strict().parse(await (await fetch(setup.url("/info"))).json());
    expect(info.feedback).toEqual({ enabled: true, keep_days: 30 });
  });

  it("is named after labels that could climb out of it, without doing so", async () => {
    const labels = ["../../up", "a/b", "."];
    const id2label = Object.fromEntries(labels.entries());
    const strange = contract({
      config: { id2label, vitrine: { score_kind: "logits", scores_output: "logits" } },
    });
    const puppet = model({ contract: strange, predict: () => ({ logits: floats([1, 3], [0, 1, 3]) }) });
    const setup = await start({ feedbackDir: path.join(folder, "inner") }, puppet);
    for (const label of labels) await given(setup, [photo], { label });
    const folders = (await readdir(path.join(folder, "inner"))).filter((name) => !name.startsWith("."));
    expect(folders.sort()).toEqual(["%2E", "%2E.%2F..%2Fup", "a%2Fb"]);
    expect(await readdir(folder)).toEqual(["inner"]);
  });

  it("is shared by two gateways: what one keeps the other takes back", async () => {
    const [one, two] = [await start(), await start()];
    const [first, second] = await Promise.all([given(one, [photo]), given(two, [photo])]);
    expect(await picturesIn()).toHaveLength(1);
    expect((await withdraw(two, first.id)).status).toBe(204);
    expect(await picturesIn()).toHaveLength(1);
    expect((await withdraw(one, second.id)).status).toBe(204);
    expect(await filesIn()).toEqual([]);
  });

  it("takes many corrections at once and loses none", async () => {
    const setup = await start();
    const files = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        sharp({ create: { width: 20 + index, height: 20, channels: 3, background: "#123456" } })
          .jpeg()
          .toBuffer(),
      ),
    );
    await Promise.all(files.map((file) => given(setup, [file])));
    expect(await picturesIn()).toHaveLength(8);
    expect((await readFeedback(folder)).records).toHaveLength(8);
  });
});

describe("time", () => {
  it("removes what has expired at the next start, and leaves what is not its own", async () => {
    const setup = await start();
    const { id } = await given(setup, [photo]);
    const kept = await given(setup, [other]);
    await writeFile(path.join(folder, "pants", "of-somebody-else.jpg"), photo);
    const record = path.join(folder, `.feedback-${id}.json`);
    const text = (await readFile(record, "utf8")).replace(
      /"delete_after":"[^"]+"/,
      '"delete_after":"2020-01-01T00:00:00.000Z"',
    );
    await writeFile(record, text);
    const next = await start();
    // Answered when the first look is over.
    expect((await withdraw(next, "A".repeat(22))).status).toBe(404);
    expect((await readFeedback(folder)).records.map((each) => each.id)).toEqual([kept.id]);
    expect(await picturesIn()).toHaveLength(2);
    expect(await picturesIn()).toContain(path.join("pants", "of-somebody-else.jpg"));
  });
});
