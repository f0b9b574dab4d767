/** What a gateway says of itself at a URL. */
import { withDeadline } from "@vitrine/runtime/deadline";
import { z } from "zod";
import { type Finding, finding, mend } from "../finding.js";
import { speaksTls } from "./speaks.js";

const problemSchema = z.object({ reason: z.string(), detail: z.string().default("") });
const readySchema = z.object({ status: z.literal("ready") });

export interface TierQuestion {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Asks `/readyz`, which itself asks the model tier. */
export async function examineGateway(base: string, question: TierQuestion): Promise<Finding[]> {
  const { timeoutMs, signal } = question;
  const url = new URL("/readyz", base);
  let status: number;
  let body: string;
  try {
    ({ status, body } = await withDeadline(timeoutMs, signal, async (limit) => {
      const response = await fetch(url, { redirect: "manual", signal: limit });
      return { status: response.status, body: await response.text() };
    }));
  } catch (error) {
    signal.throwIfAborted();
    return [await unreachable(url, error, question)];
  }
  const json = parse(body);
  if (status === 200 && readySchema.safeParse(json).success) return [];
  const problem = problemSchema.safeParse(json).data;
  const seen = `GET ${url.href}: ${status} ${body.trim().slice(0, 200)}`;
  if (problem === undefined) return [notAGateway(base, url, json, seen)];
  if (problem.reason === "MODEL_CONTRACT_MISMATCH") {
    return [
      finding("contract-mismatch", {
        subject: base,
        problem: problem.detail,
        seen,
        mends: [
          mend("mend config.json or preprocessor_config.json beside the model, or the gateway's flags"),
          mend("check the model's folder", ["vitrine", "doctor", "--model", "FOLDER"]),
        ],
      }),
    ];
  }
  return [
    finding("gateway-not-ready", {
      subject: base,
      problem: `${problem.reason}: ${problem.detail}`,
      seen,
      mends: [
        mend("ask the model tier itself, at the gateway's TF_SERVING_HOST and MODEL_NAME", [
          ...["vitrine", "doctor", "--tf-serving-host", "HOST:8500", "--model-name", "NAME"],
        ]),
      ],
    }),
  ];
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined; // No JSON: no gateway of ours.
  }
}

const restErrorSchema = z.object({ error: z.string() });

function notAGateway(base: string, url: URL, json: unknown, seen: string): Finding {
  const isRest = restErrorSchema.safeParse(json).success;
  return finding("not-a-gateway", {
    subject: base,
    problem: isRest
      ? "it answers as the REST port of a model server does, not as a gateway"
      : "it does not answer as a gateway of Vitrine does",
    seen,
    mends: [
      isRest
        ? mend("name the gateway, whose port is 9696 unless told otherwise", [
            ...["vitrine", "doctor", "--gateway", `${url.protocol}//${url.hostname}:9696`],
          ])
        : mend("see who listens on the port", ["ss", "-ltnp", `sport = :${url.port || "80"}`]),
    ],
  });
}

async function unreachable(url: URL, error: unknown, question: TierQuestion): Promise<Finding> {
  const why = causeOf(error);
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  const other = url.protocol === "https:" ? "http:" : "https:";
  const isPlain = /wrong.version.number|EPROTO|packet length too long/i.test(why);
  const isTls =
    url.protocol === "http:" &&
    !/ENOTFOUND|EAI_AGAIN|ECONNREFUSED/.test(why) &&
    (await speaksTls({ host: url.hostname, port }, question));
  const right = `${other}//${url.host}`;
  if (isPlain || isTls) {
    return finding("gateway-wrong-scheme", {
      subject: url.origin,
      problem: `it speaks ${isTls ? "TLS" : "no TLS"}, and was asked ${isTls ? "without" : "with it"}`,
      seen: `GET ${url.href}: ${why}`,
      mends: [mend("use the other scheme", ["vitrine", "doctor", "--gateway", right])],
    });
  }
  const isName = /ENOTFOUND|EAI_AGAIN/.test(why);
  return finding("gateway-unreachable", {
    subject: url.origin,
    problem: isName ? `the name ${url.hostname} is not known` : `nothing answers there: ${why}`,
    seen: `GET ${url.href}`,
    mends: [
      ...(isLoopback(url.hostname) ? [START_HERE] : []),
      isName
        ? mend("look the name up by hand", ["getent", "hosts", url.hostname])
        : mend("reach it in a cluster", ["kubectl", "port-forward", "service/gateway", "9696:80"]),
    ],
  });
}

/** Both tiers, as whoever has just cloned the repository starts them. */
export const START_HERE = mend("start both tiers on this machine", ["npx", "vitrine", "up"]);

/** @param host as a URL or a flag has it. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d+){3}|\[?::1\]?)$/i.test(host);
}

/** `fetch failed` says nothing; its cause does. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "no answer in time";
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  // OpenSSL's messages go on about its own source.
  if (/wrong.version.number/i.test(cause.message)) return "EPROTO: wrong version number";
  const code = "code" in cause ? `${cause.code}` : "";
  return cause.message.includes(code) ? cause.message : `${code} ${cause.message}`;
}
