/** The two forms in which a correction comes in: multipart/form-data with photos, or JSON with their addresses. */
import { ServeError } from "@vitrine/protocol/status";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { type BodyLimits, readForm, readingBody, readJson, submissionOf } from "../body.js";
import type { Picture } from "../classify.js";
import type { Permit } from "../permits.js";

/** A correction as it was sent, with consent; its labels are not looked at yet. */
export interface SentCorrection {
  readonly pictures: readonly Picture[];
  readonly label: string;
  readonly predicted: string | undefined;
  /** Of the answer that said `predicted`: version of the model, and digest of its contract. */
  readonly modelVersion: string | undefined;
  readonly contract: string | undefined;
  readonly requestId: string | undefined;
}

const EXPECTED_JSON = '{"url": "https://…", "label": "pants", "consent": true}';

const EXPECTED = `expected multipart/form-data with the fields "file" or "url", "label" and "consent", or application/json ${EXPECTED_JSON}`;

/** What answers name things by; no text of a person's. */
const nameSchema = z
  .string()
  .regex(/^[\w.:+/=-]{0,128}$/)
  // An empty field is one that nobody filled in.
  .transform((name) => (name === "" ? undefined : name))
  .optional();

const saidSchema = z.object({
  label: z.string(),
  predicted: z.string().optional(),
  model_version: nameSchema,
  contract: nameSchema,
  request_id: nameSchema,
});

const FIELDS = ["consent", ...Object.keys(saidSchema.shape)];

/**
 * Reads the body of `POST /feedback`.
 *
 * @param permit is told of every byte that is kept.
 * @throws {ServeError} FEEDBACK_CONSENT_MISSING; and as `readSubmission` does.
 */
export async function readCorrection(
  request: FastifyRequest,
  limits: BodyLimits,
  permit: Permit,
): Promise<SentCorrection> {
  return await readingBody(request, EXPECTED, async (mediaType) => {
    if (mediaType === "multipart/form-data") {
      const { pictures, fields } = await readForm(request, limits, permit, FIELDS);
      return correctionOf(
        pictures,
        Object.fromEntries(fields),
        fields.get("consent") === "yes",
        "consent=yes",
      );
    }
    if (mediaType !== "application/json") return undefined;
    const json = await readJson(request.raw, EXPECTED_JSON);
    const { pictures } = submissionOf(json, limits);
    const hasConsent = z.object({ consent: z.literal(true) }).safeParse(json).success;
    return correctionOf(pictures, json, hasConsent, '"consent": true');
  });
}

function correctionOf(
  pictures: readonly Picture[],
  said: unknown,
  hasConsent: boolean,
  consent: string,
): SentCorrection {
  if (!hasConsent) {
    throw new ServeError(
      "FEEDBACK_CONSENT_MISSING",
      `correction had no consent, expected ${consent} of the person whose photo it is`,
    );
  }
  const parsed = saidSchema.safeParse(said);
  if (!parsed.success) {
    const name = String(parsed.error.issues[0]?.path[0] ?? "label");
    throw new ServeError("BODY_INVALID", `field "${name}" was missing or not valid, ${EXPECTED}`, {
      cause: parsed.error,
    });
  }
  const { label, predicted, model_version: modelVersion, contract, request_id: requestId } = parsed.data;
  return { pictures, label, predicted, modelVersion, contract, requestId };
}
