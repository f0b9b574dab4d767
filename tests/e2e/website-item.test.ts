/** One item from its first photo to its draft: several photos, corrections, and what outlasts reload, Back and a second tab. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { expectAccessible } from "./axe.js";
import { findBrowser } from "./browser.js";
import { expectAnnounced, expectHeading, expectRoomyLayout, headingOf } from "./website-page.js";
import { answerOf, json, type PredictHandler, problemOf, STUB_INFO } from "./website-stub.js";
import { answered, silent, TROUSERS, useStubPage } from "./website-stub-page.js";

const SAMPLES = path.join(import.meta.dirname, "../../website/public/samples");
const [DRESS, HAT] = ["dress.jpg", "hat.jpg"].map((name) => path.join(SAMPLES, name)) as [string, string];

/** Names of the parts of a form, in order. */
function partsOf(body: Buffer): readonly string[] {
  return [...body.toString("latin1").matchAll(/name="(file|url)"/g)].map(([, name = ""]) => name);
}

/** Answers with as many photos as were sent. */
const several: PredictHandler = (request, response) => {
  const count = [...partsOf(request.body)].length;
  const photos = [
    { top_class: "pants", top_probability: 0.91 },
    { top_class: "dress", top_probability: 0.55 },
    { top_class: "hat", top_probability: 0.3 },
  ].slice(0, count);
  const answer = answerOf({ pants: 0.8, dress: 0.15, hat: 0.05 });
  json(200, count > 1 ? { ...answer, photos } : answer)(request, response);
};

function pasteLink(page: Page, link: string): Promise<void> {
  return page.evaluate((text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", text);
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
  }, link);
}

function pastePicture(page: Page): Promise<void> {
  return page.evaluate(() => {
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File(["x"], "pasted.png", { type: "image/png" }));
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
  });
}

/** Drops data, and a picture where `file` names one, as an image that is dragged from a page carries them. */
function drop(page: Page, data: Readonly<Record<string, string>>, file?: string): Promise<void> {
  return page.evaluate(
    ([entries, name]) => {
      const dataTransfer = new DataTransfer();
      for (const [type, text] of Object.entries(entries)) dataTransfer.setData(type, text);
      if (name !== undefined) dataTransfer.items.add(new File(["x"], name, { type: "image/png" }));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    },
    [data, file] as const,
  );
}

/** Photos in the browser's database. */
function filesKept(page: Page): Promise<unknown> {
  return page.evaluate(
    () =>
      new Promise((resolve) => {
        indexedDB.open("vitrine").onsuccess = ({ target }) => {
          const { result: database } = target as IDBOpenDBRequest;
          const files = database.transaction("files").objectStore("files").count();
          files.onsuccess = () => resolve(files.result);
          database.close();
        };
      }),
  );
}

const browserPath = findBrowser();

describe.skipIf(browserPath === undefined)("an item on the page", () => {
  const stub = useStubPage(browserPath);
  const { gateway, open, give } = stub;

  it("several photos get one answer, and each says what it would have been alone", async () => {
    await open();
    const { page } = stub;
    await give(several, [TROUSERS, DRESS]);
    await expectHeading(page, "Pants");
    await page.getByText("From 2 photos.").waitFor();
    await page.getByRole("button", { name: "Show photo 2: Dress, 55%" }).click();
    expect(await page.getByRole("button", { name: "Show photo 2" }).getAttribute("aria-pressed")).toBe(
      "true",
    );

    await page.getByLabel("Add a photo of this item").setInputFiles(HAT);
    await page.getByText("From 3 photos.").waitFor();
    await page.getByRole("button", { name: "Remove photo 1" }).press("Enter");
    await page.getByRole("button", { name: "Show photo 3" }).waitFor({ state: "detached" });
    await page.getByText("From 2 photos.").waitFor();
    await page.getByRole("button", { name: "Remove photo 2" }).click();
    await page
      .locator("#fine")
      .getByText(/^The model knows only/)
      .waitFor();
    expect(await page.getByRole("button", { name: /^Remove photo/ }).count()).toBe(0);
    expect(gateway.requests).toHaveLength(4);
  });

  it("more photos than the gateway takes are left out, and the page says so", async () => {
    await open();
    const { page } = stub;
    await give(
      several,
      Array.from({ length: 10 }, () => HAT),
    );
    await page.getByText("the first 8 of 10 were taken").first().waitFor();
    await expectHeading(page, "Pants");
    expect(await page.getByRole("button", { name: /^Show photo/ }).count()).toBe(8);
    expect(await page.getByLabel("Add a photo of this item").isVisible()).toBe(false);
  });

  it("a pasted picture asks where it belongs: to this item, to another, or nowhere", async () => {
    await open();
    const { page } = stub;
    await give(several);
    await expectHeading(page, "Pants");
    await pastePicture(page);
    const dialog = page.getByRole("dialog", { name: "Where does this photo belong?" });
    await dialog.waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    expect(gateway.requests).toHaveLength(1);

    await pastePicture(page);
    await page.getByRole("button", { name: "Add to this item" }).click();
    await page.getByText("From 2 photos.").waitFor();

    await pastePicture(page);
    await page.getByRole("button", { name: "Start another item" }).click();
    await page
      .locator("#fine")
      .getByText(/^The model knows only/)
      .waitFor();
    expect(await page.getByRole("button", { name: /^Show photo/ }).count()).toBe(0);
  });

  it("a link may be one more photo of an item of files: both are sent in their order, kept, and read again", async () => {
    await open();
    const { page } = stub;
    await give(several);
    await expectHeading(page, "Pants");
    await pasteLink(page, "https://example.com/dress.jpg");
    await page.getByRole("dialog", { name: "Where does this link belong?" }).waitFor();
    await page.getByRole("button", { name: "Add to this item" }).click();
    await page.getByText("From 2 photos.").waitFor();
    await page.getByText("A photo from example.com").waitFor();
    await page.getByLabel("Add a photo of this item").setInputFiles(HAT);
    await page.getByText("From 3 photos.").waitFor();
    expect(gateway.requests.map(({ body }) => partsOf(body))).toEqual([
      ["file"],
      ["file", "url"],
      ["file", "url", "file"],
    ]);
    expect(gateway.requests[2]?.body.toString("latin1")).toContain(
      "\r\n\r\nhttps://example.com/dress.jpg\r\n",
    );

    await page.getByLabel("Title").fill("Two of one kind");
    await page.reload();
    await page.getByText("From 3 photos.").waitFor();
    await page.getByRole("button", { name: "Remove photo 1" }).click();
    await page.getByText("From 2 photos.").waitFor();
    expect(partsOf(gateway.requests[3]?.body ?? Buffer.alloc(0))).toEqual(["url", "file"]);
    expect(await page.getByLabel("Title").inputValue()).toBe("Two of one kind");
  });

  it("several links of a list are photos of one item, and what is no link is said to be left out", async () => {
    await open();
    const { page } = stub;
    gateway.onPredict = several;
    const [front, back] = ["https://example.com/front.jpg", "https://example.com/back.jpg"];
    await drop(page, { "text/uri-list": `# two\r\n${front}\r\nftp://example.com/\r\n${back}\r\n` });
    await page.getByText("From 2 photos.").waitFor();
    await page.locator("#notice").getByText("1 address is no link to a website and was left out.").waitFor();
    expect(gateway.requests.map(({ body }) => JSON.parse(body.toString()))).toEqual([
      { urls: [front, back] },
    ]);

    await pasteLink(page, `${back}\n${front}`);
    await page.getByRole("dialog", { name: "Where do these photos belong?" }).waitFor();
    await page.getByRole("button", { name: "Start another item" }).click();
    await expect.poll(() => gateway.requests.length).toBe(2);
    await page.getByText("From 2 photos.").waitFor();
  });

  it("links beside a dropped file are said to be left out, but not the address of an image of a page", async () => {
    await open();
    const { page } = stub;
    const link = "https://example.com/hat.png";
    await drop(page, { "text/uri-list": link, "text/html": `<img src="${link}">` }, "hat.png");
    await expectHeading(page, "Pants");
    expect(await page.locator("#notice").isVisible()).toBe(false);
    await drop(page, { "text/uri-list": `${link}\r\nhttps://example.com/b.png` }, "hat.png");
    await page.getByRole("button", { name: "Start another item" }).click();
    await page.locator("#notice").getByText("2 links beside the files were left out.").waitFor();
    await expectHeading(page, "Pants");
    expect(gateway.requests.map(({ body }) => partsOf(body))).toEqual([["file"], ["file"]]);
  });

  it("the field for a link is empty once its link is taken, and holds the one that failed until something else is given", async () => {
    await open();
    const { page } = stub;
    const field = page.getByLabel("Or a link to a photo");
    const link = "https://example.com/hat.jpg";
    await field.fill(link);
    await field.press("Enter");
    await expectHeading(page, "Pants");
    expect(await field.inputValue()).toBe("");

    await field.fill("https://example.com/half-writ");
    await pasteLink(page, link);
    await page.getByRole("button", { name: "Start another item" }).click();
    await expectHeading(page, "Pants");
    expect(await field.inputValue()).toBe("https://example.com/half-writ");

    await field.fill("");
    gateway.onPredict = json(400, problemOf(400, "IMAGE_URL_FAILED"));
    await pasteLink(page, link);
    await page.getByRole("button", { name: "Start another item" }).click();
    await expectHeading(page, "The link gave no picture");
    expect(await field.inputValue()).toBe(link);
    await give(several);
    await expectHeading(page, "Pants");
    expect(await field.inputValue()).toBe("");
  });

  it("the link of an item of several that fails is named and can be left out", async () => {
    await open();
    const { page } = stub;
    await give(several, [TROUSERS, HAT]);
    await expectHeading(page, "Pants");
    gateway.onPredict = json(400, { ...problemOf(400, "IMAGE_URL_FAILED"), photo: 2 });
    await pasteLink(page, "https://example.com/none.jpg");
    await page.getByRole("button", { name: "Add to this item" }).click();
    await expectHeading(page, "The link gave no picture");
    await page.locator("#lead").getByText("example.com did not hand it over.").waitFor();
    expect(await page.locator("#eyebrow").textContent()).toBe("Photo 3");
    gateway.onPredict = several;
    await page.getByRole("button", { name: "Remove it and read the others" }).click();
    await page.getByText("From 2 photos.").waitFor();
  });

  it("a typed link asks where it belongs, and begins another item without asking in the place of one that failed", async () => {
    await open();
    const { page } = stub;
    const link = page.getByLabel("Or a link to a photo");
    gateway.onPredict = json(400, problemOf(400, "IMAGE_URL_FAILED"));
    await link.fill("https://example.com/typo.jpg");
    await link.press("Enter");
    await expectHeading(page, "The link gave no picture");
    gateway.onPredict = several;
    await link.fill("https://example.com/hat.jpg");
    await link.press("Enter");
    await expectHeading(page, "Pants");
    await link.fill("https://example.com/other.jpg");
    await link.press("Enter");
    await page.getByRole("button", { name: "Start another item" }).click();
    await page.getByText("A photo from example.com").waitFor();
    expect(gateway.requests.map(({ body }) => JSON.parse(body.toString()).url)).toEqual([
      "https://example.com/typo.jpg",
      "https://example.com/hat.jpg",
      "https://example.com/other.jpg",
    ]);
    await page.goBack();
    await expectHeading(page, "Pants");
  });

  it("a linked photo is shown as the gateway hands it over", async () => {
    await open();
    const { page } = stub;
    gateway.onPicture = (_request, response) => {
      const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"/>';
      response.writeHead(200, { "content-type": "image/svg+xml" }).end(svg);
    };
    await pasteLink(page, "https://example.com/hat.jpg");
    await expectHeading(page, "Pants");
    const picture = page.getByRole("img", { name: "Your photo: pants" });
    expect(
      await picture.evaluate((img: HTMLImageElement) => [img.naturalWidth, img.src.slice(0, 5)]),
    ).toEqual([40, "blob:"]);
  });

  it("a linked photo that is not shown large is explained on its picture, also where the site asks for a key", async () => {
    const locked: PredictHandler = json(401, problemOf(401, "UNAUTHENTICATED"));
    const heatmap = {
      ...{ width: 1, height: 1, values: [1], area: { x: 0, y: 0, width: 1, height: 1 } },
      ...{ photo: 0, method: "activation", orientation: 1, flat: false },
    };
    const unlocked =
      (handler: PredictHandler): PredictHandler =>
      (request, response) =>
        (request.authorization === "Bearer right" ? handler : locked)(request, response);
    await open();
    const { page } = stub;
    gateway.onInfo = unlocked(json(200, { ...STUB_INFO, explain: true, explain_by: "activation" }));
    const answer = answerOf({ pants: 0.8, dress: 0.2 });
    gateway.onPredict = unlocked(json(200, { ...answer, heatmap }));
    gateway.onPicture = unlocked((_request, response) => {
      const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"/>';
      response.writeHead(200, { "content-type": "image/svg+xml" }).end(svg);
    });
    await page.reload();
    await page.getByLabel("Key of this site").fill("right");
    await page.getByLabel("Key of this site").press("Enter");
    await pasteLink(page, "https://example.com/front.jpg");
    await expectHeading(page, "Pants");
    await pasteLink(page, "https://example.com/back.jpg");
    await page.getByRole("button", { name: "Add to this item" }).click();
    await page.getByRole("button", { name: "Show photo 2" }).click();
    const why = page.locator("#why");
    await why.locator("summary").click();
    const picture = why.getByRole("img");
    await expect.poll(() => picture.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBe(40);
    expect(await why.getByText("cannot be shown here").count()).toBe(0);
  });

  it("the photo at fault among several is shown and named, and the others are read without it", async () => {
    await open();
    const { page } = stub;
    const problem = { ...problemOf(400, "IMAGE_UNDECODABLE"), photo: 1 };
    await give(json(400, problem), [TROUSERS, DRESS, HAT]);
    await expectHeading(page, "This picture is damaged");
    await expectAnnounced(page, "Photo 2: This picture is damaged.");
    const faulty = page.getByRole("button", { name: "Show photo 2: This picture is damaged" });
    expect(await faulty.getAttribute("aria-pressed")).toBe("true");
    gateway.onPredict = several;
    await page.getByRole("button", { name: "Remove it and read the others" }).click();
    await expectHeading(page, "Pants");
    expect(await page.locator("#thumbs .thumb").count()).toBe(2);
    expect(await page.locator("#remove-faulty").isHidden()).toBe(true);
  });

  it("a photo that the browser cannot draw has its number in the strip", async () => {
    await open();
    const { page } = stub;
    gateway.onPredict = several;
    await page.locator("#choose").setInputFiles([
      { name: "a.jpg", mimeType: "image/jpeg", buffer: await readFile(TROUSERS) },
      { name: "b.jpg", mimeType: "image/jpeg", buffer: Buffer.from("no picture") },
    ]);
    await page.getByText("From 2 photos.").waitFor();
    await page.locator(".thumb-blank").getByText("2", { exact: true }).waitFor();
    expect(await page.locator("#thumbs img").count()).toBe(1);
  });

  it("a long name is broken between its parts under a photo, and whole where it is read out", async () => {
    await open({ locale: "de", viewport: { width: 320, height: 640 } });
    const { page } = stub;
    const photos = ["longsleeve", "outwear"].map((label) => ({ top_class: label, top_probability: 0.89 }));
    await give(json(200, { ...answerOf({ longsleeve: 0.9, dress: 0.1 }), photos }), [DRESS, HAT]);
    await page.getByRole("button", { name: "Foto 1 zeigen: Langarmshirt, 89" }).waitFor();
    const said = page.locator(".thumb-said").first();
    expect(await said.textContent()).toContain("Langarm\u00adshirt");
    const lines = await said.evaluate(({ firstChild }) => {
      const tops = Array.from("Langarm-shirt", (_letter, index) => {
        const letter = new Range();
        if (firstChild === null) throw new Error("there is no text");
        letter.setStart(firstChild, index);
        letter.setEnd(firstChild, index + 1);
        // A letter after a break also has an empty box at the end of the line before.
        return [...letter.getClientRects()].at(-1)?.top;
      });
      return [tops.slice(0, 7), tops.slice(8)].map((part) => new Set(part).size);
    });
    expect(lines).toEqual([1, 1]);
    await expectRoomyLayout(page);
  });

  it("files that are no pictures are left out of a mixed choice, and that is said", async () => {
    await open();
    const { page } = stub;
    await page.locator("#choose").setInputFiles([
      { name: "list.pdf", mimeType: "application/pdf", buffer: Buffer.from("%PDF") },
      { name: "a.jpg", mimeType: "image/jpeg", buffer: await readFile(TROUSERS) },
    ]);
    await expectHeading(page, "Pants");
    await page.locator("#notice").getByText("1 file is no picture and was left out.").waitFor();
    expect(gateway.requests[0]?.body.toString("latin1")).not.toContain("list.pdf");
  });

  it("one tap on another category corrects the answer, and Undo takes it back", async () => {
    await open();
    const { page } = stub;
    await give(answered);
    await expectHeading(page, "Pants");
    await page.getByRole("button", { name: "Shorts 2%" }).click();
    await expectHeading(page, "Shorts");
    await expectAnnounced(page, "The category is now shorts.");
    await page.getByText("The model said pants, 97%.").waitFor();
    expect(await page.getByLabel("Category").inputValue()).toBe("shorts");
    expect(await page.getByLabel("Title").inputValue()).toBe("Shorts");
    await page.getByRole("button", { name: "Undo" }).click();
    await expectHeading(page, "Pants");
    await page.getByText("Almost certain", { exact: true }).waitFor();
    expect(gateway.requests).toHaveLength(1);
  });

  it("none of these: all categories can be searched with the keyboard", async () => {
    await open();
    const { page } = stub;
    await give(answered);
    await expectHeading(page, "Pants");
    await page.getByRole("button", { name: "None of these" }).press("Enter");
    const search = page.getByRole("combobox", { name: "Search all categories" });
    const options = page.getByRole("listbox").getByRole("option");
    expect(await options.count()).toBe(STUB_INFO.labels.length);
    await search.pressSequentially("sh");
    await expectAnnounced(page, "4 categories found.");
    expect(await options.allTextContents()).toEqual(["Shirt", "Shoes", "Shorts", "T-shirt"]);
    await search.press("ArrowDown");
    await search.press("ArrowDown");
    const active = page.getByRole("option", { name: "Shoes", selected: true });
    expect(await search.getAttribute("aria-activedescendant")).toBe(await active.getAttribute("id"));
    await search.press("Enter");
    await expectHeading(page, "Shoes");
    expect(await search.isVisible()).toBe(false);

    await page.getByRole("button", { name: "Another category" }).click();
    await search.fill("zebra");
    await expectAnnounced(page, "No category has this in its name.");
    await search.press("Escape");
    expect(await search.isVisible()).toBe(false);
  });

  it("the draft suggests a title until the person writes one, and is copied with its category", async () => {
    await open({ permissions: ["clipboard-read", "clipboard-write"] });
    const { page } = stub;
    await give(answered);
    await expectHeading(page, "Pants");
    const title = page.getByLabel("Title");
    await page.getByLabel("Your words").fill("levi's 501, blue");
    expect(await title.inputValue()).toBe("Levi's 501, blue – pants");
    await title.fill("My jeans");
    await page.getByLabel("Category").selectOption({ label: "Shorts" });
    expect(await title.inputValue()).toBe("My jeans");
    await page.getByRole("button", { name: "Copy the draft" }).click();
    await expectAnnounced(page, "The draft is on the clipboard.");
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("My jeans\nCategory: Shorts");
    await page.getByRole("button", { name: "Use the suggested title" }).click();
    expect(await title.inputValue()).toBe("Levi's 501, blue – shorts");
  });

  it("the answer is copied as JSON, and the question as a curl command that asks the same", async () => {
    await open({ permissions: ["clipboard-read", "clipboard-write"] });
    const { page } = stub;
    await give(answered);
    await expectHeading(page, "Pants");
    const copied = () => page.evaluate(() => navigator.clipboard.readText());
    await page.getByRole("button", { name: "Copy the answer as JSON" }).click();
    await expectAnnounced(page, "Copied.");
    expect(JSON.parse(await copied())).toEqual(answerOf({ pants: 0.97, shorts: 0.02, skirt: 0.004 }));
    await page.getByRole("button", { name: "Copy as a curl command" }).click();
    await page.waitForFunction(async () => (await navigator.clipboard.readText()).startsWith("curl"));
    const { stdout } = await promisify(execFile)("sh", ["-c", `${await copied()} --silent`], {
      cwd: path.dirname(TROUSERS),
    });
    expect(JSON.parse(stdout)).toMatchObject({ top_class: "pants" });
    expect(gateway.requests).toHaveLength(2);
  });

  it("what is said aside stands beside what it is about, covers nothing, and stays until it is closed", async () => {
    await open({ permissions: ["clipboard-read", "clipboard-write"], viewport: { width: 360, height: 640 } });
    const { page } = stub;
    await give(answered);
    await expectHeading(page, "Pants");
    const copy = page.getByRole("button", { name: "Copy the answer as JSON" });
    await copy.press("Enter");
    const notice = page.locator("#notice");
    await notice.getByText("Copied.").waitFor();
    const { isInFlow, gap, isInView } = await page.evaluate(() => {
      const box = (id: string) => document.getElementById(id)?.getBoundingClientRect() ?? new DOMRect();
      const style = getComputedStyle(document.getElementById("notice") ?? document.body);
      const [said, buttons] = [box("notice"), box("copy-buttons")];
      return {
        isInFlow: style.position === "static",
        gap: said.top - buttons.bottom,
        isInView: said.top >= 0 && said.bottom <= innerHeight,
      };
    });
    expect({ isInFlow, isInView }).toEqual({ isInFlow: true, isInView: true });
    expect(gap).toBeGreaterThanOrEqual(0);
    expect(gap).toBeLessThan(40);
    await expectAccessible(page);
    await page.getByRole("button", { name: "Close this message" }).press("Enter");
    expect(await notice.isVisible()).toBe(false);
    expect(await copy.evaluate((button) => button === document.activeElement)).toBe(true);

    await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
    await pasteLink(page, "no link");
    await notice.getByText("There is no picture and no link on the clipboard.").waitFor();
    expect(await notice.evaluate((element) => element.getBoundingClientRect().top >= 0)).toBe(true);
    await give(answered, HAT);
    await expectHeading(page, "Pants");
    expect(await notice.isVisible()).toBe(false);
  });

  it("a drawing that is only tried leaves no draft, and one that is written about is one", async () => {
    await open();
    const { page } = stub;
    await page.getByRole("button", { name: "Trousers" }).click();
    await expectHeading(page, "Pants");
    await page.reload();
    await headingOf(page).filter({ hasText: "Pants" }).waitFor();
    expect(gateway.requests).toHaveLength(1);
    await page.goBack();
    await expectHeading(page, "What are you listing?");
    await expect.poll(() => filesKept(page)).toBe(0);
    expect(await page.locator("#drafts").isVisible()).toBe(false);

    await page.goForward();
    await expectHeading(page, "Pants");
    await page.getByLabel("Your words").fill("painted");
    await page.goBack();
    await expectHeading(page, "What are you listing?");
    await page.getByRole("button", { name: "Painted – pants" }).waitFor();
    expect(await filesKept(page)).toBe(1);
  });

  it("photos, answer, correction and draft outlast a reload, without asking anew", async () => {
    await open();
    const { page } = stub;
    await give(several, [TROUSERS, DRESS]);
    await expectHeading(page, "Pants");
    await page.getByRole("button", { name: "Dress 15%" }).click();
    await page.getByLabel("Your words").fill("silk");
    await page.reload();
    await headingOf(page).filter({ hasText: "Dress" }).waitFor();
    expect(await page.getByLabel("Title").inputValue()).toBe("Silk – dress");
    expect(await page.getByRole("button", { name: /^Show photo/ }).count()).toBe(2);
    await page.getByRole("img", { name: "Your photo: dress" }).waitFor();
    expect(gateway.requests).toHaveLength(1);
  });

  it("a reload in mid-upload keeps the photo, says so, and asks again", async () => {
    await open();
    const { page } = stub;
    await give(silent);
    await expectHeading(page, "Reading the photo");
    await page.reload();
    await page.getByText("left before its answer came").waitFor();
    await page.getByRole("img", { name: "Your photo" }).waitFor();
    await expect.poll(() => gateway.requests.length).toBe(2);
    gateway.onPredict = answered;
    await page.reload();
    await headingOf(page).filter({ hasText: "Pants" }).waitFor();
    expect(gateway.requests[2]?.body.byteLength).toBe(gateway.requests[0]?.body.byteLength);
  });

  it("Back and Forward go through the items with their drafts, to the start and back", async () => {
    await open();
    const { page } = stub;
    await give(answered);
    await expectHeading(page, "Pants");
    await page.getByLabel("Your words").fill("first");
    await give(json(200, answerOf({ hat: 0.9, dress: 0.1 })), HAT);
    await expectHeading(page, "Hat");
    expect(await page.getByLabel("Your words").inputValue()).toBe("");
    await page.goBack();
    await expectHeading(page, "Pants");
    expect(await page.getByLabel("Your words").inputValue()).toBe("first");
    await page.goBack();
    await expectHeading(page, "What are you listing?");
    await page.goForward();
    await page.goForward();
    await expectHeading(page, "Hat");
    expect(gateway.requests).toHaveLength(2);
  });

  it("two tabs do not disturb one another, also when they began with the same item", async () => {
    await open();
    const { page } = stub;
    await give(answered);
    await expectHeading(page, "Pants");
    const other = await page.context().newPage();
    await other.goto(stub.url);
    gateway.onPredict = json(200, answerOf({ hat: 0.9, dress: 0.1 }));
    await other.locator("#choose").setInputFiles(HAT);
    await expectHeading(other, "Hat");

    // As a duplicated tab has it: the same history entry.
    const entry = await page.evaluate(() => history.state);
    const twin = await page.context().newPage();
    await twin.goto(stub.url);
    await twin.evaluate((state) => history.replaceState(state, ""), entry);
    await twin.reload();
    await headingOf(twin).filter({ hasText: "Pants" }).waitFor();
    await twin.getByLabel("Your words").fill("of the twin");
    await page.getByLabel("Your words").fill("of the first");
    await Promise.all([twin.reload(), page.reload(), other.reload()]);
    const wordsOf = (tab: Page) => tab.getByLabel("Your words").inputValue();
    await headingOf(page).filter({ hasText: "Pants" }).waitFor();
    await headingOf(twin).filter({ hasText: "Pants" }).waitFor();
    await headingOf(other).filter({ hasText: "Hat" }).waitFor();
    expect([await wordsOf(page), await wordsOf(twin), await wordsOf(other)]).toEqual([
      "of the first",
      "of the twin",
      "",
    ]);
  });

  it("a draft of a closed tab is offered at the start, and can be discarded for good", async () => {
    await open();
    const { page } = stub;
    await give(answered);
    await expectHeading(page, "Pants");
    await page.getByLabel("Your words").fill("blue");
    const fresh = await page.context().newPage();
    await page.close();
    await fresh.goto(stub.url);
    await fresh.getByRole("button", { name: "Blue – pants" }).click();
    await expectHeading(fresh, "Pants");
    await fresh.getByRole("button", { name: "Discard this item" }).click();
    await expectHeading(fresh, "What are you listing?");
    await fresh.reload();
    await fresh.locator("#limits").getByText("up to").waitFor();
    expect(await fresh.getByRole("button", { name: "Blue – pants" }).count()).toBe(0);
    expect(await filesKept(fresh)).toBe(0);
  });

  it("an item that another tab deleted as too old is whole again once it is edited in the tab that shows it", async () => {
    await open();
    const { page } = stub;
    await give(answered);
    await expectHeading(page, "Pants");
    const other = await page.context().newPage();
    await other.goto(stub.url);
    await other.evaluate(
      (untouchedMs) =>
        new Promise<void>((resolve) => {
          indexedDB.open("vitrine").onsuccess = ({ target }) => {
            const transaction = (target as IDBOpenDBRequest).result.transaction("items", "readwrite");
            transaction.objectStore("items").openCursor().onsuccess = (event) => {
              const cursor = (event.target as IDBRequest<IDBCursorWithValue>).result;
              cursor.update({ ...cursor.value, updatedMs: untouchedMs });
            };
            transaction.oncomplete = () => resolve();
          };
        }),
      Date.now() - 8 * 24 * 60 * 60 * 1000,
    );
    await other.reload();
    await expect.poll(() => filesKept(other)).toBe(0);

    await page.getByLabel("Your words").fill("blue");
    await expect.poll(() => filesKept(other)).toBe(1);
    await page.reload();
    await headingOf(page).filter({ hasText: "Pants" }).waitFor();
    expect(await page.getByLabel("Title").inputValue()).toBe("Blue – pants");
    expect(gateway.requests).toHaveLength(1);
  });

  it("a browser that keeps nothing still reads, and says that the draft is not kept", async () => {
    await open();
    const { page } = stub;
    await page.addInitScript(() => Object.defineProperty(window, "indexedDB", { value: undefined }));
    await page.reload();
    await give(answered);
    await expectHeading(page, "Pants");
    await page.getByText("This browser cannot keep the draft").waitFor();
    await give(json(200, answerOf({ hat: 0.9, dress: 0.1 })), HAT);
    await expectHeading(page, "Hat");
    await page.goBack();
    await expectHeading(page, "Pants");
  });
});
