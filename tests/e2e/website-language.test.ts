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

  it.each([
    ["en", "de"],
    ["en", "ar"],
    ["de", "en"],
  ] as const)(
    "a browser in %s in which %s was chosen sees that at a reload and nothing before it",
    async (locale, language) => {
      const seen = await seenOf({ locale }, async (page) => {
        await page.locator("#language").selectOption(language);
        await headingOf(page).getByText(HEADINGS[language]).waitFor();
      });
      expect(seen).toEqual([HEADINGS[language]]);
    },
  );

  it("the choice of an earlier visit is spoken as soon as its words are there", async () => {
    const seen = await seenOf({ locale: "en" }, (page) =>
      page.evaluate(() => localStorage.setItem("vitrine.language", "de")),
    );
    expect(seen.at(-1)).toBe(HEADINGS.de);
    expect(await stub.page.evaluate(() => document.documentElement.lang)).toBe("de");
  });
});
