/// <reference lib="dom" />
/**
 * What shrinking a photo in the browser saves, and what it costs: bytes sent and time to the answer of a photo of 12 megapixels
 * on throttled uplinks, by turns with and without it, on the real page in Chromium over both tiers; and whether the
 * top category stays that of the original, for every validation photo, at each JPEG quality.
 *
 * Validation photos are 400 px wide, less than any browser would shrink. They are enlarged first, with grain, so that
 * the file is about as large as a phone's.
 */
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import sharp from "sharp";
import { smallPhotos } from "./harness/photos.js";
import { startVitrine } from "./harness/processes.js";
import { median, percentile } from "./harness/statistics.js";

const QUALITIES = [0.8, 0.85, 0.92] as const;
/** The page's: SHRINK_QUALITY of website/src/upload/shrink.ts. */
const PAGE_QUALITY = 0.85;
/** Shorter edge of the pictures whose answers are compared, and of those whose time is measured. */
const COMPARED_EDGE = 1200;
const PHONE_EDGE = 3000;
/** 0 leaves that part out. */
const MOST_COMPARED = Number(process.env.VITRINE_BENCH_PHOTOS ?? 400);
const UPLINKS = [
  { name: "1 Mbit/s up, 150 ms", bytesPerSecond: 125_000, latencyMs: 150 },
  { name: "5 Mbit/s up, 60 ms", bytesPerSecond: 625_000, latencyMs: 60 },
  { name: "50 Mbit/s up, 10 ms", bytesPerSecond: 6_250_000, latencyMs: 10 },
] as const;
const ROUNDS = 3;
const MODEL = fileURLToPath(new URL("../../models/clothing-model", import.meta.url));
const WEBSITE = fileURLToPath(new URL("../../website/dist", import.meta.url));

const program = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const executablePath = process.env.VITRINE_CHROMIUM ?? program;
if (executablePath === undefined) {
  console.log("page: no Chromium was found; VITRINE_CHROMIUM names one");
  process.exit(0);
}

/** Noise as of a camera's sensor, without which an enlarged photo is a small file. */
const GRAIN = await sharp({
  create: {
    width: 256,
    height: 256,
    channels: 3,
    background: "#808080",
    noise: { type: "gaussian", mean: 128, sigma: 16 },
  },
})
  .png()
  .toBuffer();

// A copy, so that a build meanwhile does not take the files away that are being measured.
const website = await mkdtemp(path.join(tmpdir(), "vitrine-page-"));
await cp(WEBSITE, website, { recursive: true });
const server = await startVitrine([
  "serve",
  `--model-base-path=${MODEL}`,
  "--port=auto",
  "--rest-api-port=0",
  "--host=127.0.0.1",
]);
const grpc = /grpc:\/\/(\S+)/.exec(server.ready)?.[1] ?? "";
const gateway = await startVitrine([
  "gateway",
  "--host=127.0.0.1",
  "--port=0",
  `--tf-serving-host=${grpc}`,
  `--website=${website}`,
]);
const browser = await chromium.launch({
  executablePath,
  chromiumSandbox: process.getuid?.() !== 0,
  args: ["--disable-gpu"],
});
try {
  if (MOST_COMPARED > 0) await compareAnswers(browser, gateway.ready);
  await compareUploads(browser, gateway.ready);
} finally {
  await browser.close();
  await gateway.stop();
  await server.stop();
  await rm(website, { recursive: true });
}

/** A photo as large as a camera would have taken it. */
async function enlarged(photo: Uint8Array, shorterEdge: number): Promise<Buffer> {
  const large = sharp(photo).resize({
    width: shorterEdge,
    height: shorterEdge,
    fit: "outside",
    kernel: "lanczos3",
  });
  const { data, info } = await large
    .removeAlpha()
    .toColourspace("srgb")
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  return await sharp(data, { raw: { width, height, channels: 3 } })
    .composite([{ input: GRAIN, blend: "soft-light", tile: true }])
    .jpeg({ quality: 92 })
    .toBuffer();
}

/** What is read of an answer. */
interface PageAnswer {
  readonly top_class: string;
  readonly predictions: Readonly<Record<string, number>>;
}

interface Compared {
  readonly original: string;
  readonly originalBytes: number;
  readonly probability: number;
  readonly shrunk: readonly { readonly top: string; readonly probability: number; readonly bytes: number }[];
}

async function compareAnswers(chromiumBrowser: Browser, url: string): Promise<void> {
  const { name, photos } = await smallPhotos(MOST_COMPARED);
  const worker = (await readdir(path.join(WEBSITE, "assets"))).find((file) =>
    file.startsWith("shrink-worker"),
  );
  if (worker === undefined) throw new Error("website/dist has no shrink-worker, expected a built website");
  // The page's policy lets in no script of a benchmark; the worker is the page's own.
  const context = await chromiumBrowser.newContext({ bypassCSP: true });
  const page = await context.newPage();
  let current: Buffer = Buffer.alloc(0);
  await page.route("**/bench-photo", (route) => route.fulfill({ contentType: "image/jpeg", body: current }));
  await page.goto(url);
  const results: Compared[] = [];
  for (const photo of photos) {
    current = await enlarged(photo, COMPARED_EDGE);
    results.push(await compareOne(page, `/assets/${worker}`));
  }
  await context.close();
  console.log(
    `page, top category of ${name} (enlarged to ${COMPARED_EDGE} px), shrunk in the browser to 768 px:`,
  );
  for (const [index, quality] of QUALITIES.entries()) {
    const pairs = results.map((result) => ({ result, shrunk: result.shrunk[index] }));
    const same = pairs.filter(({ result, shrunk }) => shrunk?.top === result.original);
    const apart = pairs.map(({ result, shrunk }) =>
      Math.abs((shrunk?.probability ?? 0) - result.probability),
    );
    const sure = pairs.filter(({ result }) => result.probability >= 0.6);
    const sureSame = sure.filter(({ result, shrunk }) => shrunk?.top === result.original);
    const bytes = pairs.map(({ shrunk }) => shrunk?.bytes ?? 0);
    console.log(
      `  quality ${quality}${quality === PAGE_QUALITY ? " (the page's)" : ""}: ${same.length} of ${pairs.length} the same, ` +
        `${sureSame.length} of ${sure.length} of those of at least 60 %; ` +
        `probability apart by ${percentile(apart, 0.5).toFixed(4)} (median), ${percentile(apart, 0.95).toFixed(3)} (p95); ` +
        `${(median(bytes) / 1000).toFixed(0)} KB of ${(median(results.map(({ originalBytes }) => originalBytes)) / 1000).toFixed(0)} KB`,
    );
  }
}

async function compareOne(page: Page, worker: string): Promise<Compared> {
  return await page.evaluate(
    async ({ worker: workerUrl, qualities }): Promise<Compared> => {
      const photo = await (await fetch("/bench-photo")).blob();
      const ask = async (body: Blob) => {
        const response = await fetch("/predict", {
          method: "POST",
          body,
          headers: { "content-type": "image/jpeg" },
        });
        const answer = (await response.json()) as PageAnswer;
        return { top: answer.top_class, predictions: answer.predictions, bytes: body.size };
      };
      const thread = new Worker(workerUrl, { type: "module" });
      const shrink = (quality: number) =>
        new Promise<Blob>((resolve, reject) => {
          thread.onmessage = ({ data }) =>
            data.photo === undefined ? reject(new Error("the photo was not shrunk")) : resolve(data.photo);
          thread.onerror = () => reject(new Error("the worker failed"));
          const options = { leastEdge: 768, mustConvert: false, orientation: "exif", quality };
          thread.postMessage({ id: 1, photo, options });
        });
      const original = await ask(photo);
      const shrunk = [];
      for (const quality of qualities) {
        const { top, predictions, bytes } = await ask(await shrink(quality));
        shrunk.push({ top, probability: Number(predictions[original.top]), bytes });
      }
      thread.terminate();
      return {
        original: original.top,
        originalBytes: photo.size,
        probability: Number(original.predictions[original.top]),
        shrunk,
      };
    },
    { worker, qualities: QUALITIES },
  );
}

/** The page as a person uses it, from the choice of the file to the answer's heading. */
async function compareUploads(chromiumBrowser: Browser, url: string): Promise<void> {
  const { photos } = await smallPhotos(ROUNDS);
  const large = await Promise.all(photos.map((photo) => enlarged(photo, PHONE_EDGE)));
  const { width = 0, height = 0 } = await sharp(large[0]).metadata();
  console.log(
    `page, a photo of ${((width * height) / 1e6).toFixed(0)} megapixels, ${ROUNDS} rounds by turns, medians:`,
  );
  for (const uplink of UPLINKS) {
    const [shrunk, whole]: [Upload[], Upload[]] = [[], []];
    for (const photo of large) {
      shrunk.push(await uploadOnce(chromiumBrowser, url, photo, uplink, true));
      whole.push(await uploadOnce(chromiumBrowser, url, photo, uplink, false));
    }
    const of = (uploads: readonly Upload[], key: keyof Upload) =>
      median(uploads.map((upload) => upload[key]));
    console.log(
      `  ${uplink.name}: shrunk ${(of(shrunk, "bytes") / 1000).toFixed(0)} KB, ${(of(shrunk, "ms") / 1000).toFixed(1)} s; ` +
        `as it is ${(of(whole, "bytes") / 1000).toFixed(0)} KB, ${(of(whole, "ms") / 1000).toFixed(1)} s; ` +
        `ratio of bytes ${(of(shrunk, "bytes") / of(whole, "bytes")).toFixed(3)}, of time ${(of(shrunk, "ms") / of(whole, "ms")).toFixed(2)}`,
    );
  }
}

interface Upload {
  readonly bytes: number;
  readonly ms: number;
}

async function uploadOnce(
  chromiumBrowser: Browser,
  url: string,
  photo: Buffer,
  uplink: (typeof UPLINKS)[number],
  shrinks: boolean,
): Promise<Upload> {
  const context = await chromiumBrowser.newContext();
  const page = await context.newPage();
  if (!shrinks) {
    await page.route("**/info", async (route) => {
      const response = await route.fetch();
      const info = await response.json();
      await route.fulfill({ response, json: { ...info, shrink: { keeps_answer: false, least_edge: null } } });
    });
  }
  await page.goto(url);
  await page.locator("#limits").getByText(/\d/).waitFor();
  const session = await context.newCDPSession(page);
  await session.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: uplink.latencyMs,
    uploadThroughput: uplink.bytesPerSecond,
    downloadThroughput: 4 * uplink.bytesPerSecond,
  });
  const sent = page.waitForRequest((request) => request.method() === "POST", { timeout: 180_000 });
  const answered = page.waitForResponse((response) => response.request().method() === "POST", {
    timeout: 180_000,
  });
  const startedAt = performance.now();
  await page.locator("#choose").setInputFiles({ name: "photo.jpg", mimeType: "image/jpeg", buffer: photo });
  const response = await answered;
  await response.finished();
  await page.locator("#how").waitFor({ state: "attached" });
  const ms = performance.now() - startedAt;
  // The browser does not tell the length of a request while another one is intercepted; the photo is all but all of it.
  const bytes = Number((await (await sent).allHeaders())["content-length"] ?? photo.byteLength);
  if (response.status() !== 200) throw new Error(`the page's photo was answered ${response.status()}`);
  await context.close();
  return { bytes, ms };
}
