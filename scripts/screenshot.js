#!/usr/bin/env node
/**
 * `node scripts/screenshot.js`: takes docs/images/website.png anew, of the page of a `vitrine up` with the shipped
 * model and a drawing of our own. Run it after `npm run build`.
 */
import { spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { findBrowser, HOW_TO_GET_ONE } from "./browser.js";
import { ROOT } from "./processes.js";

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
  const page = await browser.newPage({ viewport: { width: 1120, height: 790 }, reducedMotion: "reduce" });
  await page.goto(url);
  await page.setInputFiles("#choose", path.join(ROOT, "tests", "e2e", "pictures", "trousers.jpg"));
  await page.locator("#verdict:not([hidden])").waitFor();
  await page.mouse.move(0, 0);
  await page.screenshot({ path: path.join(ROOT, "docs", "images", "website.png") });
  await browser.close();
} finally {
  up.kill("SIGTERM");
}
