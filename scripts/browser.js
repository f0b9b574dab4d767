/** Finds, and on Debian installs, the Chromium of the browser tests. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { run } from "./processes.js";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const PLACES = ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"];

/**
 * Path of a Chromium or Chrome of this machine.
 *
 * @returns {string | undefined}
 */
export function findBrowser() {
  if (process.env.VITRINE_CHROMIUM) return process.env.VITRINE_CHROMIUM;
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  const places = [...folders.flatMap((folder) => NAMES.map((name) => path.join(folder, name))), ...PLACES];
  return places.find((place) => existsSync(place));
}

/** Installs Debian's package when this is Debian and we are root; else says how to get one. */
export async function installBrowser() {
  if (findBrowser() !== undefined) return;
  if (!isDebian() || process.getuid?.() !== 0) {
    console.error(`no Chromium: ${HOW_TO_GET_ONE}`);
    return;
  }
  console.error("installing Chromium (Debian's package) …");
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const install = ["install", "-y", "-q", "--no-install-recommends", "chromium"];
  const code = (await run("apt-get", ["update", "-q"], { env })) || (await run("apt-get", install, { env }));
  if (code !== 0) console.error(`apt-get failed, so the browser tests are skipped: ${HOW_TO_GET_ONE}`);
}

export const HOW_TO_GET_ONE =
  "install Chromium or Chrome, or name one in the environment variable VITRINE_CHROMIUM; " +
  "as root on Debian, npm test -- --install-browser does it";

function isDebian() {
  return (
    existsSync("/etc/os-release") && /^ID(_LIKE)?=.*debian/m.test(readFileSync("/etc/os-release", "utf8"))
  );
}
