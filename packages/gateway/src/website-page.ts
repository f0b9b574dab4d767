/** The page of the website in each of its languages, of which every visitor gets the one that their browser asks for. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { FastifyInstance } from "fastify";
import { bestOf, languageOf, parseWishes } from "./negotiation.js";
import { websitePolicy } from "./security-headers.js";

/** One page as the build wrote it. */
interface Page {
  /** Of its `<html lang>`; empty where it does not say. */
  readonly language: string;
  readonly policy: string;
  /** By content coding; "identity" is the page as it is. */
  readonly bodies: ReadonlyMap<string, Buffer>;
  readonly etag: string;
}

/** The content codings that the build writes, by the endings of their files; the smallest first. */
const CODINGS = [
  ["br", ".br"],
  ["gzip", ".gz"],
  ["identity", ""],
] as const;

const PAGE = /^index(?:\.[\w-]+)?\.html$/;

/**
 * The policy of the pages of a folder, with the scripts and styles that the build put into them.
 *
 * @param folder with an index.html.
 */
export async function policyOfWebsite(folder: string): Promise<string> {
  return policyOf(await readFile(path.join(folder, "index.html"), "utf8"));
}

function policyOf(html: string): string {
  const hashesOf = (element: string) =>
    [...html.matchAll(new RegExp(`<${element}>([\\s\\S]*?)</${element}>`, "g"))].map(([, text = ""]) =>
      createHash("sha256").update(text).digest("base64"),
    );
  return websitePolicy({ scripts: hashesOf("script"), styles: hashesOf("style") });
}

/**
 * Serves `/` from the folder's index.html, or from the index.LANGUAGE.html that `?lang=` names, else that `Accept-Language` wishes
 * for most. They are read once: a website that is built anew is served after a restart.
 *
 * @param folder as the website's build writes it.
 */
export async function servePage(app: FastifyInstance, folder: string): Promise<void> {
  const pages = await readPages(folder);
  const languages = pages.map(({ language }) => language);
  const byLanguage = new Map(pages.map((page) => [page.language, page]));
  app.get<{ Querystring: { lang?: unknown } }>("/", async (request, reply) => {
    const { headers, query } = request;
    const asked = byLanguage.get(typeof query.lang === "string" ? query.lang : "");
    const page = asked ?? byLanguage.get(languageOf(headers["accept-language"], languages) ?? "") ?? pages[0];
    const coding = bestOf(parseWishes(headers["accept-encoding"]), [...page.bodies.keys()]) ?? "identity";
    const etag = `"${page.etag}-${coding}"`;
    reply
      .header("content-security-policy", page.policy)
      .header("cache-control", "no-cache")
      .header("vary", [reply.getHeader("vary") ?? [], "accept-language", "accept-encoding"].flat().join(", "))
      .header("etag", etag);
    if (page.language !== "") reply.header("content-language", page.language);
    if (pages.length > 1)
      reply.header("link", alternatesOf(`${request.protocol}://${request.host}/`, languages));
    if (isKnown(headers["if-none-match"], etag)) return reply.code(304).send();
    if (coding !== "identity") reply.header("content-encoding", coding);
    return reply.type("text/html; charset=utf-8").send(page.bodies.get(coding));
  });
}

/** Where the page is in each language, for search engines, which want whole addresses. */
function alternatesOf(home: string, languages: readonly string[]): string {
  const { href } = URL.canParse(home) ? new URL(home) : { href: "/" };
  const alternate = (url: string, language: string) => `<${url}>; rel="alternate"; hreflang="${language}"`;
  return [
    ...languages.map((language) => alternate(`${href}?lang=${language}`, language)),
    alternate(href, "x-default"),
  ].join(", ");
}

/** @returns index.html first. */
async function readPages(folder: string): Promise<readonly [Page, ...Page[]]> {
  const others = (await readdir(folder)).filter((name) => PAGE.test(name) && name !== "index.html").sort();
  const first = await readPage(path.join(folder, "index.html"));
  return [first, ...(await Promise.all(others.map((name) => readPage(path.join(folder, name)))))];
}

async function readPage(file: string): Promise<Page> {
  const html = await readFile(file);
  const text = html.toString("utf8");
  const bodies = new Map<string, Buffer>();
  for (const [coding, ending] of CODINGS) {
    if (existsSync(file + ending)) bodies.set(coding, await readFile(file + ending));
  }
  return {
    language: /<html[^>]*\slang="([\w-]+)"/.exec(text)?.[1] ?? "",
    policy: policyOf(text),
    bodies,
    etag: createHash("sha256").update(html).digest("base64url").slice(0, 22),
  };
}

/** Compared weakly, as If-None-Match is (RFC 9110, section 13.1.2). */
function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  const known = (ifNoneMatch ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return known.includes(etag) || known.includes("*");
}
