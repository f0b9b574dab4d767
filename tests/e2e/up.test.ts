import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { finished } from "node:stream/promises";
import { predictResponseSchema, problemSchema } from "@vitrine/gateway/api";
import { expect, onTestFinished, test } from "vitest";
import { startPictureServer } from "./picture-server.js";
import { DRAWING, PHOTOS, startUp, startVitrine, type UpProcess } from "./vitrine.js";

async function upload(url: string, file: string): Promise<Response> {
  const body = await readFile(file);
  return await fetch(`${url}/predict`, { method: "POST", body, headers: { "content-type": "image/jpeg" } });
}

async function predictUrl(url: string, picture: string): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return await fetch(`${url}/predict`, { method: "POST", body: JSON.stringify({ url: picture }), headers });
}

/** Uploads again and again from several clients until told to stop; keeps each status. */
function startLoad(url: string) {
  const statuses: number[] = [];
  let lostConnections = 0;
  let loading = true;
  const waiting = new Set<{ status: number; resolve: () => void }>();
  const client = async (): Promise<void> => {
    while (loading) {
      try {
        const response = await upload(url, DRAWING);
        const text = await response.text();
        if (response.status !== 200) problemSchema.parse(JSON.parse(text));
        statuses.push(response.status);
        for (const wish of waiting) if (wish.status === response.status) wish.resolve();
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        lostConnections++;
        // The gateway itself is away; give the others the thread.
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  };
  const clients = Array.from({ length: 4 }, client);
  return {
    statuses,
    lostConnections: () => lostConnections,
    /** Resolves when an answer with this status comes in from here on. */
    answers: (status: number) => new Promise<void>((resolve) => waiting.add({ status, resolve })),
    async stop() {
      loading = false;
      await Promise.all(clients);
    },
  };
}

async function expectAnswer(up: UpProcess): Promise<void> {
  const response = await upload(up.url, DRAWING);
  expect(response.status).toBe(200);
  const answer = predictResponseSchema.parse(await response.json());
  const probabilities = Object.values(answer.predictions);
  expect(probabilities).toHaveLength(10);
  expect(probabilities.reduce((sum, probability) => sum + probability, 0)).toBeCloseTo(1, 9);
  expect(answer.predictions[answer.top_class]).toBe(answer.top_probability);
  expect(answer.model.name).toBe("clothing-model");
}

test("up answers an uploaded picture and one by its link, and Ctrl-C ends it with 0", async () => {
  const pictures = await startPictureServer(DRAWING);
  const up = await startUp([`--allow-image-host=${pictures.host}`]);
  expect(up.stdout()).toBe(`ready ${up.url}\n`);
  await expectAnswer(up);

  const byLink = await predictUrl(up.url, pictures.url);
  expect(byLink.status).toBe(200);
  const uploaded = predictResponseSchema.parse(await (await upload(up.url, DRAWING)).json());
  expect(predictResponseSchema.parse(await byLink.json()).predictions).toEqual(uploaded.predictions);

  up.child.kill("SIGINT");
  expect(await up.ended).toBe(0);
  await expect(fetch(`${up.url}/livez`)).rejects.toThrow();
});

test("up serves the website", async () => {
  const up = await startUp();
  const page = await fetch(up.url);
  expect(page.headers.get("content-type")).toContain("text/html");
  expect(await page.text()).toContain("<script");
});

test("an admin port in the environment is the gateway's", async () => {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  const { url } = await startUp(["--log-level=warn"], { ADMIN_PORT: String(port) });
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(metrics).toContain("vitrine_gateway_requests_total");
  expect((await fetch(`${url}/metrics`)).status).toBe(404);
});

test("a model server killed under load costs 503s, and the gateway recovers by itself", async () => {
  const up = await startUp(["--log-level=warn"]);
  const load = startLoad(up.url);
  await load.answers(200);
  process.kill(await up.processOf("model server"), "SIGKILL");
  await load.answers(503);
  await up.says(/model server is back/);
  await load.answers(200);
  await load.stop();
  expect([...new Set(load.statuses)].sort()).toEqual([200, 503]);
  expect(load.lostConnections()).toBe(0);
  expect(up.stderr()).not.toMatch(/gateway was killed|gateway ended/);
  await expectAnswer(up);
});

test("a gateway killed under load is started again where it was", async () => {
  const up = await startUp(["--log-level=warn"]);
  const load = startLoad(up.url);
  await load.answers(200);
  const first = await up.processOf("gateway");
  process.kill(first, "SIGKILL");
  await up.says(/gateway is back/);
  await load.answers(200);
  await load.stop();
  expect(await up.processOf("gateway", 1)).not.toBe(first);
  expect(up.stdout()).toBe(`ready ${up.url}\n`);
  await expectAnswer(up);
});

test("SIGTERM lets the request under way finish, then both tiers end, the gateway first", async () => {
  const pictures = await startPictureServer(DRAWING);
  const up = await startUp([`--allow-image-host=${pictures.host}`]);
  const asked = pictures.slowAsked();
  const answer = predictUrl(up.url, pictures.slowUrl);
  const release = await asked;
  up.child.kill("SIGTERM");
  await up.says(/gateway drains/);
  release();
  expect((await answer).status).toBe(200);
  expect(await up.ended).toBe(0);
  expect(up.stderr()).toMatch(/gateway drains[\s\S]*model server drains/);
});

test("the tiers do not outlive an up that was killed", async () => {
  const up = await startUp();
  const gateway = connect(Number(new URL(up.url).port), "127.0.0.1");
  const [, grpcPort] = await up.says(/listens on grpc:\/\/127\.0\.0\.1:(\d+)/);
  const modelServer = connect(Number(grpcPort), "127.0.0.1");
  await Promise.all([once(gateway, "connect"), once(modelServer, "connect")]);
  // A reset is an end, too.
  const closed = Promise.all(
    [gateway, modelServer].map((socket) => finished(socket.resume()).catch(() => {})),
  );
  up.child.kill("SIGKILL");
  await closed;
  await expect(fetch(`${up.url}/livez`)).rejects.toThrow();
});

test("a model that cannot be loaded ends up with 1 and the model server's words", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "vitrine-up-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await mkdir(path.join(folder, "1"));
  await writeFile(path.join(folder, "1", "model.onnx"), "nonsense");
  const up = startVitrine(["up", folder, "--port=0", "--grpc-port=0", "--rest-port=0"]);
  expect(await up.ended).toBe(1);
  expect(up.stderr()).toMatch(
    /the model server ended with exit code 1 before it was ready\. Its last words:\n {4}/,
  );
  expect(up.stderr()).toContain("Protobuf parsing failed");
});

test.runIf(PHOTOS !== undefined)("real photos are given their category", async () => {
  const validation = path.join(PHOTOS ?? "", "validation");
  const up = await startUp(["--log-level=warn"]);
  let right = 0;
  let total = 0;
  for (const label of await readdir(validation)) {
    const photos = (await readdir(path.join(validation, label))).sort().slice(0, 5);
    for (const photo of photos) {
      const response = await upload(up.url, path.join(validation, label, photo));
      const answer = predictResponseSchema.parse(await response.json());
      total++;
      if (answer.top_class === label) right++;
    }
  }
  expect(total).toBe(50);
  // The accuracy itself is what training measures; here a mix-up of labels, channels or sizes would show.
  expect(right).toBeGreaterThan(30);
});

test("the gateway is asked under the names that --allowed-host gives, and under no other site's", async () => {
  const up = await startUp(["--allowed-host", "demo.example"]);
  expect(await statusUnder(up.url, "demo.example")).toBe(200);
  expect(await statusUnder(up.url, "localhost:9696")).toBe(200);
  expect(await statusUnder(up.url, "evil.example")).toBe(421);
});

/** Of `GET /`, with the name in its header Host. */
async function statusUnder(url: string, host: string): Promise<number | undefined> {
  const [response] = await once(get(url, { headers: { host } }), "response");
  response.resume();
  return response.statusCode;
}
