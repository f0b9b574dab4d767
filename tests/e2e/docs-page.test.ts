import {
  infoResponseSchema,
  predictResponseSchema,
  problemSchema,
  scoresResponseSchema,
} from "@vitrine/gateway/api";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findBrowser, launchBrowser } from "./browser.js";
import { startPictureServer } from "./picture-server.js";
import { DRAWING, startUp } from "./vitrine.js";

const browserPath = findBrowser();

describe.skipIf(browserPath === undefined)("/docs and both tiers", () => {
  const ends: (() => void)[] = [];
  const misdeeds: string[] = [];
  let browser: Browser;
  let page: Page;
  let picture: string;

  beforeAll(async () => {
    const atEnd = (end: () => void) => void ends.push(end);
    const pictures = await startPictureServer(DRAWING, atEnd);
    picture = pictures.url;
    const vitrine = await startUp([`--allow-image-host=${pictures.host}`], {}, atEnd);
    browser = await launchBrowser(browserPath ?? "");
    page = await browser.newPage();
    page.on("pageerror", (error) => misdeeds.push(error.message));
    page.on("request", (request) => {
      if (!request.url().startsWith(vitrine.url)) misdeeds.push(request.url());
    });
    await page.goto(`${vitrine.url}/docs`);
  });

  afterAll(async () => {
    await browser?.close();
    for (const end of ends) end();
  });

  /** Presses an example's button and reads its output: the status, and the body as JSON. */
  async function run(id: string): Promise<{ status: number; body: unknown }> {
    await page.click(`#${id}-run`);
    const output = page.locator(`#${id}-output`).filter({ hasText: /^HTTP/ });
    await output.waitFor();
    const text = (await output.textContent()) ?? "";
    return { status: Number(/^HTTP (\d+)/.exec(text)?.[1]), body: JSON.parse(text.slice(text.indexOf("{"))) };
  }

  it("its examples run: a url", async () => {
    await page.fill("#url-input", picture);
    const { status, body } = await run("url");
    expect(status).toBe(200);
    expect(predictResponseSchema.parse(body).top).toHaveLength(3);
  });

  it("its examples run: a url that is refused shows the problem", async () => {
    await page.reload();
    await page.fill("#url-input", "http://169.254.169.254/latest/meta-data/");
    const { status, body } = await run("url");
    expect([status, problemSchema.parse(body).reason]).toEqual([400, "IMAGE_URL_FORBIDDEN"]);
  });

  it("its examples run: a form with files, or with the page's own drawing", async () => {
    expect(predictResponseSchema.parse((await run("form")).body).photos).toBeUndefined();
    await page.reload();
    await page.setInputFiles("#form-input", [DRAWING, DRAWING]);
    expect(predictResponseSchema.parse((await run("form")).body).photos).toHaveLength(2);
  });

  it("its examples run: why and how, with long lists and pictures cut to a line", async () => {
    const { status, body } = await run("explain");
    expect(status).toBe(200);
    expect(body).toMatchObject({
      heatmap: { method: "activation", values: expect.stringMatching(/^[\d. ]+$/) },
      steps: { input: { picture: expect.stringMatching(/^data:image\/png;base64,.*…$/) } },
    });
  });

  it("its examples run: raw scores, info, readiness", async () => {
    expect(Object.keys(scoresResponseSchema.parse((await run("scores")).body))).toHaveLength(10);
    expect(infoResponseSchema.parse((await run("info")).body).labels).toHaveLength(10);
    expect((await run("ready")).status).toBe(200);
  });

  it("shows commands for this very gateway, and asks nobody else for anything", async () => {
    for (const command of await page.locator("pre.curl").allInnerTexts()) {
      expect(command).toContain(new URL(page.url()).origin);
    }
    expect(misdeeds).toEqual([]);
  });
});
