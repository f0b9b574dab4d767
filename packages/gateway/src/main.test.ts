import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { DataType } from "@vitrine/protocol/tensor";
import { UsageError } from "@vitrine/runtime/settings";
import { afterEach, describe, expect, it } from "vitest";
import { infoResponseSchema, predictResponseSchema, problemSchema } from "./api.js";
import { contract, jpeg, LABELS, model, startTestGateway, type TestGateway } from "./testing/gateway.js";
import { startHttpHost } from "./testing/http-host.js";
import { floats } from "./testing/model-tier.js";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function start(...args: Parameters<typeof startTestGateway>): Promise<TestGateway> {
  const setup = await startTestGateway(...args);
  closers.push(setup.close);
  return setup;
}

async function predict(setup: TestGateway, query = "", signal?: AbortSignal) {
  const response = await fetch(setup.url(`/predict${query}`), {
    method: "POST",
    headers: { "content-type": "image/jpeg" },
    body: new Uint8Array(await jpeg()),
    ...(signal === undefined ? {} : { signal }),
  });
  return { response, body: await response.json() };
}

async function problem(setup: TestGateway, route = "/predict") {
  const { response, body } =
    route === "/predict"
      ? await predict(setup)
      : await fetch(setup.url(route)).then(async (it) => ({ response: it, body: await it.json() }));
  return { ...problemSchema.parse(body), retryAfter: response.headers.get("retry-after") };
}

/** Resolves when /readyz answers `status`. It asks as a kubelet does, one question after the other. */
async function untilReadyz(setup: TestGateway, status: number): Promise<void> {
  for (;;) {
    const response = await fetch(setup.url("/readyz"));
    await response.arrayBuffer();
    if (response.status === status) return;
  }
}

/** What this process has the kernel watch. Source: proc_pid_fdinfo(5). */
async function watchedInodes(): Promise<string[]> {
  const open = await readdir("/proc/self/fdinfo");
  // One that was closed meanwhile watches nothing.
  const texts = await Promise.all(
    open.map((name) => readFile(`/proc/self/fdinfo/${name}`, "utf8").catch(() => "")),
  );
  return texts.flatMap((text) => text.split("\n")).filter((line) => line.startsWith("inotify "));
}

/** A promise and what settles it. */
function gate() {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

describe("without a model tier", () => {
  it("starts, lives, and answers 503 at once and without its address", async () => {
    const setup = await start(model(), {}, { start: false });
    expect((await fetch(setup.url("/livez"))).status).toBe(200);
    for (const route of ["/predict", "/info", "/readyz"]) {
      const answer = await problem(setup, route);
      expect(answer).toMatchObject({
        status: 503,
        code: "UNAVAILABLE",
        reason: "MODEL_UNAVAILABLE",
        retryAfter: "1",
      });
      expect(JSON.stringify(answer)).not.toMatch(/127\.0\.0\.1|ECONN/);
    }
  });

  it("is ready by itself once the tier comes", async () => {
    const setup = await start(model(), {}, { start: false });
    await setup.tier.start();
    await setup.gateway.ready;
    expect((await predict(setup)).response.status).toBe(200);
  });

  it("answers 503 when the tier dies, and 200 when it is back", async () => {
    const setup = await start(model());
    setup.tier.stop();
    expect(await problem(setup)).toMatchObject({ status: 503, reason: "MODEL_UNAVAILABLE" });
    expect(await problem(setup, "/readyz")).toMatchObject({ status: 503, reason: "MODEL_UNAVAILABLE" });
    expect((await fetch(setup.url("/livez"))).status).toBe(200);
    await setup.tier.start();
    await untilReadyz(setup, 200);
    expect((await predict(setup)).response.status).toBe(200);
  });

  it("answers requests under way 503 when the tier dies over them", async () => {
    const arrived = gate();
    const setup = await start(
      model({
        predict: () => {
          arrived.open();
          return new Promise(() => {});
        },
      }),
    );
    const answer = problem(setup);
    await arrived.opened;
    setup.tier.stop();
    expect(await answer).toMatchObject({ status: 503, reason: "MODEL_UNAVAILABLE" });
  });

  it("waits for a model that the tier has not loaded yet", async () => {
    const setup = await start(model(), {}, { await: false });
    setup.tier.model = undefined;
    await untilReadyz(setup, 503);
    expect((await problem(setup, "/readyz")).detail).toContain('did not serve a model "clothing-model"');
    setup.tier.model = model();
    await untilReadyz(setup, 200);
  });
});

describe("a model that is replaced", () => {
  it("by one with the same contract answers without a second preparation, under its own version", async () => {
    const setup = await start(model());
    setup.tier.model = model({ version: 2 });
    const { body } = await predict(setup);
    expect(predictResponseSchema.parse(body).model.version).toBe("2");
    expect(setup.tier.calls).toHaveLength(1);
  });

  it("by one with other labels is answered with those", async () => {
    const setup = await start(model());
    const labels = { config: { id2label: { 0: "coat", 1: "cap", 2: "jeans" } } };
    setup.tier.model = model({ version: 2, contract: contract(labels) });
    const { body } = await predict(setup);
    expect(predictResponseSchema.parse(body)).toMatchObject({ model: { version: "2" } });
    expect(Object.keys(predictResponseSchema.parse(body).predictions)).toEqual(["coat", "cap", "jeans"]);
  });

  it("by one of another picture size gets the picture prepared once more", async () => {
    const setup = await start(model());
    setup.tier.model = model({
      version: 2,
      contract: contract({ preprocessor: { size: { height: 4, width: 6 } } }),
      input: { dtype: DataType.DT_UINT8, shape: [-1, 4, 6, 3] },
    });
    const { response } = await predict(setup);
    expect(response.status).toBe(200);
    expect(setup.tier.calls.map(({ input }) => input.shape)).toEqual([
      [1, 8, 8, 3],
      [1, 4, 6, 3],
    ]);
  });

  it("by one of another element type, which refuses the first tensor, gets the right one", async () => {
    const setup = await start(model());
    setup.tier.model = model({
      version: 2,
      contract: contract({ preprocessor: { vitrine: { preset: "tf" } } }),
      input: { dtype: DataType.DT_FLOAT, shape: [-1, 8, 8, 3] },
    });
    expect((await predict(setup)).response.status).toBe(200);
    expect(setup.tier.calls.map(({ input }) => input.dtype)).toEqual([DataType.DT_UINT8, DataType.DT_FLOAT]);
  });

  it("while versions of both replicas alternate, each is asked about once", async () => {
    const setup = await start(model());
    for (const version of [2, 1, 2, 1, 2]) {
      setup.tier.model = model({ version });
      expect((await predict(setup)).response.status).toBe(200);
    }
    expect(setup.tier.metadataRequests).toBe(2);
  });

  it("again and again in one request is told as 503", async () => {
    const setup = await start(model());
    const ofSize = (version: number, size: number) =>
      model({
        version,
        contract: contract({ preprocessor: { size } }),
        input: { dtype: DataType.DT_UINT8, shape: [-1, size, size, 3] },
      });
    setup.tier.model = ofSize(2, 4);
    setup.tier.onDescribed = () => {
      setup.tier.model = ofSize(3, 5);
    };
    expect(await problem(setup)).toMatchObject({ status: 503, reason: "MODEL_UNAVAILABLE" });
  });
});

describe("a model that does not fit", () => {
  it.each([
    [
      "more labels than outputs",
      { outputs: { logits: { dtype: DataType.DT_FLOAT, shape: [-1, 4] } } },
      /3 labels.*4/,
    ],
    ["another size", { input: { dtype: DataType.DT_UINT8, shape: [-1, 9, 9, 3] } }, /9/],
    [
      "an output that is not there",
      { outputs: { out: { dtype: DataType.DT_FLOAT, shape: [-1, 3] } } },
      /scores_output/,
    ],
    ["no contract and no flags", { contract: undefined }, /--preprocess, --labels.*--contract/],
  ])("%s keeps /readyz at 503 and says why", async (_what, changes, words) => {
    const setup = await start(
      model({ contract: contract({ config: {} }), ...changes }),
      {},
      { await: false },
    );
    await untilReadyz(setup, 503);
    const ready = await problem(setup, "/readyz");
    expect(ready).toMatchObject({ code: "UNAVAILABLE", reason: "MODEL_CONTRACT_MISMATCH", status: 503 });
    expect(ready.detail).toMatch(words);
    expect(await problem(setup)).toMatchObject({ status: 500, reason: "MODEL_CONTRACT_MISMATCH" });
    setup.tier.model = model();
    await untilReadyz(setup, 200);
  });

  it("a request that the model tier refuses is no fault of the caller", async () => {
    const setup = await start(
      model({
        predict: () => {
          throw new Error("out of range");
        },
      }),
    );
    expect(await problem(setup)).toMatchObject({ status: 500, code: "INTERNAL" });
    setup.tier.model = model({ predict: () => ({ logits: floats([1, 2], [1, 2]) }) });
    expect(await problem(setup)).toMatchObject({ status: 500, reason: "MODEL_CONTRACT_MISMATCH" });
  });
});

it("--response-format scores answers as the course's gateway does, and the full answer on demand", async () => {
  const setup = await start(model(), { responseFormat: "scores" });
  expect((await predict(setup)).body).toEqual({ dress: 0, hat: 1, pants: 3 });
  const full = await predict(setup, "?format=predictions");
  expect(predictResponseSchema.parse(full.body).top_class).toBe("pants");
});

it("a model without the maps that its contract names classifies, and without occlusion only cannot explain", async () => {
  const outputs = { logits: { dtype: DataType.DT_FLOAT, shape: [-1, 3] } };
  const setup = await start(model({ outputs }), { explainOcclusion: "0" });
  expect((await predict(setup)).response.status).toBe(200);
  const info = infoResponseSchema.parse(await (await fetch(setup.url("/info"))).json());
  expect(info).toMatchObject({ explain: false, explain_by: null, limits: { max_explain_grid: 0 } });
  const { response, body } = await predict(setup, "?explain=1");
  expect([response.status, problemSchema.parse(body).reason]).toEqual([501, "METHOD_UNIMPLEMENTED"]);
});

describe("a model server that knows no contract", () => {
  it("is worked by flags, as TensorFlow Serving is", async () => {
    const setup = await start(
      model({
        contract: undefined,
        input: { dtype: DataType.DT_FLOAT, shape: [-1, 8, 8, 3] },
        outputs: { dense_7: { dtype: DataType.DT_FLOAT, shape: [-1, 3] } },
        predict: () => ({ dense_7: floats([1, 3], [0, 1, 3]) }),
        form: "values",
      }),
      {
        preprocess: "xception",
        size: "8",
        resample: "nearest",
        labels: ["dress,hat,pants"],
        scoreKind: "logits",
      },
    );
    const { body } = await predict(setup, "?format=scores");
    expect(body).toEqual({ dress: 0, hat: 1, pants: 3 });
    const data = setup.tier.calls[0]?.input.data as Float32Array;
    expect(data).toHaveLength(192);
    expect(Math.max(...data)).toBeLessThanOrEqual(1);
    expect(Math.min(...data)).toBeLessThan(0);
    const info = infoResponseSchema.parse(await (await fetch(setup.url("/info"))).json());
    expect(info).toMatchObject({
      picture: { filter: "nearest" },
      shrink: { keeps_answer: false },
      explain: true,
      explain_by: "occlusion",
    });
  });

  it("is worked by a contract folder", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "vitrine-contract-"));
    closers.push(() => rm(folder, { recursive: true }));
    const { config, preprocessor } = contract().files;
    await writeFile(path.join(folder, "config.json"), JSON.stringify(config));
    await writeFile(path.join(folder, "preprocessor_config.json"), JSON.stringify(preprocessor));
    const setup = await start(model({ contract: undefined }), { contract: folder });
    expect((await predict(setup)).response.status).toBe(200);
  });

  it("a folder without a contract is a wrong use", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "vitrine-contract-"));
    closers.push(() => rm(folder, { recursive: true }));
    await expect(startTestGateway(model(), { contract: folder })).rejects.toThrow(/--contract was/);
  });

  it("flags beat what the server says, one by one", async () => {
    const setup = await start(model(), { labels: ["a", "b", "c"] });
    const { body } = await predict(setup);
    const answer = predictResponseSchema.parse(body);
    expect(Object.keys(answer.predictions)).toEqual(["a", "b", "c"]);
    expect(answer.contract).not.toBe(contract().digest);
  });
});

describe("limits", () => {
  it("the deadline of the caller ends the work in the model tier", async () => {
    const aborted = gate();
    const setup = await start(model(), { timeoutMs: "1500" });
    // The first picture waits for the worker thread to start; the second has its time for itself.
    await predict(setup);
    setup.tier.model = model({
      predict: (_input, call) =>
        new Promise((_resolve, reject) => {
          call.signal.addEventListener("abort", () => {
            aborted.open();
            reject(call.signal.reason);
          });
        }),
    });
    expect(await problem(setup)).toMatchObject({
      status: 504,
      code: "DEADLINE_EXCEEDED",
      reason: "DEADLINE_EXCEEDED",
    });
    await aborted.opened;
  });

  it("a caller who leaves ends the work in the model tier, and the log says 499", async () => {
    const arrived = gate();
    const aborted = gate();
    const setup = await start(
      model({
        predict: (_input, call) =>
          new Promise((_resolve, reject) => {
            arrived.open();
            call.signal.addEventListener("abort", () => {
              aborted.open();
              reject(call.signal.reason);
            });
          }),
      }),
    );
    const caller = new AbortController();
    const answer = predict(setup, "", caller.signal).catch(() => "left");
    await arrived.opened;
    caller.abort();
    expect(await answer).toBe("left");
    await aborted.opened;
    await untilReadyz(setup, 200);
    const line = setup.log.find(({ msg, route }) => msg === "request" && route === "/predict");
    expect(line).toMatchObject({ status: 499, reason: "CANCELLED" });
  });

  it("one request more than the permits is 429 with Retry-After, and the permit comes back", async () => {
    const arrived = gate();
    const release = gate();
    const setup = await start(
      model({
        predict: async () => {
          arrived.open();
          await release.opened;
          return { logits: floats([1, 3], [0, 1, 3]) };
        },
      }),
      { maxConcurrentRequests: "1" },
    );
    const first = predict(setup);
    await arrived.opened;
    expect(await problem(setup)).toMatchObject({ status: 429, reason: "OVERLOADED", retryAfter: "1" });
    release.open();
    expect((await first).response.status).toBe(200);
    expect((await predict(setup)).response.status).toBe(200);
  });

  it("more bytes of pictures than may be held is 429", async () => {
    const setup = await start(model(), { maxHeldBytes: "100" });
    expect(await problem(setup)).toMatchObject({ status: 429, reason: "OVERLOADED" });
  });

  it("more pixels than may be decoded is 413", async () => {
    const setup = await start(model(), { maxImagePixels: "255" });
    expect(await problem(setup)).toMatchObject({ status: 413, reason: "IMAGE_TOO_MANY_PIXELS" });
  });

  it("a picture's host that hangs costs the caller a 400, not the deadline", async () => {
    const host = await startHttpHost(() => {});
    closers.push(host.close);
    const setup = await start(model(), { allowImageHost: [host.authority], fetchTimeoutMs: "100" });
    const response = await fetch(setup.url("/predict"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ url: host.url("/a.jpg") }),
    });
    expect(problemSchema.parse(await response.json())).toMatchObject({
      status: 400,
      reason: "IMAGE_URL_TIMEOUT",
    });
  });
});

describe("callers who misbehave", () => {
  it.each([
    ["in the middle of a picture", "content-type: image/jpeg\r\ncontent-length: 5000\r\n\r\nabc"],
    [
      "in the middle of a form",
      'content-type: multipart/form-data; boundary=b\r\ncontent-length: 5000\r\n\r\n--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nabc',
    ],
    ["in the middle of JSON", 'content-type: application/json\r\ncontent-length: 5000\r\n\r\n{"url'],
  ])("one who leaves %s gives everything back", async (_when, rest) => {
    const setup = await start(model());
    const metric = async (name: string) => {
      const text = await (await fetch(setup.url("/metrics"))).text();
      return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
    };
    const socket = connect(Number(new URL(setup.gateway.url).port), "127.0.0.1");
    socket.write(`POST /predict HTTP/1.1\r\nhost: x\r\n${rest}`);
    while ((await metric("vitrine_gateway_predictions_in_flight")) === 0);
    socket.resetAndDestroy();
    while ((await metric("vitrine_gateway_predictions_in_flight")) > 0);
    expect(await metric("vitrine_gateway_held_bytes")).toBe(0);
    expect(await metric("vitrine_gateway_requests_in_flight")).toBe(1);
    expect(setup.log.find(({ route }) => route === "/predict")).toMatchObject({
      status: 499,
      reason: "CANCELLED",
    });
    expect((await predict(setup)).response.status).toBe(200);
  });

  it.each([
    ["what is no HTTP", "hello\r\n\r\n"],
    ["a head without end", `GET / HTTP/1.1\r\nx: ${"x".repeat(20_000)}\r\n\r\n`],
  ])("%s is answered with a problem, too", async (_what, bytes) => {
    const setup = await start(model());
    const socket = connect(Number(new URL(setup.gateway.url).port), "127.0.0.1").setEncoding("utf8");
    socket.write(bytes);
    const [answer] = await once(socket, "data");
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(problemSchema.parse(JSON.parse(answer.slice(answer.indexOf("{")))).reason).toBe("BODY_INVALID");
  });
});

describe("the end", () => {
  it("finishes the requests under way, says 503 on /readyz meanwhile, and closes the port", async () => {
    const arrived = gate();
    const release = gate();
    const setup = await startTestGateway(
      model({
        predict: async () => {
          arrived.open();
          await release.opened;
          return { logits: floats([1, 3], [0, 1, 3]) };
        },
      }),
    );
    const { port } = new URL(setup.gateway.url);
    const kept = connect(Number(port), "127.0.0.1").setEncoding("latin1");
    kept.write("GET /ping HTTP/1.1\r\nhost: x\r\n\r\n");
    await once(kept, "data");
    const underWay = predict(setup);
    await arrived.opened;
    // Sent half before the drain begins, so that this connection counts as busy.
    kept.write("GET /readyz HTTP/1.1\r\nhost: x\r\n");
    await (await fetch(setup.url("/ping"))).text();
    const drained = setup.gateway.drain(5000);
    kept.write("\r\n");
    const [answer] = await once(kept, "data");
    expect(answer).toMatch(/^HTTP\/1\.1 503/);
    expect(answer).toContain("DRAINING");
    release.open();
    expect((await underWay).response.status).toBe(200);
    await drained;
    await expect(fetch(setup.url("/ping"))).rejects.toThrow();
    setup.tier.stop();
  });

  it("with a wait, says that it is not ready and still answers on new connections, then ends", async () => {
    const setup = await startTestGateway(model(), { drainWaitMs: "1000" });
    const drained = setup.gateway.drain(5000);
    expect((await fetch(setup.url("/readyz"))).status).toBe(503);
    const { response } = await predict(setup);
    expect(response.status).toBe(200);
    expect(response.headers.get("connection")).toBe("close");
    await drained;
    await expect(fetch(setup.url("/ping"))).rejects.toThrow();
    setup.tier.stop();
  });

  it("cuts off what is still under way when the grace is over", async () => {
    const arrived = gate();
    const setup = await startTestGateway(
      model({
        predict: () => {
          arrived.open();
          return new Promise(() => {});
        },
      }),
    );
    const underWay = predict(setup).catch(() => "cut off");
    await arrived.opened;
    await setup.gateway.drain(50);
    expect(await underWay).toBe("cut off");
    setup.tier.stop();
  });

  it("a port that is taken is told as the system says it, and leaves nothing running", async () => {
    const host = await startHttpHost(() => {});
    closers.push(host.close);
    await expect(startTestGateway(model(), { port: String(host.port) })).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
  });

  it.runIf(process.platform === "linux")("a start that fails leaves no file watched", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "vitrine-keys-"));
    closers.push(() => rm(folder, { recursive: true }));
    const apiKeysFile = path.join(folder, "keys");
    await writeFile(apiKeysFile, `one ${"0".repeat(64)}\n`);
    const { ino } = await stat(folder);
    const isWatched = async () =>
      (await watchedInodes()).some((line) => line.includes(` ino:${ino.toString(16)} `));
    const setup = await startTestGateway(model(), { apiKeysFile });
    expect(await isWatched()).toBe(true);
    await setup.close();
    expect(await isWatched()).toBe(false);
    for (const wrong of [{ feedbackDir: apiKeysFile }, { tfServingCa: path.join(folder, "missing") }]) {
      await expect(startTestGateway(model(), { apiKeysFile, ...wrong })).rejects.toThrow(UsageError);
      expect(await isWatched()).toBe(false);
    }
  });
});

describe("the website", () => {
  it("is served with hashed assets for ever, pages asked for each time, and its own policy", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "vitrine-website-"));
    closers.push(() => rm(folder, { recursive: true }));
    await mkdir(path.join(folder, "assets"));
    const style = "body{margin:0}";
    await writeFile(
      path.join(folder, "index.html"),
      `<!doctype html><title>x</title><style>${style}</style>`,
    );
    await writeFile(path.join(folder, "assets", "main-abc123.js"), "export {};");
    await writeFile(path.join(folder, "assets", "main-abc123.js.gz"), gzipSync("export {};"));
    const setup = await start(model(), { website: folder });
    const page = await fetch(setup.url("/"));
    expect(await page.text()).toContain("<!doctype html>");
    expect(page.headers.get("cache-control")).toBe("no-cache");
    expect(page.headers.get("content-security-policy")).toContain(
      `style-src 'self' 'sha256-${createHash("sha256").update(style).digest("base64")}'`,
    );
    const asset = await fetch(setup.url("/assets/main-abc123.js"));
    expect(asset.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(asset.headers.get("content-type")).toMatch(/javascript/);
    expect(asset.headers.get("content-encoding")).toBe("gzip");
    expect(asset.headers.get("vary")).toContain("accept-encoding");
    expect(await asset.text()).toBe("export {};");
    const plain = await fetch(setup.url("/assets/main-abc123.js"), {
      headers: { "accept-encoding": "identity" },
    });
    expect(plain.headers.get("content-encoding")).toBeNull();
    expect((await fetch(setup.url("/assets/main-abc123.js.gz"))).status).toBe(404);
    expect((await fetch(setup.url("/assets/none.js"))).status).toBe(404);
    expect((await fetch(setup.url("/assets/main-abc123.js"), { method: "POST" })).status).toBe(405);
    await rm(path.join(folder, "assets", "main-abc123.js"));
    await rm(path.join(folder, "assets", "main-abc123.js.gz"));
    expect((await fetch(setup.url("/assets/main-abc123.js"))).status).toBe(404);
    expect((await fetch(setup.url("/%2e%2e/package.json"))).status).toBe(404);
    expect(LABELS).toHaveLength(3);
  });
});
