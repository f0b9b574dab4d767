import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const USUAL_PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/**
 * Path of a Chromium on this machine: VITRINE_CHROMIUM, which `npm test` sets to the one that it found, else one
 * of the usual places. Undefined without one: the browser tests are then skipped, and `npm test` says why.
 */
export function findBrowser(): string | undefined {
  const named = process.env.VITRINE_CHROMIUM;
  return named === undefined || named === "" ? USUAL_PLACES.find((place) => existsSync(place)) : named;
}

/** Starts a headless Chromium with a profile of its own that talks to nobody but the pages it is given. */
export function launchBrowser(executablePath: string): Promise<Browser> {
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({
    executablePath,
    // Chromium refuses its sandbox to root.
    chromiumSandbox: !isRoot,
    args: [
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
