/** The built website, served from a folder. */
import { existsSync } from "node:fs";
import path from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { WEBSITE_POLICY } from "./security-headers.js";

const ONE_YEAR = "public, max-age=31536000, immutable";

/** True when the website was built into the folder. */
export function isWebsite(folder: string): boolean {
  return existsSync(path.join(folder, "index.html"));
}

/**
 * Serves the folder's files at `/`. Vite puts a hash of the content into the names below `assets/`, so those
 * never change; every other file is asked for again each time.
 *
 * @param folder as `vite build` writes it.
 */
export async function serveWebsite(app: FastifyInstance, folder: string): Promise<void> {
  const root = path.resolve(folder);
  const assets = path.join(root, "assets") + path.sep;
  await app.register(fastifyStatic, {
    root,
    wildcard: false,
    cacheControl: false,
    setHeaders(response, file) {
      response.header("cache-control", file.startsWith(assets) ? ONE_YEAR : "no-cache");
      response.header("content-security-policy", WEBSITE_POLICY);
    },
  });
}
