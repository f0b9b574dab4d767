/** The built page on a stub of the gateway, for the tests of states that the real tiers cannot be brought to at will. */
import path from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { launchBrowser } from "./browser.js";
import type { WatchedPage } from "./website-page.js";
import { openPage } from "./website-page.js";
import { answerOf, json, type PredictHandler, problemOf, STUB_INFO, StubGateway } from "./website-stub.js";

export const SITE = path.join(import.meta.dirname, "../../website/dist");
export const TROUSERS = path.join(import.meta.dirname, "pictures/trousers.jpg");

export const answered = json(200, answerOf({ pants: 0.97, shorts: 0.02, skirt: 0.004 }));
export const unsure = json(200, answerOf({ longsleeve: 0.41, shirt: 0.33, "t-shirt": 0.18 }, true));
export const busy = json(429, problemOf(429, "OVERLOADED"), { "retry-after": "30" });
export const silent: PredictHandler = () => {};

export interface StubPage {
  readonly gateway: StubGateway;
  readonly url: string;
  readonly page: Page;
  /** Opens the page in a profile of its own. */
  open(options?: BrowserContextOptions): Promise<void>;
  /** Chooses a photo, or several of one item, which the gateway answers as said. */
  give(handler: PredictHandler, files?: string | readonly string[]): Promise<void>;
}

/** Within a `describe`: starts browser and stub for its tests, and holds after each that the page did nothing that it must not. */
export function useStubPage(browserPath: string | undefined): StubPage {
  const gateway = new StubGateway(SITE);
  let browser: Browser | undefined;
  let url = "";
  let watched: WatchedPage | undefined;
  const pageOf = (): Page => {
    if (watched === undefined) throw new Error("the test has not opened the page");
    return watched.page;
  };

  beforeAll(async () => {
    browser = await launchBrowser(browserPath ?? "");
    url = await gateway.listen();
  });

  afterAll(async () => {
    await browser?.close();
    await gateway.close();
  });

  beforeEach(() => {
    gateway.requests.length = 0;
    gateway.broken = undefined;
    gateway.onPredict = answered;
    gateway.onInfo = json(200, STUB_INFO);
    gateway.onPicture = json(400, problemOf(400, "IMAGE_URL_FAILED"));
  });

  afterEach(async () => {
    expect(await watched?.misdeeds()).toEqual([]);
    await watched?.page.context().close();
  });

  return {
    gateway,
    get url() {
      return url;
    },
    get page() {
      return pageOf();
    },
    async open(options = {}) {
      if (browser === undefined) throw new Error("there is no browser");
      watched = await openPage(browser, url, options);
    },
    async give(handler, files = TROUSERS) {
      gateway.onPredict = handler;
      await pageOf().locator("#choose").setInputFiles(files);
    },
  };
}
