/** The page for everyone: axe in every state, both schemes and directions, the keyboard alone, other languages. */
import path from "node:path";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { expectAccessible } from "./axe.js";
import { findBrowser } from "./browser.js";
import { expectAnnounced, expectHeading, expectRoomyLayout, headingOf, tabTo } from "./website-page.js";
import { answerOf, json, problemOf } from "./website-stub.js";
import { answered, busy, silent, TROUSERS, unsure, useStubPage } from "./website-stub-page.js";

const DRESS = path.join(import.meta.dirname, "../../website/public/samples/dress.jpg");

const several = json(200, {
  ...answerOf({ pants: 0.8, dress: 0.15, hat: 0.05 }),
  photos: [
    { top_class: "pants", top_probability: 0.91 },
    { top_class: "dress", top_probability: 0.55 },
  ],
});

const browserPath = findBrowser();

describe.skipIf(browserPath === undefined)("the page for everyone", () => {
  const stub = useStubPage(browserPath);
  const { gateway, open, give } = stub;

  const settled = (page: Page, tone: string) => page.locator(`body[data-tone="${tone}"]`).waitFor();

  it.each([
    ["light", "en"],
    ["dark", "en"],
    ["light", "ar"],
    ["dark", "ar"],
  ] as const)("axe finds nothing in any state, %s, %s", async (colorScheme, locale) => {
    await open({ colorScheme, locale, viewport: { width: 390, height: 844 } });
    const { page } = stub;
    expect(await page.locator("html").getAttribute("dir")).toBe(locale === "ar" ? "rtl" : "ltr");
    await expectAccessible(page);
    await give(silent);
    await page.locator("#cancel").waitFor();
    await expectAccessible(page);
    await page.locator("#cancel").click();
    await give(answered);
    await settled(page, "sure");
    await page.locator("#how:not(:empty)").waitFor({ state: "attached" });
    await expectAccessible(page);
    await page.locator("#none").click();
    await page.locator("#search-text").press("ArrowDown");
    await expectAccessible(page);
    await page.locator("#search-text").press("Enter");
    await settled(page, "chosen");
    await expectAccessible(page);
    await give(unsure);
    await settled(page, "unsure");
    await expectAccessible(page);
    await give(several, [TROUSERS, DRESS]);
    await settled(page, "sure");
    await expectAccessible(page);
    await give(busy);
    await settled(page, "fault");
    await expectAccessible(page);
    await give(json(401, problemOf(401, "UNAUTHENTICATED")));
    await page.locator("#key-text").waitFor();
    await expectAccessible(page);
    await page.evaluate(() => {
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File(["x"], "pasted.png", { type: "image/png" }));
      document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
    });
    await page.getByRole("dialog").waitFor();
    await expectAccessible(page);
  });

  it("the keyboard alone leads from a photo to a corrected, copied draft", async () => {
    await open({ permissions: ["clipboard-read", "clipboard-write"] });
    const { page } = stub;
    gateway.onPredict = several;
    // First, as the browser takes a moment to hand its dialog over to the test.
    const choosing = page.waitForEvent("filechooser");
    await tabTo(page, page.getByLabel("Choose photos"));
    await page.keyboard.press("Enter");
    await (await choosing).setFiles([TROUSERS, DRESS]);
    await expectHeading(page, "Pants");
    await tabTo(page, page.getByRole("button", { name: "None of these" }));
    await page.keyboard.press("Enter");
    await page.keyboard.type("skirt");
    await page.keyboard.press("Enter");
    await expectHeading(page, "Skirt");
    await tabTo(page, page.getByLabel("Your words"));
    await page.keyboard.type("tartan");
    await tabTo(page, page.getByRole("button", { name: "Copy the draft" }));
    await page.keyboard.press("Enter");
    await expectAnnounced(page, "The draft is on the clipboard.");
    await page.locator("h1").click();
    await tabTo(page, page.getByRole("button", { name: "Remove photo 2" }));
    await page.keyboard.press("Space");
    await expectHeading(page, "Skirt");
    expect(gateway.requests).toHaveLength(2);
  });

  it("the browser's language is spoken, another one can be chosen, and the choice is kept", async () => {
    await open({ locale: "de-CH" });
    const { page } = stub;
    await headingOf(page).filter({ hasText: "Was bietest du an?" }).waitFor();
    await give(answered);
    await expectHeading(page, "Hose");
    await page.getByLabel("Sprache").selectOption({ label: "العربية" });
    await headingOf(page).filter({ hasText: "بنطال" }).waitFor();
    expect(await page.locator("html").evaluate(({ lang, dir }: HTMLElement) => [lang, dir])).toEqual([
      "ar",
      "rtl",
    ]);
    await page.reload();
    await headingOf(page).filter({ hasText: "بنطال" }).waitFor();
    await page.goto(`${stub.url}/?lang=en`);
    await headingOf(page).filter({ hasText: "What are you listing?" }).waitFor();
    expect(gateway.requests).toHaveLength(1);
  });

  it("a language whose words do not come leaves the page as it is, says so, and can be chosen again", async () => {
    await open();
    const { page } = stub;
    gateway.broken = /\/de-/;
    await page.getByLabel("Language").selectOption({ label: "Deutsch" });
    await expectAnnounced(page, "The server cannot be reached");
    expect(await page.getByLabel("Language").inputValue()).toBe("en");
    await page.goto(`${stub.url}/?lang=de`);
    await headingOf(page).filter({ hasText: "What are you listing?" }).waitFor();
    gateway.broken = undefined;
    await page.reload();
    await headingOf(page).filter({ hasText: "Was bietest du an?" }).waitFor();
  });

  it.each(["de", "ar"])("in %s every state fits a phone 320 px wide", async (locale) => {
    await open({ locale, viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true });
    const { page } = stub;
    await expectRoomyLayout(page);
    await give(several, [TROUSERS, DRESS]);
    await settled(page, "sure");
    await page.locator("#how:not(:empty)").waitFor({ state: "attached" });
    await expectRoomyLayout(page);
    await give(unsure);
    await settled(page, "unsure");
    await expectRoomyLayout(page);
    await give(busy);
    await settled(page, "fault");
    await expectRoomyLayout(page);
  });

  it.each(["en", "de", "ar"])(
    "in %s the words of the header stay whole at 320 px, also with letters twice as large",
    async (locale) => {
      await open({ locale, viewport: { width: 320, height: 640 } });
      const { page } = stub;
      // Lines of text: boxes of its words, by their upper edge.
      const linesOf = (selector: string) =>
        page.locator(selector).evaluate((element) => {
          const range = document.createRange();
          range.selectNodeContents(element);
          return new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size;
        });
      for (const size of ["100%", "200%"]) {
        await page
          .locator("html")
          .evaluate((html, percent) => html.style.setProperty("font-size", percent), size);
        expect([await linesOf("h1 span"), await linesOf("nav a")], size).toEqual([1, 1]);
        for (const target of ["h1 span", "#language", "nav a"]) {
          const box = await page.locator(target).boundingBox();
          expect(box?.x, `${target} at ${size}`).toBeGreaterThanOrEqual(0);
          expect((box?.x ?? 0) + (box?.width ?? 0), `${target} at ${size}`).toBeLessThanOrEqual(320);
        }
        await expectRoomyLayout(page);
      }
    },
  );

  it("in forced colours the chosen photo, the shares and the tag can still be told apart", async () => {
    await open({ forcedColors: "active" });
    const { page } = stub;
    await give(several, [TROUSERS, DRESS]);
    await settled(page, "sure");
    await expectAccessible(page);
    const borderOf = (name: string) =>
      page.getByRole("button", { name }).evaluate((button) => getComputedStyle(button).borderTopColor);
    expect(await borderOf("Show photo 1")).not.toBe(await borderOf("Show photo 2"));
  });
});
