import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import path from "node:path";
import { buffer as readBody } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import type { InfoResponse, PredictResponse, Problem } from "@vitrine/gateway/api";
import { languageOf } from "@vitrine/gateway/negotiation";
import { policyOfWebsite } from "@vitrine/gateway/website-page";

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".jpg": "image/jpeg",
};

export const STUB_INFO: InfoResponse = {
  model: { name: "clothing-model", version: "1", signature: "serving_default" },
  contract: `sha256:${"0".repeat(64)}`,
  labels: ["dress", "hat", "longsleeve", "outwear", "pants", "shirt", "shoes", "shorts", "skirt", "t-shirt"],
  score_kind: "logits",
  threshold: 0.5,
  explain: false,
  explain_by: null,
  limits: {
    max_image_bytes: 10 * 1024 * 1024,
    max_image_pixels: 50_000_000,
    max_images: 8,
    max_explain_grid: 0,
    timeout_ms: 20_000,
    media_types: ["image/jpeg", "image/png", "image/webp", "image/gif"],
  },
  picture: { width: 299, height: 299, filter: "nearest", decoder: "pillow", orientation: "exif" },
  shrink: { keeps_answer: false, least_edge: null },
  feedback: { enabled: false, keep_days: null },
};

/** An answer whose best labels are the given ones. */
export function answerOf(top: Readonly<Record<string, number>>, unsure = false): PredictResponse {
  const ranked = Object.entries(top).map(([label, probability]) => ({ label, probability }));
  const best = ranked[0];
  if (best === undefined) {
    throw new Error("an answer needs a label");
  }
  return {
    predictions: top,
    top_class: best.label,
    top_probability: best.probability,
    unsure,
    top: ranked,
    model: { name: "clothing-model", version: "1" },
    contract: STUB_INFO.contract,
    timings: { decode: 12, resize: 2, predict: 40, total: 55 },
  };
}

/** A problem of the gateway, as far as the page reads it. */
export function problemOf(status: number, reason: string): Problem {
  return {
    type: `/docs/errors#${reason}`,
    title: "a title",
    status,
    detail: "a detail",
    code: "A_CODE",
    reason,
    requestId: "req-7",
  };
}

export interface StubRequest {
  readonly contentType: string;
  readonly authorization: string | undefined;
  readonly body: Buffer;
}

/** Answers one request of the page; it may keep the response open for as long as the test needs. */
export type PredictHandler = (request: StubRequest, response: ServerResponse) => void;

export function json(status: number, body: unknown, headers: Record<string, string> = {}): PredictHandler {
  return (_request, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  };
}

/** A gateway that says what a test tells it to: for states that the real tiers cannot be brought to at will. */
export class StubGateway {
  readonly requests: StubRequest[] = [];
  onPredict: PredictHandler = json(200, answerOf({ pants: 0.97, shorts: 0.02, skirt: 0.004 }));
  onInfo: PredictHandler = json(200, STUB_INFO);
  /** What `GET /picture` answers; a gateway without that picture by default. */
  onPicture: PredictHandler = json(400, problemOf(400, "IMAGE_URL_FAILED"));
  /** Files of the site that are not there at the moment, by their path. */
  broken: RegExp | undefined;
  readonly #site: string;
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });

  /** @param site folder of the built website. */
  constructor(site: string) {
    this.#site = site;
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    if (address === null || typeof address === "string") {
      throw new Error("the stub has no port");
    }
    return `http://127.0.0.1:${address.port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://stub");
    const { authorization, "content-type": contentType = "" } = request.headers;
    const handler = { "/predict": this.onPredict, "/info": this.onInfo, "/picture": this.onPicture }[
      pathname
    ];
    if (handler !== undefined) {
      const stubRequest = { contentType, authorization, body: await readBody(request) };
      if (pathname === "/predict") this.requests.push(stubRequest);
      handler(stubRequest, response);
    } else if (this.broken?.test(pathname) === true) {
      response.writeHead(404).end();
    } else {
      const wished = languageOf(request.headers["accept-language"], ["en", "de", "ar"]) ?? "en";
      const language = searchParams.get("lang") ?? wished;
      const index = language === "en" ? "index.html" : `index.${language}.html`;
      const file = pathname === "/" ? index : pathname.slice(1);
      response
        .writeHead(200, {
          "content-type": MEDIA_TYPES[path.extname(file)] ?? "application/octet-stream",
          "content-security-policy": await policyOfWebsite(this.#site),
          "content-encoding": "gzip",
        })
        .end(gzipSync(await readFile(path.join(this.#site, file))));
    }
  }
}
