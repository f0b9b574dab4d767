/** Kinds of picture that are no JPEG, by every way in, with both tiers: AVIF and WebP are read, HEIC is told what to do. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { problemSchema } from "@vitrine/gateway/api";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { findBrowser, launchBrowser } from "./browser.js";
import { startPictureServer } from "./picture-server.js";
import { DRAWING, startUp } from "./vitrine.js";
import type { WatchedPage } from "./website-page.js";
import { dropFiles, expectHeading, openPage } from "./website-page.js";

const GOLDEN = path.join(import.meta.dirname, "../../packages/gateway/golden/pictures");
const FILES = {
  avif: path.join(GOLDEN, "avif-400x533.avif"),
  webp: path.join(GOLDEN, "webp-lossy.webp"),
  heic: path.join(import.meta.dirname, "pictures/phone.heic"),
};
type Kind = keyof typeof FILES;

const HEIC_TITLE = "HEIC photos cannot be read here";

const browserPath = findBrowser();

describe.skipIf(browserPath === undefined)("a picture that is no JPEG", () => {
  const ends: (() => void)[] = [];
  const links = { avif: "", webp: "", heic: "" };
  let browser: Browser;
  let url: string;
  let watched: WatchedPage;
  let page: Page;

  beforeAll(async () => {
    const atEnd = (end: () => void) => void ends.push(end);
    const hosts = await Promise.all(
      (["avif", "webp", "heic"] as const).map(async (kind) => {
        const { host } = await startPictureServer(FILES[kind], atEnd);
        links[kind] = `http://${host}/photo.${kind}`;
        return `--allow-image-host=${host}`;
      }),
    );
    [browser, { url }] = await Promise.all([launchBrowser(browserPath ?? ""), startUp(hosts, {}, atEnd)]);
  });

  afterAll(async () => {
    await browser?.close();
    for (const end of ends) end();
  });

  beforeEach(async () => {
    watched = await openPage(browser, url);
    page = watched.page;
  });

  afterEach(async () => {
    expect(await watched.misdeeds()).toEqual([]);
    await page.context().close();
  });

  const choose = (...files: string[]) => page.getByLabel("Choose photos").setInputFiles(files);
  const pasteFile = async (file: string, type: string) => {
    const bytes = [...(await readFile(file))];
    await page.evaluate(
      ({ content, name, mediaType }) => {
        const clipboardData = new DataTransfer();
        clipboardData.items.add(new File([new Uint8Array(content)], name, { type: mediaType }));
        document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
      },
      { content: bytes, name: path.basename(file), mediaType: type },
    );
  };
  const give = (link: string) => page.getByLabel("Or a link to a photo").fill(link);

  const ways = {
    chosen: (kind: Kind) => choose(FILES[kind]),
    dropped: (kind: Kind) => dropFiles(page, [FILES[kind]]),
    pasted: (kind: Kind) => pasteFile(FILES[kind], `image/${kind}`),
    "pasted as a JPEG": (kind: Kind) => pasteFile(FILES[kind], "image/jpeg"),
    linked: async (kind: Kind) => {
      await give(links[kind]);
      await page.getByRole("button", { name: "Read it" }).click();
    },
  };
  const names = Object.keys(ways) as (keyof typeof ways)[];

  it.each(names.flatMap((way) => (["avif", "webp"] as const).map((kind) => [kind, way] as const)))(
    "in %s is read and shown: %s",
    async (kind, way) => {
      await ways[way](kind);
      await page
        .locator("#fine")
        .getByText(/clothing-model, version/)
        .waitFor();
      const picture = page.locator("#picture");
      await expect
        .poll(() => picture.evaluate((img: HTMLImageElement) => img.complete && img.naturalWidth))
        .toBeGreaterThan(20);
    },
  );

  it("files and a link of several kinds are one item", async () => {
    await choose(FILES.avif, FILES.webp, DRAWING);
    await page.getByText("From 3 photos.").waitFor();
    await give(links.webp);
    await page.getByRole("button", { name: "Read it" }).click();
    await page.getByRole("button", { name: "Add to this item" }).click();
    await page.getByText("From 4 photos.").waitFor();
  });

  it.each(names)("that is a HEIC is told what to do: %s", async (way) => {
    await ways[way]("heic");
    await expectHeading(page, HEIC_TITLE);
    await page.locator("#lead").getByText("Export the photo as a JPEG").waitFor();
    expect(await page.getByRole("button", { name: "Try again" }).isVisible()).toBe(false);
  });

  it("a HEIC among several photos is named, and the others are read without it", async () => {
    await choose(FILES.webp, FILES.heic, DRAWING);
    await expectHeading(page, HEIC_TITLE);
    expect(await page.locator("#eyebrow").textContent()).toBe("Photo 2");
    await page.getByRole("button", { name: "Remove it and read the others" }).click();
    await page.getByText("From 2 photos.").waitFor();
  });

  it("can be chosen on a computer, whose file dialog shows only what the page accepts", async () => {
    const accepted = await page.locator("#choose").getAttribute("accept");
    for (const kind of [".heic", "image/heic", "image/avif", "image/webp"]) expect(accepted).toContain(kind);
  });

  it("that is a HEIC is refused by the gateway by name, whatever it is said to be", async () => {
    const body = await readFile(FILES.heic);
    const response = await fetch(`${url}/predict`, {
      method: "POST",
      body,
      headers: { "content-type": "image/jpeg" },
    });
    const { status, reason, detail } = problemSchema.parse(await response.json());
    expect([status, reason]).toEqual([415, "IMAGE_TYPE_UNSUPPORTED"]);
    expect(detail).toContain("picture was a HEIC picture");
  });
});
