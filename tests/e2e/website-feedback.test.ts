/** Corrections from the page to the folder, over both tiers. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { findMetadata } from "@vitrine/gateway/pixels/picture-file";
import { readPictureHeader } from "@vitrine/gateway/pixels/picture-header";
import type { Browser, BrowserContextOptions, Page, Response } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { expectAccessible } from "./axe.js";
import { findBrowser, launchBrowser } from "./browser.js";
import { DRAWING, startUp } from "./vitrine.js";
import { expectAnnounced, expectRoomyLayout, openPage, tabTo, type WatchedPage } from "./website-page.js";
import { problemOf } from "./website-stub.js";

const browserPath = findBrowser();

/** Keeps corrections from leaving the browser. @returns lets them go. */
async function holdCorrections(page: Page): Promise<() => void> {
  let letGo: () => void = () => {};
  const isDue = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  await page.route("**/feedback", async (route) => {
    await isDue;
    await route.continue();
  });
  return letGo;
}

/** The answer to a correction's removal that succeeds. */
function removalOf(page: Page): Promise<Response> {
  return page.waitForResponse((response) => response.request().method() === "DELETE" && response.ok());
}

describe.skipIf(browserPath === undefined)("a correction on the page", () => {
  const ends: (() => void)[] = [];
  const atEnd = (end: () => void) => void ends.push(end);
  let folder = "";
  let url = "";
  let browser: Browser | undefined;
  let watched: WatchedPage | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "vitrine-corrections-"));
    const env = { FEEDBACK_KEEP_DAYS: "30" };
    ({ url } = await startUp([`--feedback-dir=${folder}`], env, atEnd));
    browser = await launchBrowser(browserPath ?? "");
  });
  afterAll(async () => {
    await browser?.close();
    for (const end of ends) end();
    await rm(folder, { recursive: true, force: true });
  });
  afterEach(async () => {
    expect(await watched?.misdeeds()).toEqual([]);
    await watched?.page.context().close();
    watched = undefined;
  });

  async function openAnswered(options: BrowserContextOptions = {}, where = url): Promise<Page> {
    if (browser === undefined) throw new Error("there is no browser");
    watched = await openPage(browser, where, options);
    const { page } = watched;
    await page.locator("#choose").setInputFiles(DRAWING);
    await page.locator("#feedback details").waitFor();
    return page;
  }

  const panel = (page: Page) => page.locator("#feedback");
  /** Of corrections; the folder itself has a mark. */
  const filesIn = async () => (await readdir(folder)).filter((name) => !name.startsWith(".feedback-folder-"));
  const kept = async () =>
    (await readdir(folder, { recursive: true })).filter((name) => /\.(jpg|png)$/.test(name));
  /** Requests for `/feedback` that the page makes. */
  function feedbackOf(page: Page): string[] {
    const asked: string[] = [];
    page.on("request", (request) => {
      const { pathname } = new URL(request.url());
      if (pathname.startsWith("/feedback"))
        asked.push(`${request.method()} ${pathname.replace(/\/[\w-]{22}$/, "/ID")}`);
    });
    return asked;
  }

  it("is sent by keyboard, after consent and not before, is taken back, and leaves nothing", async () => {
    const page = await openAnswered();
    const asked = feedbackOf(page);
    await tabTo(page, panel(page).locator("summary"));
    await page.keyboard.press("Enter");
    const box = panel(page).getByRole("checkbox");
    expect(await box.isChecked()).toBe(false);
    expect(await panel(page).locator("label").textContent()).toContain("30 days");

    await tabTo(page, panel(page).getByRole("button", { name: "Keep it for training" }));
    await page.keyboard.press("Enter");
    await expectAnnounced(page, /Nothing was sent: tick the box first/);
    expect(asked).toEqual([]);
    expect(await kept()).toEqual([]);
    expect(await box.evaluate((element) => element === document.activeElement)).toBe(true);

    await page.keyboard.press("Space");
    await tabTo(page, panel(page).getByRole("button", { name: "Keep it for training" }));
    await page.keyboard.press("Enter");
    await expectAnnounced(page, /The photo is kept as “.+” until .+ 20\d\d\. Thank you\./);
    expect(asked).toEqual(["POST /feedback"]);
    const [file = ""] = await kept();
    const picture = await readFile(path.join(folder, file));
    expect(await findMetadata(picture)).toEqual([]);
    // Upright: the drawing is stored as 640 x 480 and says that it lies on its side.
    expect(readPictureHeader(picture, 1e6)).toMatchObject({ width: 480, height: 640 });

    await tabTo(page, panel(page).getByRole("button", { name: "Remove it again" }));
    await page.keyboard.press("Enter");
    await expectAnnounced(page, /Removed\. Nothing of it is kept on the server\./);
    expect(asked).toEqual(["POST /feedback", "DELETE /feedback/ID"]);
    expect(await filesIn()).toEqual([]);
    expect(await box.isChecked()).toBe(false);
  });

  it("of another category names both, goes into its folder, and can be taken back after a reload", async () => {
    const page = await openAnswered();
    await page.locator("#choices button").first().click();
    await panel(page)
      .getByText(/You say “.+”, the model said “.+”\./)
      .waitFor();
    expect(await panel(page).locator("details").getAttribute("open")).not.toBeNull();
    await panel(page).getByRole("checkbox").check();
    await panel(page).getByRole("button", { name: "Keep it for training" }).click();
    await panel(page).getByRole("button", { name: "Remove it again" }).waitFor();
    const [file = ""] = await kept();
    const records = (await readdir(folder)).filter((name) => name.endsWith(".json"));
    const record = JSON.parse(await readFile(path.join(folder, records[0] ?? ""), "utf8"));
    expect(record.label).toBe(path.dirname(file));
    expect(record.predicted).not.toBe(record.label);

    await page.reload();
    await panel(page).getByRole("button", { name: "Remove it again" }).click();
    await panel(page).getByText("Removed. Nothing of it is kept").waitFor();
    expect(await filesIn()).toEqual([]);
  });

  it("of an item that was discarded is listed at the start, and can be taken back there", async () => {
    const page = await openAnswered();
    await panel(page).locator("summary").click();
    await panel(page).getByRole("checkbox").check();
    await panel(page).getByRole("button", { name: "Keep it for training" }).click();
    await panel(page).getByRole("button", { name: "Remove it again" }).waitFor();
    await page.getByRole("button", { name: "Discard this item" }).click();
    await expectAnnounced(page, /1 photo that you gave is still kept on the server until .+ 20\d\d/);
    expect(await kept()).toHaveLength(1);

    await page.reload();
    const given = page.locator("#given");
    await given.getByText(/1 photo as “.+”, kept until .+ 20\d\d/).waitFor();
    await expectAccessible(page);
    await page.route("**/feedback/*", (route) => route.abort());
    await tabTo(page, given.getByRole("button", { name: "Remove" }));
    await page.keyboard.press("Enter");
    await given.getByText("It could not be removed just now.").waitFor();
    expect(await kept()).toHaveLength(1);
    await page.unroute("**/feedback/*");
    await page.keyboard.press("Enter");
    await expectAnnounced(page, /Nothing of it is kept on the server/);
    expect(await given.isHidden()).toBe(true);
    expect(await page.locator("#heading").evaluate((element) => element === document.activeElement)).toBe(
      true,
    );
    expect(await filesIn()).toEqual([]);
  });

  it("asks anew when the category changes, and then keeps that one instead", async () => {
    const page = await openAnswered();
    await panel(page).locator("summary").click();
    await panel(page).getByRole("checkbox").check();
    await panel(page).getByRole("button", { name: "Keep it for training" }).click();
    await panel(page).getByRole("button", { name: "Remove it again" }).waitFor();
    const [first = ""] = await kept();
    await page.locator("#choices button").first().click();
    const instead = panel(page).getByRole("button", { name: "Keep this category instead" });
    await instead.waitFor();
    expect(await panel(page).getByRole("checkbox").isChecked()).toBe(false);
    expect(await kept()).toEqual([first]);
    await panel(page).getByRole("checkbox").check();
    const gone = page.waitForResponse((response) => response.request().method() === "DELETE");
    await instead.click();
    await gone;
    await panel(page).getByRole("checkbox").waitFor({ state: "hidden" });
    const [second = "", ...more] = await kept();
    expect(more).toEqual([]);
    expect(path.dirname(second)).not.toBe(path.dirname(first));
    await panel(page).getByRole("button", { name: "Remove it again" }).click();
    await panel(page).getByText("Removed. Nothing of it is kept").waitFor();
  });

  it("that could not be replaced is told, and is taken back together with the later one", async () => {
    const page = await openAnswered();
    await panel(page).locator("summary").click();
    await panel(page).getByRole("checkbox").check();
    await panel(page).getByRole("button", { name: "Keep it for training" }).click();
    await panel(page).getByRole("button", { name: "Remove it again" }).waitFor();
    await page.locator("#choices button").first().click();
    let isBroken = true;
    await page.route("**/feedback/*", async (route) => {
      if (isBroken) await route.abort();
      else await route.continue();
    });
    await panel(page).getByRole("checkbox").check();
    await panel(page).getByRole("button", { name: "Keep this category instead" }).click();
    await panel(page)
      .getByText(/What was kept before, as “.+”, could not be removed just now/)
      .waitFor();
    await expectAnnounced(page, /kept as “.+” until .+ could not be removed just now/);
    expect(await kept()).toHaveLength(2);
    await panel(page).getByRole("button", { name: "Remove it again" }).click();
    await panel(page).getByText("It could not be removed just now.").waitFor();
    expect(await kept()).toHaveLength(2);
    isBroken = false;
    await panel(page).getByRole("button", { name: "Remove it again" }).click();
    await panel(page).getByText("Removed. Nothing of it is kept").waitFor();
    expect(await filesIn()).toEqual([]);
  });

  it("can be stopped while it is sent: what the server keeps all the same is removed", async () => {
    const page = await openAnswered();
    const letGo = await holdCorrections(page);
    await panel(page).locator("summary").click();
    await panel(page).getByRole("checkbox").check();
    const keep = panel(page).getByRole("button", { name: "Keep it for training" });
    const cancel = panel(page).getByRole("button", { name: "Cancel" });
    expect(await cancel.isVisible()).toBe(false);
    await keep.click();
    await tabTo(page, cancel);
    await expectAccessible(page);
    const removed = removalOf(page);
    await page.keyboard.press("Enter");
    await expectAnnounced(page, "Stopped. If it had arrived by then, it is removed from the server again.");
    expect(await keep.evaluate((element) => element === document.activeElement)).toBe(true);
    expect(await cancel.isVisible()).toBe(false);
    letGo();
    await removed;
    expect(await kept()).toEqual([]);

    await page.keyboard.press("Enter");
    await panel(page).getByRole("button", { name: "Remove it again" }).click();
    await panel(page).getByText("Removed. Nothing of it is kept").waitFor();
  });

  it("of a category that was left while it was sent is not kept", async () => {
    const page = await openAnswered();
    const letGo = await holdCorrections(page);
    await panel(page).locator("summary").click();
    await panel(page).getByRole("checkbox").check();
    await panel(page).getByRole("button", { name: "Keep it for training" }).click();
    await page.locator("#choices button").first().click();
    const removed = removalOf(page);
    letGo();
    await removed;
    expect(await kept()).toEqual([]);
    expect(await panel(page).getByRole("checkbox").isChecked()).toBe(false);
  });

  it("says that it went wrong, and keeps the consent for another try", async () => {
    const page = await openAnswered();
    await page.route("**/feedback", (route) =>
      route.fulfill({
        status: 507,
        contentType: "application/problem+json",
        body: JSON.stringify(problemOf(507, "FEEDBACK_FULL")),
      }),
    );
    await panel(page).locator("summary").click();
    await panel(page).getByRole("checkbox").check();
    await panel(page).getByRole("button", { name: "Keep it for training" }).click();
    await panel(page).getByText("This server has no room for it at the moment.").waitFor();
    expect(await panel(page).getByRole("checkbox").isChecked()).toBe(true);
    await expectAccessible(page);
  });

  it.each([
    ["en", "light"],
    ["de", "dark"],
    ["ar", "light"],
  ] as const)("has no fault of accessibility in %s, %s, at 320 px", async (language, colorScheme) => {
    const page = await openAnswered({
      locale: language,
      colorScheme,
      viewport: { width: 320, height: 700 },
    });
    await panel(page).locator("summary").click();
    await panel(page).getByRole("checkbox").waitFor();
    await expectAccessible(page);
    await expectRoomyLayout(page);
    await panel(page).getByRole("checkbox").check();
    await panel(page).locator("form button:visible").click();
    await panel(page).locator(".feedback-kept").waitFor();
    await expectAccessible(page);
    await expectRoomyLayout(page);
    const shots = process.env.VITRINE_SHOTS;
    if (shots !== undefined)
      await page.screenshot({ path: `${shots}/feedback-${language}.png`, fullPage: true });
    await panel(page).locator("button:visible").first().click();
    await expect.poll(filesIn).toEqual([]);
  });
});

describe.skipIf(browserPath === undefined)("where corrections are not kept", () => {
  it("nobody is asked for one", async () => {
    const ends: (() => void)[] = [];
    const { url } = await startUp([], {}, (end) => void ends.push(end));
    const browser = await launchBrowser(browserPath ?? "");
    try {
      const { page } = await openPage(browser, url);
      await page.locator("#choose").setInputFiles(DRAWING);
      await page.locator("#how details").waitFor();
      expect(await page.locator("#feedback").isHidden()).toBe(true);
    } finally {
      await browser.close();
      for (const end of ends) end();
    }
  });
});
