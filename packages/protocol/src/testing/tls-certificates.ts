/** The certificates of fixtures/tls. */
import { readFileSync } from "node:fs";

/** @param name of the file, such as `server.crt`. */
export function pem(name: string): string {
  return readFileSync(new URL(`../../fixtures/tls/${name}`, import.meta.url), "utf8");
}
