import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { findBrowser } from "./browser.js";
import { expectAnnounced, expectHeading, expectRoomyLayout, headingOf } from "./website-page.js";
import { answerOf, json, problemOf, STUB_INFO } from "./website-stub.js";
import { answered, busy, silent, unsure, useStubPage } from "./website-stub-page.js";

/** Lends a file of some size whose name is that of a photo. */
async function writeLarge(bytes: number, use: (file: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "vitrine-"));
  const file = path.join(folder, "large.jpg");
  await writeFile(file, Buffer.alloc(bytes));
  await use(file);
  await rm(folder, { recursive: true });
}

const browserPath = findBrowser();

describe.skipIf(browserPath === undefined)("the page in states that a test has to arrange", () => {
  const stub = useStubPage(browserPath);
  const { gateway, open, give } = stub;

  it("a busy gateway: counts the wait down, keeps the photo, and reads it on the next try", async () => {
    await open();
    const { page } = stub;
    await page.clock.install();
    await give(busy);
    await expectHeading(page, "Many photos are being read");
    await expectAnnounced(page, "Try again in about 30 seconds.");
    await page.getByRole("img", { name: "Your photo" }).waitFor();
    await page.clock.runFor(12_000);
    await page.locator("#lead").getByText("Try again in 18 seconds.").waitFor();
    await expectAnnounced(page, "about 30 seconds");

    await page.clock.runFor(18_000);
    await expectAnnounced(page, "You can try again now.");
    gateway.onPredict = answered;
    await page.getByRole("button", { name: "Try again" }).click();
    await expectHeading(page, "Pants");
    expect(gateway.requests).toHaveLength(2);
    expect(gateway.requests[1]?.body.byteLength).toBe(gateway.requests[0]?.body.byteLength);
  });

  it("an unsure answer asks, and gives all three the same weight", async () => {
    await open();
    const { page } = stub;
    await give(unsure);
    await expectHeading(page, "Long sleeve?");
    await expectAnnounced(page, "Not sure. It could be long sleeve, 41%, shirt, 33% or T-shirt, 18%.");
    await page.getByText("Which of these is it?").waitFor();
    expect(await page.locator("#choices button").count()).toBe(3);
    expect(await page.getByText("certain").count()).toBe(0);
    await page.getByRole("button", { name: "Long sleeve 41%" }).click();
    await expectHeading(page, /^Long sleeve$/);
    await page.getByText("Your choice").waitFor();
  });

  it("a slow answer: says so, and Cancel keeps the photo for another try", async () => {
    await open();
    const { page } = stub;
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
    await expectHeading(page, "Pants");
  });

  it("an upload shows how much has been sent", async () => {
    await open();
    const { page } = stub;
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
      await expectHeading(page, "Pants");
    });
  });

  it("a connection on which nothing moves is given up", async () => {
    await open();
    const { page } = stub;
    await page.clock.install();
    await give(silent);
    await expectHeading(page, "Reading the photo");
    await page.clock.fastForward(30_000);
    await expectHeading(page, "The connection is too slow");
  });

  it("without network: says so, keeps the photo, and reads it by itself when the network is back", async () => {
    await open();
    const { page } = stub;
    await page.context().setOffline(true);
    await give(answered);
    await expectHeading(page, "You are offline");
    await page.context().setOffline(false);
    await expectHeading(page, "Pants");
  });

  it("a connection that breaks off says that the server cannot be reached", async () => {
    await open();
    await give((_request, response) => {
      response.destroy();
    });
    await expectHeading(stub.page, "The server cannot be reached");
  });

  it.each([
    [413, "IMAGE_TOO_MANY_PIXELS", "This photo has too many pixels", "50 megapixels"],
    [415, "IMAGE_TYPE_UNSUPPORTED", "This kind of file cannot be read", "JPEG, PNG, WebP or GIF"],
    [400, "IMAGE_UNDECODABLE", "This picture is damaged", "choose another photo"],
    [503, "MODEL_UNAVAILABLE", "The reader is starting again", "Your photo is kept"],
    [504, "DEADLINE_EXCEEDED", "This took too long", "Your photo is kept"],
    [500, "INTERNAL", "Something went wrong on this site", "not your photo"],
    [500, "A_REASON_OF_TOMORROW", "Something went wrong on this site", "not your photo"],
  ])("%i %s is said in words", async (status, reason, title, text) => {
    await open();
    const { page } = stub;
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
    const { page } = stub;
    gateway.onPredict = json(400, problemOf(400, reason));
    await page.getByLabel("Or a link to a photo").fill("https://example.com/a.jpg");
    await page.getByRole("button", { name: "Read it" }).click();
    await expectHeading(page, title);
    expect(await page.getByLabel("Or a link to a photo").inputValue()).toBe("https://example.com/a.jpg");
  });

  it("a file over the limit that cannot be shrunk is refused before anything is sent", async () => {
    await open();
    await writeLarge(11 * 1024 * 1024, (large) => give(answered, large));
    await expectHeading(stub.page, "This photo is too large");
    await expectAnnounced(stub.page, "It has 11 MB. Photos of up to 10 MB can be read.");
    expect(gateway.requests).toHaveLength(0);
  });

  it("a file that was changed since it was chosen is to be chosen again", async () => {
    await open();
    const { page } = stub;
    await writeLarge(2_000, async (file) => {
      await give(busy, file);
      await expectHeading(page, "Many photos are being read");
      await rm(file);
      await page.getByRole("button", { name: "Try again" }).click();
      await expectHeading(page, "This file cannot be read any more");
      await page.getByText("Choose it again, as it is now.").first().waitFor();
      expect(await page.getByRole("button", { name: "Try again" }).isVisible()).toBe(false);
    });
  });

  it("panels that did not come are there with the next answer", async () => {
    await open();
    const { page } = stub;
    await page.route(/\/assets\/.*panel.*\.js/, (route) => route.abort());
    await give(answered);
    await expectHeading(page, "Pants");
    expect(await page.locator("#how").isVisible()).toBe(false);
    await page.unroute(/\/assets\/.*panel.*\.js/);
    await give(unsure);
    await page.locator("#how summary").waitFor();
  });

  it("a HEIC photo that this browser cannot open is said to be one, with the way out", async () => {
    await open();
    const { page } = stub;
    const buffer = Buffer.from("\0\0\0\x18ftypheic");
    await page.locator("#choose").setInputFiles({ name: "IMG_1.HEIC", mimeType: "image/heic", buffer });
    await expectHeading(page, "HEIC photos cannot be read here");
    await page.getByText("Most Compatible").first().waitFor();
    expect(gateway.requests).toHaveLength(0);
  });

  it("what is typed and is no link is marked at the field, and the focus stays there", async () => {
    await open();
    const link = stub.page.getByLabel("Or a link to a photo");
    await link.fill("trousers");
    await link.press("Enter");
    await stub.page.locator("#link-error").getByText("This is not a link.").waitFor();
    expect(await link.getAttribute("aria-invalid")).toBe("true");
    expect(await link.evaluate((element) => element === document.activeElement)).toBe(true);
    expect(gateway.requests).toHaveLength(0);
  });

  it("a web address without https:// is read as a link", async () => {
    await open();
    const link = stub.page.getByLabel("Or a link to a photo");
    await link.fill("www.shop.example/x.jpg");
    await link.press("Enter");
    await expectHeading(stub.page, "Pants");
    expect(gateway.requests[0]?.body.toString()).toContain('"https://www.shop.example/x.jpg"');
  });

  it.each([
    ["en", 360, 640],
    ["de", 360, 640],
    ["ar", 320, 640],
  ] as const)(
    "in %s both ways to give a photo are on the first screen at %i x %i",
    async (locale, width, height) => {
      await open({ locale, viewport: { width, height }, hasTouch: true, isMobile: true });
      const { page } = stub;
      for (const id of ["choose", "camera"]) {
        const box = await page.locator(`label.button[for=${id}]`).boundingBox();
        expect((box?.y ?? Number.NaN) + (box?.height ?? 0), id).toBeLessThanOrEqual(height);
      }
      const choosing = page.waitForEvent("filechooser");
      await page.locator("#sheet").tap();
      await choosing;
    },
  );

  it("a site that wants a key asks for it, says when it is wrong, and reads the photo with the right one", async () => {
    const unauthenticated = json(401, problemOf(401, "UNAUTHENTICATED"));
    const withKey: typeof gateway.onInfo = (request, response) =>
      (request.authorization === "Bearer right" ? json(200, STUB_INFO) : unauthenticated)(request, response);
    await open();
    const { page } = stub;
    gateway.onInfo = withKey;
    await page.reload();
    await headingOf(page).filter({ hasText: "This site asks for a key" }).waitFor();
    await give((request, response) =>
      (request.authorization === "Bearer right" ? answered : unauthenticated)(request, response),
    );
    await expectHeading(page, "This site asks for a key");
    const key = page.getByLabel("Key of this site");
    await key.press("Enter");
    await page.getByText("Type or paste the key first.").waitFor();
    await key.fill("wrong");
    await key.press("Enter");
    await expectHeading(page, "This key is not known here");
    // As it is pasted from a web page: with a space that has no width, and one that does not break.
    await key.fill("\u200bright\u00a0");
    await key.press("Enter");
    await expectHeading(page, "Pants");
    // Kept for this tab, not for the next visit.
    expect(await page.evaluate(() => [sessionStorage.length, localStorage.length])).toEqual([1, 0]);
  });

  it("a label cannot smuggle markup into the page", async () => {
    await open();
    await give(json(200, answerOf({ "<img src=x onerror=alert(1)>": 0.97, "<b>b</b>": 0.02 })));
    await expectHeading(stub.page, "<img src=x onerror=alert(1)>");
    expect(await stub.page.locator("#heading img, #choices b").count()).toBe(0);
  });

  it("at 400 % zoom the answer is scrolled into view", async () => {
    await open({ viewport: { width: 320, height: 256 } });
    await give(answered);
    await expectHeading(stub.page, "Pants");
    // The picture takes its room when it is decoded, before or after the answer.
    await stub.page.waitForFunction(() => {
      const verdict = document.querySelector("#verdict")?.getBoundingClientRect();
      const picture = document.querySelector("img");
      return picture?.complete && verdict && verdict.top > 0 && verdict.bottom <= window.innerHeight;
    });
  });

  it("without a script the page says what it needs, and where else to go", async () => {
    await open({ javaScriptEnabled: false });
    // Chromium that is told to run no script still hides <noscript>; people who switch scripts off see it.
    expect(await stub.page.locator("noscript").textContent()).toContain("This page needs JavaScript");
  });

  describe.each([320, 768, 1440])("at %i px", (width) => {
    it.each(["light", "dark"] as const)(
      "%s: every state fits, and its targets are large enough",
      async (colorScheme) => {
        const isMobile = width === 320;
        await open({ viewport: { width, height: 640 }, colorScheme, hasTouch: true, isMobile });
        const { page } = stub;
        await expectRoomyLayout(page);
        await give(busy);
        await expectHeading(page, "Many photos are being read");
        await expectRoomyLayout(page);
        await give(unsure);
        await expectHeading(page, "Long sleeve?");
        await expectRoomyLayout(page);
        const heading = await headingOf(page).boundingBox();
        expect((heading?.y ?? Number.NaN) + (heading?.height ?? 0)).toBeLessThan(640);
      },
    );
  });
});
