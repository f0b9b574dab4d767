import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { infoResponseSchema, predictResponseSchema } from "@vitrine/gateway/api";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { expectAccessible } from "./axe.js";
import { findBrowser, launchBrowser } from "./browser.js";
import { type PictureServer, startPictureServer } from "./picture-server.js";
import { DRAWING, PHOTOS, startUp } from "./vitrine.js";
import { expectAnnounced, openPage, tabTo, type WatchedPage } from "./website-page.js";
import { problemOf } from "./website-stub.js";

const SHIPPED = fileURLToPath(new URL("../../models/clothing-model/2", import.meta.url));

/** The shipped model under a contract that names no map, cuts the middle out, and takes pixels as they are stored. */
async function modelWithoutMap(atEnd: (end: () => void) => void): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "vitrine-explain-"));
  atEnd(() => void rm(folder, { recursive: true }));
  const base = path.join(folder, "clothing-model");
  const version = path.join(base, "1");
  await mkdir(version, { recursive: true });
  const read = async (name: string) => JSON.parse(await readFile(path.join(SHIPPED, name), "utf8"));
  const config = await read("config.json");
  delete config.vitrine.activation_map_output;
  const preprocessor = {
    ...(await read("preprocessor_config.json")),
    size: { shortest_edge: 256 },
    do_center_crop: true,
    crop_size: { height: 256, width: 256 },
    vitrine: { orientation: "ignore" },
  };
  await writeFile(path.join(version, "config.json"), JSON.stringify(config));
  await writeFile(path.join(version, "preprocessor_config.json"), JSON.stringify(preprocessor));
  await symlink(path.join(SHIPPED, "model.onnx"), path.join(version, "model.onnx"));
  return base;
}

/** Labels of the slider that sets the map's strength. */
const TITLES = { en: "Strength of the map", de: "Stärke der Karte", ar: "شدة الخريطة" };

const browserPath = findBrowser();

describe("explanations of both tiers", () => {
  const ends: (() => void)[] = [];
  const atEnd = (end: () => void) => void ends.push(end);
  /** Of the shipped model, and of one without a map. */
  let urls: { shipped: string; bare: string };
  let pictures: PictureServer;
  let browser: Browser | undefined;
  let watched: WatchedPage | undefined;

  beforeAll(async () => {
    const bare = await modelWithoutMap(atEnd);
    pictures = await startPictureServer(DRAWING, atEnd);
    const [shippedUp, bareUp] = await Promise.all([
      startUp([`--allow-image-host=${pictures.host}`], {}, atEnd),
      startUp([bare], {}, atEnd),
    ]);
    urls = { shipped: shippedUp.url, bare: bareUp.url };
    browser = browserPath === undefined ? undefined : await launchBrowser(browserPath);
  });

  afterAll(async () => {
    await browser?.close();
    for (const end of ends) end();
  });

  afterEach(async () => {
    expect(await watched?.misdeeds()).toEqual(watched === undefined ? undefined : []);
    await watched?.page.context().close();
    watched = undefined;
  });

  async function ask(url: string, query: string, file: string) {
    const body = await readFile(file);
    const headers = { "content-type": "image/jpeg" };
    const response = await fetch(`${url}/predict?${query}`, { method: "POST", body, headers });
    return predictResponseSchema.parse(await response.json());
  }

  it("/info says what explain=1 is answered by", async () => {
    const infoOf = async (url: string) => infoResponseSchema.parse(await (await fetch(`${url}/info`)).json());
    expect(await infoOf(urls.shipped)).toMatchObject({ explain: true, explain_by: "activation" });
    expect(await infoOf(urls.bare)).toMatchObject({ explain: true, explain_by: "occlusion" });
  });

  it("a model without a map is explained through plain Predict, and where the map lies is said", async () => {
    const { heatmap } = await ask(urls.bare, "explain=1", DRAWING);
    // Stored as 640 x 480 with EXIF orientation 6: the square is the middle of the stored picture.
    expect(heatmap).toMatchObject({ method: "occlusion", width: 7, height: 7, orientation: 6 });
    expect(heatmap?.area.x).toBeCloseTo(80 / 640, 2);
    expect(heatmap?.area).toMatchObject({ y: 0, height: 1 });
  });

  it.skipIf(PHOTOS === undefined)(
    "occlusion and the model's own map agree in where, over several photos",
    async () => {
      const correlations: number[] = [];
      for (const label of ["dress", "hat", "pants", "shoes", "shirt", "t-shirt"]) {
        const folder = path.join(PHOTOS ?? "", "validation", label);
        const [name = ""] = (await readdir(folder)).sort();
        const photo = path.join(folder, name);
        const own = await ask(urls.shipped, "explain=activation", photo);
        const hidden = await ask(urls.shipped, "explain=occlusion&explain_grid=8", photo);
        expect([own.heatmap?.width, hidden.heatmap?.width]).toEqual([8, 8]);
        correlations.push(correlationOf(own.heatmap?.values ?? [], hidden.heatmap?.values ?? []));
      }
      // 0.37 over 30 photos: the two ask different questions, but not of different places.
      expect(correlations.reduce((sum, each) => sum + each, 0) / correlations.length).toBeGreaterThan(0.15);
    },
  );

  describe.skipIf(browserPath === undefined)("on the page", () => {
    async function openAnswered(url: string, options: Parameters<typeof openPage>[2] = {}): Promise<Page> {
      if (browser === undefined) throw new Error("there is no browser");
      watched = await openPage(browser, url, options);
      const { page } = watched;
      await page.locator("#choose").setInputFiles(DRAWING);
      await page.locator("#why > details").waitFor();
      return page;
    }

    const why = (page: Page) => page.locator("#why");
    const how = (page: Page) => page.locator("#how");

    it("asks why only when the person does, by keyboard, and says where in words", async () => {
      const page = await openAnswered(urls.shipped);
      const asked: string[] = [];
      page.on("request", (request) => asked.push(new URL(request.url()).search));
      const summary = why(page).locator("summary");
      await tabTo(page, summary);
      expect(asked).toEqual([]);
      await page.keyboard.press("Enter");
      const sentence = why(page).locator("figcaption");
      await sentence.getByText(/What speaks for “.+”|No single part/).waitFor();
      expect(asked.filter((search) => search.includes("explain=1"))).toHaveLength(1);
      await expectAnnounced(page, /What speaks for|No single part/);
      expect(await summary.evaluate((element) => element === document.activeElement)).toBe(true);

      // Closed and opened again, it is still there.
      await page.keyboard.press("Enter");
      await page.keyboard.press("Enter");
      await sentence.waitFor();
      expect(asked.filter((search) => search.includes("explain=1"))).toHaveLength(1);

      // The map lies on the photo, and its strength is the person's.
      const map = why(page).locator("canvas");
      const [onPhoto, drawn] = await Promise.all([why(page).locator("img").boundingBox(), map.boundingBox()]);
      expect(drawn?.width).toBeCloseTo(onPhoto?.width ?? 0, 0);
      expect(drawn?.height).toBeCloseTo(onPhoto?.height ?? 0, 0);
      expect((drawn?.height ?? 0) / (drawn?.width ?? 1)).toBeCloseTo(640 / 480, 1);
      await page.getByLabel("Strength of the map").fill("25");
      expect(await map.evaluate((canvas) => getComputedStyle(canvas).opacity)).toBe("0.25");
    });

    it("tells how a photo was read: pictures, scores, milliseconds, and a text for support", async () => {
      const page = await openAnswered(urls.shipped, { permissions: ["clipboard-read", "clipboard-write"] });
      await how(page).locator("summary").click();
      await how(page)
        .getByRole("heading", { name: /What the model sees/ })
        .waitFor();
      const square = how(page).getByRole("img", { name: "The photo as the model sees it" });
      await expect
        .poll(() => square.evaluate((image) => (image instanceof HTMLImageElement ? image.naturalWidth : 0)))
        .toBe(256);
      await how(page).getByText("Phones store photos as the sensor lay").waitFor();
      expect(await how(page).getByRole("row").count()).toBeGreaterThan(20);
      await how(page).getByRole("rowheader", { name: "Network: to this site and back" }).waitFor();
      await how(page).getByRole("button", { name: "Copy as text" }).click();
      await how(page).getByText("Copied.").waitFor();
      const text = await page.evaluate(() => navigator.clipboard.readText());
      expect(text).toMatch(/^request: \S{8,}$/m);
      expect(text).toMatch(/^contract: sha256:[0-9a-f]{64}$/m);
      expect(text).toMatch(/^photo 1: jpeg, 640x480, \d+ bytes, EXIF orientation 6$/m);
      expect(text).toMatch(/^milliseconds: network [\d.]+, decode /m);
    });

    it("shows where the model without a map looked, upright, and what it does not see", async () => {
      const page = await openAnswered(urls.bare);
      await why(page).locator("summary").click();
      await why(page)
        .getByText(/49 parts of the photo were hidden/)
        .waitFor();
      await why(page).getByText("The model does not look at the hatched edges.").waitFor();
      // Cut off at the left and right of what is stored: at the top and the bottom of what is seen.
      const alphas = await why(page)
        .locator("canvas")
        .evaluate((canvas) => {
          if (!(canvas instanceof HTMLCanvasElement)) return [];
          const context = canvas.getContext("2d");
          const alphaAt = (x: number, y: number) =>
            context
              ?.getImageData(x * canvas.width, y * canvas.height, 1, 1)
              .data.slice(0, 3)
              .join() ?? "";
          return [alphaAt(0.31, 0.04), alphaAt(0.31, 0.96), alphaAt(0.02, 0.5)];
        });
      const hatch = /^(0,0,0|2[0-9]{2},2[0-9]{2},2[0-9]{2}|(\d+),\2,\2)$/;
      expect(alphas[0]).toMatch(hatch);
      expect(alphas[1]).toMatch(hatch);
      expect(alphas[2]).not.toMatch(hatch);
      await how(page).locator("summary").click();
      await how(page).getByText("the pixels stay as they are stored").waitFor();
    });

    it("shows a linked photo through the gateway, and the time that fetching it took", async () => {
      if (browser === undefined) throw new Error("there is no browser");
      watched = await openPage(browser, urls.shipped);
      const { page } = watched;
      await page.locator("#link").fill(pictures.url);
      await page.keyboard.press("Enter");
      await why(page).locator("summary").click();
      await why(page).locator("figcaption").waitFor();
      const photo = why(page).locator("img");
      await expect
        .poll(() => photo.evaluate((image) => (image instanceof HTMLImageElement ? image.naturalHeight : 0)))
        .toBe(640);
      await how(page).locator("summary").click();
      await how(page).getByRole("rowheader", { name: "Fetching the linked photo" }).waitFor();
    });

    it("can be waited for, cancelled, and tried again", async () => {
      const page = await openAnswered(urls.shipped);
      let answerWith: "nothing" | "fault" | "truth" = "nothing";
      await page.route(/explain=1/, async (route) => {
        if (answerWith === "truth") await route.continue();
        else if (answerWith === "fault") {
          const body = JSON.stringify(problemOf(503, "MODEL_UNAVAILABLE"));
          await route.fulfill({ status: 503, contentType: "application/problem+json", body });
        }
      });
      const summary = why(page).locator("summary");
      await summary.click();
      await expectAnnounced(page, "Looking for the evidence in the photo.");
      await why(page).getByRole("progressbar").waitFor();
      await expectAccessible(page);
      const gone = page.waitForEvent("requestfailed");
      await why(page).getByRole("button", { name: "Cancel" }).click();
      await gone;
      expect(await why(page).locator("details").getAttribute("open")).toBeNull();
      expect(await summary.evaluate((element) => element === document.activeElement)).toBe(true);

      answerWith = "fault";
      await summary.click();
      await why(page).getByText("The reader is starting again").waitFor();
      await expectAccessible(page);
      answerWith = "truth";
      await why(page).getByRole("button", { name: "Try again" }).click();
      await why(page).locator("figcaption").waitFor();
    });

    it("forgets what it said when another item is given", async () => {
      const page = await openAnswered(urls.shipped);
      await how(page).locator("summary").click();
      await how(page).locator("ol").waitFor();
      await page.locator("#choose").setInputFiles(DRAWING);
      await page.locator("#where-another:visible, #how > details:not([open])").first().waitFor();
      const another = page.locator("#where-another");
      if (await another.isVisible()) await another.click();
      await how(page).locator("details:not([open])").waitFor();
      expect(await how(page).locator("ol").count()).toBe(0);
    });

    it.each([
      ["en", "light", 1280],
      ["en", "dark", 320],
      ["de", "light", 320],
      ["ar", "dark", 1280],
      ["ar", "light", 320],
    ] as const)("keeps to the rules in %s, %s, at %i px", async (lang, colorScheme, width) => {
      const page = await openAnswered(urls.shipped, {
        colorScheme,
        viewport: { width, height: 800 },
      });
      await why(page).locator("summary").click();
      await why(page).locator("figcaption").waitFor();
      await how(page).locator("summary").click();
      await how(page).locator("ol").waitFor();
      // What is shown already is said anew.
      await page.locator("#language").selectOption(lang);
      await why(page).getByText(TITLES[lang]).waitFor();
      await expectAccessible(page);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      expect(await page.evaluate(() => document.documentElement.lang)).toBe(lang);
      // The picture keeps its left and right, and the map stays on it.
      const [photo, map] = await Promise.all([
        why(page).locator("img").boundingBox(),
        why(page).locator("canvas").boundingBox(),
      ]);
      expect(map?.x).toBeCloseTo(photo?.x ?? -1, 0);
      const unmirrored = await why(page)
        .locator(".why-frame")
        .evaluate((frame) => getComputedStyle(frame).direction);
      expect(unmirrored).toBe("ltr");
    });
  });
});

function correlationOf(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [both, onlyA, onlyB] = [0, 0, 0];
  for (const [index, value] of a.entries()) {
    const [x, y] = [value - meanA, (b[index] ?? 0) - meanB];
    both += x * y;
    onlyA += x * x;
    onlyB += y * y;
  }
  return both / Math.sqrt(onlyA * onlyB || 1);
}
