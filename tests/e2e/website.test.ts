import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { findBrowser, launchBrowser, NO_BROWSER } from "./browser.js";
import type { WatchedPage } from "./website-page.js";
import {
  dropFiles,
  expectAnnounced,
  expectHeading,
  expectRoomyLayout,
  openPage,
  tabTo,
} from "./website-page.js";
import { StubGateway } from "./website-stub.js";

const SITE = path.join(import.meta.dirname, "../../website/dist");
/** 480 x 640 as seen, stored as 640 x 480 with EXIF orientation 6. */
const TROUSERS = path.join(import.meta.dirname, "pictures/trousers.jpg");

const browserPath = findBrowser();
if (browserPath === undefined) {
  process.stderr.write(`${NO_BROWSER}\n`);
}

describe.skipIf(browserPath === undefined)("the page and both tiers", () => {
  const gateway = new StubGateway(SITE);
  let browser: Browser;
  let url: string;
  let watched: WatchedPage;
  let page: Page;

  beforeAll(async () => {
    browser = await launchBrowser(browserPath ?? "");
    url = await gateway.listen();
  });

  afterAll(async () => {
    await browser?.close();
    await gateway.close();
  });

  beforeEach(async () => {
    watched = await openPage(browser, url, { permissions: ["clipboard-read", "clipboard-write"] });
    page = watched.page;
  });

  afterEach(async () => {
    expect(await watched.misdeeds()).toEqual([]);
    await page.context().close();
  });

  it("a chosen file is shown upright, with category, certainty and the next two", async () => {
    await page.getByLabel("Choose a photo").setInputFiles(TROUSERS);
    await expectHeading(page, "pants");
    await expectAnnounced(page, "pants. Almost certain, 97%.");
    expect(await page.locator("#verdict").textContent()).toBe("Almost certain 97%");
    expect(await page.getByRole("listitem").allTextContents()).toEqual(["shorts 2%", "skirt under 1%"]);
    const picture = page.getByRole("img", { name: "Your photo: pants" });
    const shown = await picture.evaluate((img) => ({ width: img.clientWidth, height: img.clientHeight }));
    expect(shown.height / shown.width).toBeCloseTo(640 / 480, 1);
  });

  it("a photo dropped anywhere is read", async () => {
    await dropFiles(page, [TROUSERS]);
    await expectHeading(page, "pants");
  });

  it("of several photos dropped at once the first is read, and the page says so", async () => {
    await dropFiles(page, [TROUSERS, TROUSERS]);
    await expectHeading(page, "pants");
    await page.getByText("First of 2 photos.").waitFor();
  });

  it("a picture pasted from the clipboard is read", async () => {
    await page.evaluate(async () => {
      const canvas = document.createElement("canvas");
      canvas.width = 200;
      canvas.height = 300;
      const picture = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
      await navigator.clipboard.write([new ClipboardItem({ "image/png": picture ?? "" })]);
    });
    await page.keyboard.press("Control+V");
    await expectHeading(page, "pants");
  });

  it("a link pasted on the page is read; a link pasted into its field waits to be looked at", async () => {
    await page.evaluate(() => navigator.clipboard.writeText("https://example.com/trousers.jpg"));
    const link = page.getByLabel("Or a link to a photo");
    await link.focus();
    await page.keyboard.press("Control+V");
    expect(await link.inputValue()).toBe("https://example.com/trousers.jpg");
    await page.getByText("What are you listing?").waitFor();
    await link.fill("");
    await link.blur();
    await page.keyboard.press("Control+V");
    await expectHeading(page, "pants");
    await page.getByText("A photo from example.com").waitFor();
  });

  it("text on the clipboard that is no link is answered in words", async () => {
    await page.evaluate(() => navigator.clipboard.writeText("a pair of trousers"));
    await page.keyboard.press("Control+V");
    await expectAnnounced(page, "There is no picture and no link on the clipboard.");
  });

  it("everything can be done with the keyboard alone", async () => {
    await tabTo(page, page.getByLabel("Choose a photo"));
    const choosing = page.waitForEvent("filechooser");
    await page.keyboard.press("Enter");
    await (await choosing).setFiles(TROUSERS);
    await expectHeading(page, "pants");
    await tabTo(page, page.getByLabel("Or a link to a photo"));
    await page.keyboard.type("https://example.com/a.jpg");
    await page.keyboard.press("Enter");
    await expectHeading(page, "pants");
  });

  it("a file that is no picture is answered in words", async () => {
    const name = "notes.jpg";
    await page
      .getByLabel("Choose a photo")
      .setInputFiles({ name, mimeType: "image/jpeg", buffer: await readFile(path.join(SITE, "index.html")) });
    await expectHeading(page, "pants");
    await page.getByText(`${name} cannot be shown here`).waitFor();
    await expectRoomyLayout(page);
  });
});
