import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { expect } from "vitest";

/** A page under test and what it did that it must never do. */
export interface WatchedPage {
  readonly page: Page;
  /** Script errors, violations of the content security policy, cookies, and requests to other origins. */
  misdeeds(): Promise<readonly string[]>;
}

/** Opens the website in a profile of its own and watches it from its first byte. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  const misdeeds: string[] = [];
  await page.exposeFunction("reportViolation", (what: string) => misdeeds.push(`policy: ${what}`));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      const { reportViolation } = window as unknown as { reportViolation(what: string): void };
      reportViolation(`${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  page.on("pageerror", (error) => misdeeds.push(`exception: ${error.message}`));
  page.on("console", (message) => {
    // The browser itself logs every answer of 400 or more, and every request without network.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
      misdeeds.push(`console: ${message.text()}`);
    }
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith("blob:")) {
      misdeeds.push(`request: ${request.url()}`);
    }
  });
  const { javaScriptEnabled = true } = options;
  const response = await page.goto(url);
  expect(response?.headers()["content-security-policy"]).toContain("default-src 'none'");
  // What the gateway serves has come, or a site that keeps that to itself has said so.
  if (javaScriptEnabled) await page.locator("#limits").getByText(/\d/).waitFor();
  return {
    page,
    misdeeds: async () => [...misdeeds, ...(await context.cookies()).map(({ name }) => `cookie: ${name}`)],
  };
}

export function headingOf(page: Page): Locator {
  return page.locator("#heading");
}

/** Waits for the heading to say something, and holds that the focus is on it. */
export async function expectHeading(page: Page, text: string | RegExp): Promise<void> {
  await headingOf(page).filter({ hasText: text }).waitFor();
  expect(await isFocused(headingOf(page))).toBe(true);
}

/** Holds that a screen reader was told something. */
export async function expectAnnounced(page: Page, text: string | RegExp): Promise<void> {
  await page.getByRole("status").filter({ hasText: text }).waitFor({ state: "attached" });
}

function isFocused(locator: Locator): Promise<boolean> {
  return locator.evaluate((element) => element === document.activeElement);
}

/** Presses Tab until the focus is on the element, as someone without a mouse would. */
export async function tabTo(page: Page, locator: Locator): Promise<void> {
  for (let presses = 0; presses < 60; presses += 1) {
    if (await isFocused(locator)) {
      return;
    }
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab never reached ${locator}`);
}

/** Drops files from outside the browser onto a point of the page, by the browser's own drag and drop. */
export async function dropFiles(
  page: Page,
  files: readonly string[],
  place: { readonly x: number; readonly y: number } = { x: 30, y: 300 },
): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [...files], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"] as const) {
    await session.send("Input.dispatchDragEvent", { type, ...place, data });
  }
  await session.detach();
}

/** The least distances that people need: nothing sticks out sideways, and targets are at least 24 px in each direction. */
export async function expectRoomyLayout(page: Page): Promise<void> {
  const width = page.viewportSize()?.width ?? 0;
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  for (const target of await page
    .locator("a:visible, button:visible, .button:visible, .field:visible, select:visible")
    .all()) {
    const box = await target.boundingBox();
    const name = (await target.textContent()) ?? "";
    expect(box?.width, name).toBeGreaterThanOrEqual(24);
    expect(box?.height, name).toBeGreaterThanOrEqual(24);
    expect((box?.x ?? 0) + (box?.width ?? 0), name).toBeLessThanOrEqual(width);
  }
}
