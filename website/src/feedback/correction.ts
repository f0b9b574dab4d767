/** The upload of an answer as a correction of it. */
import { isRecord } from "../gateway/answers.js";

export interface Upload {
  readonly body: FormData | string;
  readonly headers: Readonly<Record<string, string>>;
}

/** @returns body and headers of `POST /feedback`. Call it only with the person's consent: it says that there is one. */
export function correctionOf(
  { body, headers }: Upload,
  said: { readonly label: string; readonly predicted: string },
): Upload {
  if (typeof body === "string") {
    const links: unknown = JSON.parse(body);
    return {
      body: JSON.stringify({ ...(isRecord(links) ? links : {}), ...said, consent: true }),
      headers,
    };
  }
  const form = new FormData();
  form.append("label", said.label);
  form.append("predicted", said.predicted);
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
}

/** undefined: it is not the answer of `POST /feedback`. */
export function keptCorrectionOf(json: unknown): KeptCorrection | undefined {
  if (!isRecord(json)) return undefined;
  const { id, label, pictures: count, delete_after: deleteAfter } = json;
  const isKept =
    typeof id === "string" &&
    typeof label === "string" &&
    typeof count === "number" &&
    typeof deleteAfter === "string" &&
    !Number.isNaN(Date.parse(deleteAfter));
  return isKept ? { id, label, count, deleteAfter } : undefined;
}
