import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { findBrowser, launchBrowser } from "./browser.js";
import type { WatchedPage } from "./website-page.js";
import { expectAnnounced, expectHeading, expectRoomyLayout, headingOf, openPage } from "./website-page.js";
import { answerOf, json, type PredictHandler, problemOf, StubGateway } from "./website-stub.js";

const SITE = path.join(import.meta.dirname, "../../website/dist");
const TROUSERS = path.join(import.meta.dirname, "pictures/trousers.jpg");

const answered = json(200, answerOf({ pants: 0.97, shorts: 0.02, skirt: 0.004 }));
const busy = json(429, problemOf(429, "OVERLOADED"), { "retry-after": "30" });
const silent: PredictHandler = () => {};

/** Lends a file of some size whose name is that of a photo. */
async function writeLarge(bytes: number, use: (file: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "vitrine-"));
  const file = path.join(folder, "large.jpg");
  await writeFile(file, Buffer.alloc(bytes));
  await use(file);
  await rm(folder, { recursive: true });
}

const browserPath = findBrowser();

it("the script is smaller than 20 KB when compressed", async () => {
  const assets = path.join(SITE, "assets");
  const scripts = (await readdir(assets)).filter((name) => name.endsWith(".js"));
  const sizes = await Promise.all(
    scripts.map(async (name) => gzipSync(await readFile(path.join(assets, name))).byteLength),
  );
  expect(sizes.length).toBeGreaterThan(0);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(20_000);
});

describe.skipIf(browserPath === undefined)("the page in states that a test has to arrange", () => {
  const gateway = new StubGateway(SITE);
  let browser: Browser;
  let url: string;
  let watched: WatchedPage;
  let page: Page;

  async function open(options: BrowserContextOptions = {}): Promise<void> {
    watched = await openPage(browser, url, options);
    page = watched.page;
  }

  async function give(handler: PredictHandler, file = TROUSERS): Promise<void> {
    gateway.onPredict = handler;
    await page.getByLabel("Choose a photo").setInputFiles(file);
  }

  beforeAll(async () => {
    browser = await launchBrowser(browserPath ?? "");
    url = await gateway.listen();
  });

  afterAll(async () => {
    await browser?.close();
    await gateway.close();
  });

  beforeEach(() => {
    gateway.requests.length = 0;
  });

  afterEach(async () => {
    expect(await watched.misdeeds()).toEqual([]);
    await page.context().close();
  });

  it("a busy gateway: says when to try again, keeps the photo, and reads it on the next try", async () => {
    await open();
    await page.clock.install();
    await give(busy);
    await expectHeading(page, "Many photos are being read");
    await expectAnnounced(page, "Try again in about 30 seconds.");
    await page.getByRole("img", { name: "Your photo" }).waitFor();

    await page.clock.fastForward(30_000);
    await expectAnnounced(page, "You can try again now.");
    gateway.onPredict = answered;
    await page.getByRole("button", { name: "Try again" }).click();
    await expectHeading(page, "pants");
    expect(gateway.requests).toHaveLength(2);
    expect(gateway.requests[1]?.body.byteLength).toBe(gateway.requests[0]?.body.byteLength);
  });

  it("an unsure answer asks, and gives all three the same weight", async () => {
    await open();
    await give(json(200, answerOf({ longsleeve: 0.41, shirt: 0.33, "t-shirt": 0.18 }, true)));
    await expectHeading(page, "longsleeve?");
    await expectAnnounced(page, "Not sure. It could be longsleeve, 41%, shirt, 33% or t-shirt, 18%.");
    await page.getByText("Which of these is it?").waitFor();
    expect(await page.getByRole("listitem").count()).toBe(3);
    expect(await page.getByText("certain").count()).toBe(0);
  });

  it("a slow answer: says so, and Cancel keeps the photo for another try", async () => {
    await open();
    await page.clock.install();
    await give(silent);
    await expectHeading(page, "Reading the photo");
    await page.getByRole("progressbar").waitFor();
    await page.clock.fastForward(4_000);
    await expectAnnounced(page, "This is slower than usual.");

    await page.getByRole("button", { name: "Cancel" }).click();
    await expectHeading(page, "Stopped");
    gateway.onPredict = answered;
    await page.getByRole("button", { name: "Try again" }).click();
    await expectHeading(page, "pants");
  });

  it("an upload shows how much has been sent", async () => {
    await open();
    const network = await page.context().newCDPSession(page);
    await network.send("Network.enable");
    await network.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput: 1024 * 1024,
    });
    await writeLarge(2 * 1024 * 1024, async (large) => {
      await give(answered, large);
      await expectHeading(page, "Sending the photo");
      await page.waitForFunction(() => {
        const share = document.querySelector("progress")?.value ?? 0;
        return share > 0 && share < 1;
      });
      await expectHeading(page, "pants");
    });
  });

  it("a connection on which nothing moves is given up", async () => {
    await open();
    await page.clock.install();
    await give(silent);
    await expectHeading(page, "Reading the photo");
    await page.clock.fastForward(30_000);
    await expectHeading(page, "The connection is too slow");
  });

  it("another photo takes the place of one that is being read", async () => {
    await open();
    await give(silent);
    await expectHeading(page, "Reading the photo");
    gateway.onPredict = json(200, answerOf({ hat: 0.9, dress: 0.1 }));
    await page.evaluate(() => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", "https://example.com/hat.jpg");
      document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
    });
    await expectHeading(page, "hat");
  });

  it("without network: says so, keeps the photo, and notices when it is back", async () => {
    await open();
    await page.context().setOffline(true);
    await give(answered);
    await expectHeading(page, "You are offline");
    await page.context().setOffline(false);
    await expectAnnounced(page, "You can try again now.");
    await page.getByRole("button", { name: "Try again" }).click();
    await expectHeading(page, "pants");
  });

  it("a connection that breaks off says that the server cannot be reached", async () => {
    await open();
    await give((_request, response) => {
      response.destroy();
    });
    await expectHeading(page, "The server cannot be reached");
  });

  it.each([
    [413, "IMAGE_TOO_MANY_PIXELS", "This photo has too many pixels", "50 megapixels"],
    [415, "IMAGE_TYPE_UNSUPPORTED", "This kind of file cannot be read", "JPEG, PNG, WebP or GIF"],
    [400, "IMAGE_UNDECODABLE", "This picture is damaged", "choose another photo"],
    [503, "MODEL_UNAVAILABLE", "The reader is starting again", "Your photo is kept"],
    [504, "DEADLINE_EXCEEDED", "This took too long", "Your photo is kept"],
    [500, "INTERNAL", "Something went wrong on this site", "not your photo"],
  ])("%i %s is said in words", async (status, reason, title, text) => {
    await open();
    await give(json(status, problemOf(status, reason)));
    await expectHeading(page, title);
    await expectAnnounced(page, text);
    expect(await page.locator("main").textContent()).not.toContain(reason);
  });

  it.each([
    ["IMAGE_URL_INVALID", "This link cannot be used"],
    ["IMAGE_URL_FORBIDDEN", "This link cannot be opened from here"],
    ["IMAGE_URL_FAILED", "The link gave no picture"],
    ["IMAGE_URL_TIMEOUT", "The link is too slow"],
  ])("%s is said in words, and the link stays to be mended", async (reason, title) => {
    await open();
    gateway.onPredict = json(400, problemOf(400, reason));
    await page.getByLabel("Or a link to a photo").fill("https://example.com/a.jpg");
    await page.getByRole("button", { name: "Read it" }).click();
    await expectHeading(page, title);
    expect(await page.getByLabel("Or a link to a photo").inputValue()).toBe("https://example.com/a.jpg");
  });

  it("a file over the limit is refused before anything is sent", async () => {
    await open();
    await writeLarge(11 * 1024 * 1024, (large) => give(answered, large));
    await expectHeading(page, "This photo is too large");
    await expectAnnounced(page, "It has 11 MB. Photos of up to 10 MB can be read.");
    expect(gateway.requests).toHaveLength(0);
  });

  it("what is typed and is no link is marked at the field, and the focus stays there", async () => {
    await open();
    const link = page.getByLabel("Or a link to a photo");
    await link.fill("trousers");
    await link.press("Enter");
    await page.locator("#link-error").getByText("This is not a link.").waitFor();
    expect(await link.getAttribute("aria-invalid")).toBe("true");
    expect(await link.evaluate((element) => element === document.activeElement)).toBe(true);
    expect(gateway.requests).toHaveLength(0);
  });

  it("a label cannot smuggle markup into the page", async () => {
    await open();
    await give(json(200, answerOf({ "<img src=x onerror=alert(1)>": 0.97, b: 0.02 })));
    await expectHeading(page, "<img src=x onerror=alert(1)>");
    expect(await headingOf(page).locator("img").count()).toBe(0);
  });

  it("at 400 % zoom the answer is scrolled into view", async () => {
    await open({ viewport: { width: 320, height: 256 } });
    await give(answered);
    await expectHeading(page, "pants");
    // The picture takes its room when it is decoded, before or after the answer.
    await page.waitForFunction(() => {
      const verdict = document.querySelector("#verdict")?.getBoundingClientRect();
      const picture = document.querySelector("img");
      return picture?.complete && verdict && verdict.top > 0 && verdict.bottom <= window.innerHeight;
    });
  });

  describe.each([320, 768, 1440])("at %i px", (width) => {
    it.each(["light", "dark"] as const)(
      "%s: every state fits, and its targets are large enough",
      async (colorScheme) => {
        await open({
          viewport: { width, height: 640 },
          colorScheme,
          hasTouch: true,
          isMobile: width === 320,
        });
        await expectRoomyLayout(page);
        await give(busy);
        await expectHeading(page, "Many photos are being read");
        await expectRoomyLayout(page);
        await give(json(200, answerOf({ longsleeve: 0.41, shirt: 0.33, "t-shirt": 0.18 }, true)));
        await expectHeading(page, "longsleeve?");
        await expectRoomyLayout(page);
        const heading = await headingOf(page).boundingBox();
        expect((heading?.y ?? Number.NaN) + (heading?.height ?? 0)).toBeLessThan(640);
      },
    );
  });
});
