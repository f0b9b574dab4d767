/** `POST /feedback` and `DELETE /feedback/ID`: corrections that a person agreed to leave, and took back. */
import { ServeError } from "@vitrine/protocol/status";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import type { FeedbackResponse } from "../api.js";
import type { BodyLimits } from "../body.js";
import { signalOfCaller } from "../caller-signal.js";
import { orAborted, startDeadline } from "../deadline.js";
import { readCorrection } from "./feedback-body.js";
import type { FeedbackStore } from "./feedback-store.js";
import type { GiveFeedback } from "./give-feedback.js";

export interface Feedback {
  readonly give: GiveFeedback;
  readonly store: Pick<FeedbackStore, "withdraw" | "mark">;
  readonly keepDays: number;
  /** Of a removal. */
  readonly timeoutMs: number;
}

export interface FeedbackRouteOptions {
  /** undefined: this gateway keeps none. */
  readonly feedback: Feedback | undefined;
  readonly limits: BodyLimits;
  /** Origins whose pages may send corrections; `*` is every one. */
  readonly corsOrigins: readonly string[];
}

/** What is no single text tells no folder. */
const withdrawQuerySchema = z.object({ folder: z.string().optional().catch(undefined) });

/** The routes are there in any case, so that an answer can say why nothing is kept. */
export function addFeedback(
  app: FastifyInstance,
  { feedback, limits, corsOrigins }: FeedbackRouteOptions,
): void {
  app.post("/feedback", { config: { needsKey: true, isLimited: true } }, async (request, reply) => {
    try {
      const { give, store } = enabled(feedback);
      checkOrigin(request, corsOrigins);
      const record = await give({
        read: (permit) => readCorrection(request, limits, permit),
        caller: signalOfCaller(reply),
        times: request.stageTimes,
      });
      const withdraw = `/feedback/${record.id}?folder=${store.mark}`;
      const answer: FeedbackResponse = {
        id: record.id,
        label: record.label,
        pictures: record.pictures.length,
        stored_at: record.stored_at,
        delete_after: record.delete_after,
        withdraw,
      };
      return await reply.code(201).header("location", withdraw).send(answer);
    } catch (error) {
      // What was refused before it was read.
      request.raw.resume();
      throw error;
    }
  });
  app.delete<{ Params: { id: string } }>(
    "/feedback/:id",
    { config: { needsKey: true, isLimited: true } },
    async (request, reply) => {
      const { store, timeoutMs } = enabled(feedback);
      checkOrigin(request, corsOrigins);
      const { folder } = withdrawQuerySchema.parse(request.query);
      // Who goes away meanwhile still wants it removed.
      const deadline = startDeadline(timeoutMs);
      try {
        await orAborted(store.withdraw(request.params.id, folder), deadline.signal);
      } finally {
        deadline.clear();
      }
      return await reply.code(204).send();
    },
  );
}

function enabled(feedback: Feedback | undefined): Feedback {
  if (feedback !== undefined) return feedback;
  throw new ServeError(
    "FEEDBACK_DISABLED",
    "corrections are not kept here, expected a gateway started with --feedback-dir",
  );
}

/**
 * A page elsewhere could have its visitors' browsers leave photos here in their name. Browsers say where a page
 * stands; programs say nothing and are let in. Source: W3C Fetch Metadata Request Headers.
 */
function checkOrigin(request: FastifyRequest, corsOrigins: readonly string[]): void {
  const { origin } = request.headers;
  if (isOwnPage(request) || corsOrigins.includes("*")) return;
  if (origin !== undefined && corsOrigins.includes(origin)) return;
  throw new ServeError(
    "FEEDBACK_ORIGIN_FORBIDDEN",
    "correction came from a page of another site, expected the gateway's own or one that --cors-origin names",
  );
}

/** Without TLS browsers do not say `Sec-Fetch-Site`, and old ones never do: then it is for `Origin` to say. */
function isOwnPage({ headers, host }: FastifyRequest): boolean {
  const site = headers["sec-fetch-site"];
  if (site === "same-origin" || site === "none") return true;
  if (site !== undefined) return false;
  const { origin } = headers;
  if (origin === undefined) return true;
  // Of "null", which a page in a sandbox says, there is no host. The scheme does not count: TLS may end at a proxy.
  return URL.canParse(origin) && new URL(origin).host === hostOf(origin, host);
}

/** A host as browsers write it, without the port that its scheme has anyway. */
function hostOf(origin: string, host: string): string | undefined {
  const url = `${new URL(origin).protocol}//${host}`;
  return URL.canParse(url) ? new URL(url).host : undefined;
}
