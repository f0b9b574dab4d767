#!/usr/bin/env node
/**
 * `node scripts/screenshot.js`: takes the pictures of docs/images anew, of the page of a `vitrine up` with the shipped
 * model and drawings of our own. Run it after `npm run build`.
 */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { findBrowser, HOW_TO_GET_ONE } from "./browser.js";
import { ROOT } from "./processes.js";

const TROUSERS = path.join(ROOT, "tests", "e2e", "pictures", "trousers.jpg");
const SAMPLE = path.join(ROOT, "website", "public", "samples", "trousers.jpg");

const WIDE = { viewport: { width: 1120, height: 830 } };
const PHONE = { viewport: { width: 320, height: 640 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };

/** What each picture shows: how the page is opened, and what is done on it. */
const PICTURES = {
  website: { options: WIDE, act: (page) => giveTwo(page) },
  "website-dark": { options: { ...WIDE, colorScheme: "dark" }, act: (page) => giveTwo(page) },
  "website-start": { options: WIDE, act: async () => {} },
  "website-phone": { options: PHONE, act: (page) => give(page, [TROUSERS]) },
  "website-arabic": { options: { ...PHONE, locale: "ar" }, act: (page) => give(page, [TROUSERS]) },
  "website-why": {
    options: WIDE,
    async act(page) {
      await give(page, [TROUSERS]);
      await page.locator("#why summary, #why button").first().click();
      await page.locator("#why canvas").first().waitFor();
      await page.locator("#why").scrollIntoViewIfNeeded();
    },
  },
};

async function give(page, files) {
  await page.setInputFiles("#choose", files);
  await page.locator("#verdict:not([hidden])").waitFor();
}

async function giveTwo(page) {
  await give(page, [TROUSERS, SAMPLE]);
  await page.fill("#draft-words", "Denim, size 32");
}

async function takePictures(url, browser) {
  for (const [name, { options, act }] of Object.entries(PICTURES)) {
    const context = await browser.newContext({ locale: "en", reducedMotion: "reduce", ...options });
    const page = await context.newPage();
    await page.goto(url);
    await page.locator("#limits").getByText(/\d/).waitFor();
    await act(page);
    await page.evaluate(() => document.activeElement?.blur());
    await page.mouse.move(0, 0);
    const file = path.join(ROOT, "docs", "images", `${name}.png`);
    await page.screenshot({ path: file });
    console.log(`${path.relative(ROOT, file)}: ${(await readFile(file)).byteLength} bytes`);
    await context.close();
  }
}

const executablePath = findBrowser();
if (executablePath === undefined) {
  console.error(`no Chromium: ${HOW_TO_GET_ONE}`);
  process.exit(1);
}
const program = path.join(ROOT, "packages", "cli", "bin", "vitrine.js");
const up = spawn(process.execPath, [program, "up", "--port=0", "--grpc-port=0", "--rest-port=0"], {
  stdio: ["ignore", "pipe", "ignore"],
});
try {
  const url = await new Promise((resolve, reject) => {
    up.once("exit", (code) => reject(new Error(`vitrine up ended with ${code}`)));
    createInterface({ input: up.stdout }).once("line", (line) => resolve(line.replace("ready ", "")));
  });
  const browser = await chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 });
  await takePictures(url, browser);
  await browser.close();
} finally {
  up.kill("SIGTERM");
}
