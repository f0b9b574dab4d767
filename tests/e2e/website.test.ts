import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { predictResponseSchema } from "@vitrine/gateway/api";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { findBrowser, launchBrowser } from "./browser.js";
import { type PictureServer, startPictureServer } from "./picture-server.js";
import { DRAWING, PHOTOS, startUp } from "./vitrine.js";
import type { WatchedPage } from "./website-page.js";
import {
  dropFiles,
  expectAnnounced,
  expectHeading,
  expectRoomyLayout,
  headingOf,
  openPage,
  tabTo,
} from "./website-page.js";

/** The first photo of a label in the validation set. */
async function findPhotoOf(label: string): Promise<string> {
  const folder = path.join(PHOTOS ?? "", "validation", label);
  const [first = ""] = (await readdir(folder)).sort();
  return path.join(folder, first);
}

const browserPath = findBrowser();

describe.skipIf(browserPath === undefined)("the page and both tiers", () => {
  const ends: (() => void)[] = [];
  let browser: Browser;
  let pictures: PictureServer;
  let url: string;
  /** What the gateway answers for the drawing; the model was never trained on drawings, so any label may be. */
  let label: string;
  /** Its name on the page, capitalised. */
  let name: RegExp;
  let watched: WatchedPage;
  let page: Page;

  beforeAll(async () => {
    const atEnd = (end: () => void) => void ends.push(end);
    pictures = await startPictureServer(DRAWING, atEnd);
    [browser, { url }] = await Promise.all([
      launchBrowser(browserPath ?? ""),
      startUp([`--allow-image-host=${pictures.host}`], {}, atEnd),
    ]);
    const body = await readFile(DRAWING);
    const headers = { "content-type": "image/jpeg" };
    const response = await fetch(`${url}/predict`, { method: "POST", body, headers });
    label = predictResponseSchema.parse(await response.json()).top_class;
    const shown = { longsleeve: "long sleeve", outwear: "outerwear" }[label] ?? label;
    name = new RegExp(`^${shown}\\??$`, "i");
  });

  afterAll(async () => {
    await browser?.close();
    for (const end of ends) {
      end();
    }
  });

  beforeEach(async () => {
    watched = await openPage(browser, url, { permissions: ["clipboard-read", "clipboard-write"] });
    page = watched.page;
  });

  afterEach(async () => {
    expect(await watched.misdeeds()).toEqual([]);
    await page.context().close();
  });

  it("a chosen file is shown upright, with its category and the next two", async () => {
    await page.getByLabel("Choose photos").setInputFiles(DRAWING);
    await expectHeading(page, name);
    expect(await page.locator("#choices button").count()).toBeGreaterThanOrEqual(2);
    await page.getByText(/for any picture\. clothing-model, version \d+, \d+ ms$/).waitFor();
    // Stored as 640 x 480 with EXIF orientation 6.
    const picture = page.getByRole("img", { name: "Your photo" });
    expect(await picture.evaluate((img) => img.clientHeight / img.clientWidth)).toBeCloseTo(640 / 480, 1);
  });

  it.skipIf(PHOTOS === undefined)("real photos get their category, within a second", async () => {
    const durationsMs: number[] = [];
    for (const wanted of ["pants", "dress", "shoes"]) {
      const photo = await findPhotoOf(wanted);
      const startedMs = performance.now();
      await page.getByLabel("Choose photos").setInputFiles(photo);
      await expectHeading(page, new RegExp(`^${wanted}$`, "i"));
      durationsMs.push(performance.now() - startedMs);
    }
    // Other work on the machine may slow one of them down, but not all.
    expect(Math.min(...durationsMs)).toBeLessThan(1000);
  });

  it("a photo dropped anywhere is read", async () => {
    await dropFiles(page, [DRAWING]);
    await expectHeading(page, name);
  });

  it("several photos dropped at once are one item", async () => {
    await dropFiles(page, [DRAWING, DRAWING]);
    await expectHeading(page, name);
    await page.getByText("From 2 photos.").waitFor();
  });

  it("while an item is there, a drop goes to the half of the page that says where it belongs", async () => {
    await dropFiles(page, [DRAWING]);
    await expectHeading(page, name);
    await dropFiles(page, [DRAWING], { x: 100, y: 60 });
    await page.getByText("From 2 photos.").waitFor();
    await dropFiles(page, [DRAWING], { x: 100, y: 600 });
    await page
      .locator("#fine")
      .getByText(/^The model knows only/)
      .waitFor();
    await page.goBack();
    await page.getByText("From 2 photos.").waitFor();
  });

  it("a drawing of our own is read for real at a tap", async () => {
    await page.getByRole("button", { name: "Dress" }).click();
    await expectHeading(page, /dress/i);
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
    await page.getByText(/^The model knows only .+ version/).waitFor();
    await expectHeading(page, /./);
  });

  it("a link pasted on the page is read; one pasted into its field waits to be looked at", async () => {
    await page.evaluate((link) => navigator.clipboard.writeText(link), pictures.url);
    const field = page.getByLabel("Or a link to a photo");
    await field.focus();
    await page.keyboard.press("Control+V");
    expect(await field.inputValue()).toBe(pictures.url);
    expect(await headingOf(page).textContent()).toBe("What are you listing?");

    await field.fill("");
    await field.blur();
    await page.keyboard.press("Control+V");
    await expectHeading(page, name);
    // Shown by way of the gateway, upright, and without asking the other website.
    const picture = page.getByRole("img", { name: "Your photo" });
    await picture.waitFor();
    expect(await picture.evaluate((img) => img.clientHeight / img.clientWidth)).toBeCloseTo(640 / 480, 1);
  });

  it("text on the clipboard that is no link is answered in words", async () => {
    await page.evaluate(() => navigator.clipboard.writeText("a pair of trousers"));
    await page.keyboard.press("Control+V");
    await expectAnnounced(page, "There is no picture and no link on the clipboard.");
  });

  it("a link that takes its time can be cancelled, and tried again", async () => {
    const asked = pictures.slowAsked();
    await page.getByLabel("Or a link to a photo").fill(pictures.slowUrl);
    await page.getByRole("button", { name: "Read it" }).click();
    await expectHeading(page, "Reading the photo");
    await asked;
    await page.getByRole("button", { name: "Cancel" }).click();
    await expectHeading(page, "Stopped");

    const askedAgain = pictures.slowAsked();
    await page.getByRole("button", { name: "Try again" }).click();
    (await askedAgain)();
    await expectHeading(page, name);
  });

  it("a link into the private network is refused in words", async () => {
    await page.getByLabel("Or a link to a photo").fill("http://127.0.0.1:1/a.jpg");
    await page.getByRole("button", { name: "Read it" }).click();
    await expectHeading(page, "This link cannot be opened from here");
  });

  it("a file that is no picture is answered in words", async () => {
    const buffer = Buffer.from("To do: photograph the trousers.");
    await page
      .getByLabel("Choose photos")
      .setInputFiles({ name: "notes.jpg", mimeType: "image/jpeg", buffer });
    await expectHeading(page, "This kind of file cannot be read");
    await page.getByText("notes.jpg cannot be shown here").waitFor();
  });

  it("everything can be done with the keyboard alone", async () => {
    // First, as the browser takes a moment to hand its dialog over to the test.
    const choosing = page.waitForEvent("filechooser");
    await tabTo(page, page.getByLabel("Choose photos"));
    await page.keyboard.press("Enter");
    await (await choosing).setFiles(DRAWING);
    await expectHeading(page, name);

    await tabTo(page, page.getByLabel("Or a link to a photo"));
    await page.keyboard.type(pictures.url);
    await page.keyboard.press("Enter");
    await tabTo(page, page.getByRole("button", { name: "Add to this item" }));
    await page.keyboard.press("Enter");
    await page.getByText("From 2 photos.").waitFor();
    await expectHeading(page, name);
    await page.getByRole("img", { name: "Your photo" }).waitFor();
  });

  it("on a phone 320 px wide the category is seen without scrolling", async () => {
    await page.setViewportSize({ width: 320, height: 640 });
    await page.getByLabel("Choose photos").setInputFiles(DRAWING);
    await expectHeading(page, name);
    await expectRoomyLayout(page);
    const box = await headingOf(page).boundingBox();
    expect((box?.y ?? Number.NaN) + (box?.height ?? 0)).toBeLessThan(640);
  });
});
