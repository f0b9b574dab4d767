/** The upload of an answer as a correction of it. */
import { isRecord } from "../gateway/answers.js";

export interface Upload {
  readonly body: FormData | string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a correction says beside the photos, under the names that the gateway takes. */
interface Said {
  /** The person's. */
  readonly label: string;
  /** The model's, in the answer that the person saw. */
  readonly predicted: string;
  /** Of that answer. */
  readonly model_version: string;
  readonly contract: string;
}

/** @returns body and headers of `POST /feedback`. Call it only with the person's consent: it says that there is one. */
export function correctionOf({ body, headers }: Upload, said: Said): Upload {
  if (typeof body === "string") {
    const links: unknown = JSON.parse(body);
    return {
      body: JSON.stringify({ ...(isRecord(links) ? links : {}), ...said, consent: true }),
      headers,
    };
  }
  const form = new FormData();
  for (const [name, text] of Object.entries(said)) form.append(name, text);
  form.append("consent", "yes");
  for (const [name, part] of body) form.append(name, part);
  return { body: form, headers };
}

/** What the gateway kept. */
export interface KeptCorrection {
  readonly id: string;
  readonly label: string;
  /** Photos that are kept. */
  readonly count: number;
  /** ISO 8601. */
  readonly deleteAfter: string;
  /** Path of the gateway that removes it. */
  readonly withdraw: string;
}

/** undefined: it is not the answer of `POST /feedback`. */
export function keptCorrectionOf(json: unknown): KeptCorrection | undefined {
  if (!isRecord(json)) return undefined;
  const { id, label, pictures: count, delete_after: deleteAfter, withdraw } = json;
  const isKept =
    typeof id === "string" &&
    typeof label === "string" &&
    typeof count === "number" &&
    typeof deleteAfter === "string" &&
    !Number.isNaN(Date.parse(deleteAfter)) &&
    typeof withdraw === "string" &&
    withdraw.startsWith("/feedback/");
  return isKept ? { id, label, count, deleteAfter, withdraw } : undefined;
}
