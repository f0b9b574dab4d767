/** The page in the person's language from its first frame on, whoever chose it and whatever comes late. */
import type { BrowserContextOptions, Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { findBrowser } from "./browser.js";
import { headingOf } from "./website-page.js";
import { useStubPage } from "./website-stub-page.js";

const browserPath = findBrowser();

/** Has the page note in each frame what its heading says, as far as it is seen. */
async function watchHeading(page: Page): Promise<() => Promise<readonly string[]>> {
  await page.addInitScript(() => {
    const seen: string[] = [];
    Object.assign(window, { seenHeadings: seen });
    const note = () => {
      const heading = document.getElementById("heading");
      const text = heading?.textContent ?? "";
      if (heading?.checkVisibility({ visibilityProperty: true }) && seen.at(-1) !== text) seen.push(text);
      requestAnimationFrame(note);
    };
    requestAnimationFrame(note);
  });
  return () => page.evaluate(() => (window as unknown as { seenHeadings: string[] }).seenHeadings);
}

const HEADINGS = { en: "What are you listing?", de: "Was bietest du an?", ar: "ماذا تعرض للبيع؟" };

describe.skipIf(browserPath === undefined)("the language of the page", () => {
  const stub = useStubPage(browserPath);

  /** Loads the page anew and watches it from its first frame. */
  async function seenOf(options: BrowserContextOptions, prepare: (page: Page) => Promise<void>) {
    await stub.open(options);
    const { page } = stub;
    await prepare(page);
    const seen = await watchHeading(page);
    await page.reload();
    await page
      .locator("#limits")
      .getByText(/\d|[٠-٩]/)
      .waitFor();
    return seen();
  }

  it.each([
    ["de-AT", "de", "ltr"],
    ["ar", "ar", "rtl"],
    ["fr", "en", "ltr"],
  ] as const)("a browser in %s sees %s and nothing else", async (locale, language, direction) => {
    const seen = await seenOf({ locale }, async () => {});
    expect(seen).toEqual([HEADINGS[language]]);
    expect(await stub.page.evaluate(() => [document.documentElement.lang, document.dir])).toEqual([
      language,
      direction,
    ]);
  });

  it("stands there before, and without, any script", async () => {
    await stub.open({ locale: "ar", javaScriptEnabled: false });
    const { page } = stub;
    expect(await headingOf(page).textContent()).toBe(HEADINGS.ar);
    expect(await page.locator("html").getAttribute("dir")).toBe("rtl");
    expect(await page.locator("noscript").textContent()).toContain("JavaScript");
    expect(await page.getByRole("combobox", { name: "اللغة" }).inputValue()).toBe("ar");
  });

  it.each(["de", "ar"] as const)("one's own choice, %s, is seen and nothing before it", async (language) => {
    const seen = await seenOf({ locale: "en" }, (page) =>
      page.evaluate((kept) => localStorage.setItem("vitrine.language", kept), language),
    );
    expect(seen).toEqual([HEADINGS[language]]);
  });

  it("one's own choice of English is seen by a browser that asks for German, and nothing before it", async () => {
    const seen = await seenOf({ locale: "de" }, (page) =>
      page.evaluate(() => localStorage.setItem("vitrine.language", "en")),
    );
    expect(seen).toEqual([HEADINGS.en]);
  });

  it("a page whose script does not come shows itself after a while, in the language that it has", async () => {
    await stub.open({ locale: "en" });
    const { page, gateway } = stub;
    await page.evaluate(() => localStorage.setItem("vitrine.language", "de"));
    gateway.broken = /assets/;
    // However slow this machine is: the wait stands still where it is looked at.
    await page.addInitScript(() => {
      document.addEventListener("animationstart", () => document.getAnimations()[0]?.pause());
    });
    await page.reload({ waitUntil: "load" });
    await page.waitForFunction(() => document.getAnimations()[0]?.playState === "paused");
    expect(await headingOf(page).isVisible()).toBe(false);
    const waitsMs = await page.evaluate(() => {
      const [wait] = document.getAnimations();
      wait?.finish();
      return wait?.effect?.getComputedTiming().endTime;
    });
    expect(waitsMs).toBe(4000);
    await headingOf(page).getByText(HEADINGS.en).waitFor({ state: "visible" });
  });
});
