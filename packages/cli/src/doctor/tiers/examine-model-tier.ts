/** What a model server says of itself at its gRPC address: the way the gateway asks it. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { createPredictionClient, type ModelDescription } from "@vitrine/gateway/prediction-client";
import { type ClientTls, GrpcChannel } from "@vitrine/protocol/grpc/channel";
import { ServeError } from "@vitrine/protocol/status";
import { type Finding, finding, mend } from "../finding.js";
import { whyNotFitting } from "../fit-as-brought.js";
import { isLoopback, START_HERE, type TierQuestion } from "./examine-gateway.js";
import { askHttp, type Place, speaksTls, whyNotConnected } from "./speaks.js";

export interface ModelTierQuestion extends TierQuestion {
  readonly modelName: string;
  readonly signatureName: string;
  /** Undefined: no TLS. */
  readonly tls: ClientTls | undefined;
}

export async function examineModelTier(place: Place, question: ModelTierQuestion): Promise<Finding[]> {
  const { host } = place;
  const subject = placeText(place);
  if (isIP(host) === 0) {
    const known = await lookup(host).catch(() => undefined);
    if (known === undefined) {
      return [
        finding("model-host-unknown", {
          subject,
          problem: `the name ${host} is not known here`,
          seen: `looking up ${host}`,
          mends: [
            mend("look it up by hand; names of a cluster's Services are known only within it", [
              ...["getent", "hosts", host],
            ]),
          ],
        }),
      ];
    }
  }
  const why = await whyNotConnected(place, question);
  if (why !== undefined) {
    return [
      finding("model-tier-unreachable", {
        subject,
        problem: `nothing listens there: ${why}`,
        seen: `connecting to ${subject}`,
        mends: [
          ...(isLoopback(host) ? [START_HERE] : []),
          mend("reach it in a cluster", [
            ...["kubectl", "port-forward", "deployment/model-server", "8500:8500"],
          ]),
        ],
      }),
    ];
  }
  try {
    return checkDescription(subject, await describe(place, question));
  } catch (error) {
    question.signal.throwIfAborted();
    return [await explain(place, error, question)];
  }
}

/** As the flag takes it. */
export function placeText({ host, port }: Place): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

async function describe(
  { host, port }: Place,
  { modelName, signatureName, tls, timeoutMs, signal }: ModelTierQuestion,
): Promise<ModelDescription> {
  const channel = new GrpcChannel(host, port, {
    connectTimeoutMs: timeoutMs,
    ...(tls === undefined ? {} : { tls }),
  });
  try {
    const client = createPredictionClient({ channel, modelName, signatureName });
    return await client.describe({ signal, remainingMs: () => timeoutMs });
  } finally {
    channel.close();
  }
}

function checkDescription(subject: string, description: ModelDescription): Finding[] {
  const seen = `GetModelMetadata of ${description.name} at ${subject}: version ${description.version}`;
  if (description.contract === undefined) {
    return [
      finding("contract-missing", {
        subject: `model ${description.name} at ${subject}`,
        problem: "the server tells no contract (TensorFlow Serving knows none)",
        seen,
        mends: [
          mend("give the gateway the model's folder with config.json and preprocessor_config.json", [
            ...["vitrine", "gateway", "--tf-serving-host", subject, "--model-name", description.name],
            ...["--contract", "FOLDER"],
          ]),
        ],
      }),
    ];
  }
  const misfit = whyNotFitting(description);
  return misfit === undefined ? [] : [mismatch(subject, misfit, seen)];
}

function mismatch(subject: string, problem: string, seen: string): Finding {
  return finding("contract-mismatch", {
    subject,
    problem,
    seen,
    mends: [
      mend(
        "mend config.json or preprocessor_config.json in the version's folder, then load it as a new version",
      ),
      mend("check the folder", ["vitrine", "doctor", "--model", "FOLDER"]),
    ],
  });
}

async function explain(place: Place, error: unknown, question: ModelTierQuestion): Promise<Finding> {
  const subject = placeText(place);
  const { message, reason, cause } = ServeError.from(error);
  const why = cause instanceof Error ? `${message} (${cause.message})` : message;
  const seen = `GetModelMetadata at ${subject}: ${why}`;
  if (reason === "MODEL_CONTRACT_MISMATCH") return mismatch(subject, message, seen);
  if (cause instanceof ServeError && cause.code === "NOT_FOUND") {
    return finding("model-not-served", {
      subject,
      problem: `it serves no model ${question.modelName}, or no version of it is ready`,
      seen,
      mends: [
        mend("name the model that it serves", [
          ...["vitrine", "doctor", "--tf-serving-host", subject, "--model-name", "NAME"],
        ]),
      ],
    });
  }
  if (question.tls === undefined && (await speaksTls(place, question))) {
    return finding("model-tier-wrong-scheme", {
      subject,
      problem: "it speaks TLS, and was asked without",
      seen,
      mends: [
        mend("tell the gateway", ["vitrine", "gateway", "--tf-serving-host", subject, "--tf-serving-tls"]),
      ],
    });
  }
  const http = await askHttp(place, `/v1/models/${encodeURIComponent(question.modelName)}`, question);
  if (http !== undefined && /model_version_status|"error"/.test(http.body)) {
    return finding("model-tier-rest-port", {
      subject,
      problem: "it is the REST port of a model server",
      seen: `GET /v1/models/${question.modelName}: ${http.status} ${http.body.trim().slice(0, 100)}`,
      mends: [
        mend("name the gRPC port, 8500 unless told otherwise", [
          ...["vitrine", "doctor", "--tf-serving-host", placeText({ ...place, port: 8500 })],
        ]),
      ],
    });
  }
  if (question.tls !== undefined && !(await speaksTls(place, question))) {
    return finding("model-tier-wrong-scheme", {
      subject,
      problem: "it speaks no TLS, and was asked with it",
      seen,
      mends: [mend("leave --tf-serving-tls and its files out, or give the server a certificate")],
    });
  }
  return finding(http === undefined ? "model-tier-unreachable" : "model-tier-not-grpc", {
    subject,
    problem: http === undefined ? why : "it answers HTTP/1.1 as no model server does",
    seen,
    mends: [
      mend("name the model server's gRPC address", ["vitrine", "doctor", "--tf-serving-host", "HOST:8500"]),
    ],
  });
}
