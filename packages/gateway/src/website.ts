/** The built website, served from a folder. */
import { existsSync } from "node:fs";
import path from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { policyOfWebsite, servePage } from "./website-page.js";

const ONE_YEAR = "public, max-age=31536000, immutable";

/** True when the website was built into the folder. */
export function isWebsite(folder: string): boolean {
  return existsSync(path.join(folder, "index.html"));
}

/**
 * Serves the page at `/` and the folder's other files beside it, compressed where the build has written them so and the browser
 * takes it. Vite puts a hash of the content into the names below `assets/`, so those never change; every other file is asked for
 * again each time.
 *
 * @param folder as `vite build` writes it.
 */
export async function serveWebsite(app: FastifyInstance, folder: string): Promise<void> {
  const root = path.resolve(folder);
  const assets = path.join(root, "assets") + path.sep;
  const policy = await policyOfWebsite(root);
  await servePage(app, root);
  await app.register(fastifyStatic, {
    root,
    index: false,
    wildcard: false,
    globIgnore: ["**/*.{br,gz}"],
    preCompressed: true,
    cacheControl: false,
    setHeaders(response, file) {
      response.header("cache-control", file.startsWith(assets) ? ONE_YEAR : "no-cache");
      response.header("content-security-policy", policy);
    },
  });
}
