/** `GET /picture`: a linked picture, for a page to show that may load nothing from elsewhere. */
import { createHash } from "node:crypto";
import { ServeError } from "@vitrine/protocol/status";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { signalOfCaller } from "./caller-signal.js";
import { serverTimingOf } from "./observe.js";
import { PICTURE_POLICY } from "./security-headers.js";
import type { ShowPicture } from "./show-picture.js";

/** Bounds and default of `?edge=`, in pixels. */
export const EDGE = { least: 64, greatest: 2048, default: 1024 } as const;

const querySchema = z.object({
  url: z.string(),
  edge: z.coerce.number().int().min(EDGE.least).max(EDGE.greatest).default(EDGE.default),
});

/** Kept by the one browser that asked, for as long as a person looks at one answer. */
const KEPT = "private, max-age=300";

export function addPicture(app: FastifyInstance, showPicture: ShowPicture): void {
  app.get("/picture", { config: { needsKey: true, isLimited: true } }, async (request, reply) => {
    const query = querySchema.safeParse(request.query);
    if (!query.success) {
      const name = String(query.error.issues[0]?.path[0] ?? "parameters");
      throw new ServeError(
        "BODY_INVALID",
        `query parameter ${name} was not valid, expected one url, and edge=${EDGE.least} to ${EDGE.greatest}`,
      );
    }
    const { bytes, mediaType } = await showPicture({
      ...query.data,
      caller: signalOfCaller(reply),
      times: request.stageTimes,
    });
    const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 27)}"`;
    reply.headers({ etag, "cache-control": KEPT, "content-security-policy": PICTURE_POLICY });
    const timing = serverTimingOf(request.stageTimes.ms);
    if (timing !== undefined) reply.header("server-timing", timing);
    if (isKnown(request.headers["if-none-match"], etag)) return await reply.code(304).send();
    return await reply.type(mediaType).send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  });
}

/** Source: RFC 9110, 13.1.2; the comparison is the weak one. */
function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = ifNoneMatch?.split(",").map((tag) => tag.trim().replace(/^W\//, "")) ?? [];
  return tags.includes(etag) || tags.includes("*");
}
