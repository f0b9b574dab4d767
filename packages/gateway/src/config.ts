/** The gateway's settings. */
import type { Target } from "@vitrine/protocol/grpc/address-watch";
import { drainWaitSetting } from "@vitrine/runtime/lifecycle";
import { logLevelSetting } from "@vitrine/runtime/logger";
import { type Config, setting } from "@vitrine/runtime/settings";
import ipaddr from "ipaddr.js";
import { z } from "zod";
import { parseAllowedHost } from "./address-guard.js";
import { RESPONSE_FORMATS } from "./api.js";
import { PREPROCESS_FAMILIES, RESAMPLE_NAMES } from "./contract-from-flags.js";

const MEBIBYTE = 1024 * 1024;

const DEFAULT_GRPC_PORT = 8500;

const ENGINES = ["tf-serving", "open-inference"] as const;

/**
 * Reads `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`; the port is 8500 unless given.
 *
 * @returns undefined when it is none of these.
 */
export function parseEndpoint(text: string): Target | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/?#@[\]]+))(?::(\d{1,5}))?$/.exec(text.trim());
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? DEFAULT_GRPC_PORT : Number(match[3]);
  return host === undefined || port < 1 || port > 65535 ? undefined : { host, port };
}

const endpointSchema = z.string().transform((text, context): Target => {
  const endpoint = parseEndpoint(text);
  if (endpoint !== undefined) return endpoint;
  context.addIssue({ code: "custom", message: "HOST, HOST:PORT or [IPV6]:PORT" });
  return z.NEVER;
});

const allowedHostSchema = z.string().transform((text, context) => {
  try {
    return parseAllowedHost(text);
  } catch {
    context.addIssue({ code: "custom", message: "HOST, HOST:PORT or [IPV6]:PORT" });
    return z.NEVER;
  }
});

const networkSchema = z
  .string()
  .trim()
  .refine(
    (text) => ipaddr.isValid(text) || ipaddr.isValidCIDR(text),
    "an address, or a network such as 10.0.0.0/8",
  );

/** A grid has 2 cells in each direction, or more. */
const patchCountSchema = z
  .int()
  .min(0)
  .max(1024)
  .refine((count) => count === 0 || count >= 4, "0, or 4 and more");

const originSchema = z
  .string()
  .trim()
  .refine((text) => text === "*" || isOrigin(text), "an origin such as https://shop.example, or *");

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}

/** `299` is a square, `320x240` width by height. */
const sizeSchema = z
  .string()
  .regex(/^\d{1,4}(x\d{1,4})?$/, "a size such as 299, or WIDTHxHEIGHT such as 320x240")
  .transform((text) => {
    const [width = 0, height = width] = text.split("x").map(Number);
    return { width, height };
  });

const port = z.int().min(0).max(65535);

export const gatewaySettings = {
  host: setting(z.string().min(1).default("0.0.0.0"), {
    description: "Address to listen on. 127.0.0.1 keeps the gateway to this machine.",
    placeholder: "address",
  }),
  port: setting(port.default(9696), {
    description: "Port to listen on; 0 picks a free one.",
    placeholder: "port",
  }),
  adminPort: setting(port.optional(), {
    description:
      "Port for /metrics, /docs, /openapi.json and the probes, which then leave the public port (the probes are on both); 0 picks a free one.",
    placeholder: "port",
  }),
  tfServingHost: setting(z.array(endpointSchema).min(1).prefault(["localhost:8500"]), {
    description:
      "The model tier's gRPC address: HOST, HOST:PORT or [IPV6]:PORT, port 8500 unless given. Requests are spread over every address that the name has, and over several names (repeated, or a comma list): on Kubernetes name a headless Service.",
    placeholder: "host:port",
  }),
  resolveMs: setting(z.int().min(0).max(3_600_000).default(5000), {
    description:
      "Time between two lookups of the model tier's name, which is how new servers are found; 0: only at the start and when a server is lost.",
    placeholder: "ms",
  }),
  hedgeAfterMs: setting(z.int().min(1).max(3_600_000).optional(), {
    description:
      "Ask a second model server when the first has not answered after so long, and take the first answer. Set it near the 95th percentile; it costs that part of the requests twice.",
    placeholder: "ms",
  }),
  engine: setting(z.enum(ENGINES).default("tf-serving"), {
    description:
      "Protocol of the model tier: TensorFlow Serving's, or Open Inference v2 (Triton, OpenVINO Model Server, MLServer, KServe), which knows no contracts: give --contract or the flags for one.",
    placeholder: "protocol",
  }),
  tfServingTls: setting(z.boolean().default(false), {
    description: "Speak TLS to the model tier; the flags below imply it.",
  }),
  tfServingCa: setting(z.string().min(1).optional(), {
    description:
      "PEM file of the authorities that the model tier's certificate must come from. Default: those of Node.js.",
    placeholder: "file",
  }),
  tfServingCert: setting(z.string().min(1).optional(), {
    description: "PEM file of the certificate that the gateway shows to the model tier (mutual TLS).",
    placeholder: "file",
  }),
  tfServingKey: setting(z.string().min(1).optional(), {
    description: "PEM file of that certificate's key.",
    placeholder: "file",
  }),
  tfServingServerName: setting(z.string().min(1).optional(), {
    description: "Name that the model tier's certificate must have, where it is not the one connected to.",
    placeholder: "name",
  }),
  modelName: setting(z.string().min(1).default("clothing-model"), {
    description: "Name under which the model tier serves the model.",
    placeholder: "name",
  }),
  modelVersionLabel: setting(z.string().min(1).optional(), {
    description:
      "Ask for the version that the model tier has under this label, such as stable or canary. Default: its latest. Only with --engine tf-serving.",
    placeholder: "label",
  }),
  signatureName: setting(z.string().min(1).default("serving_default"), {
    description: "Signature of the model to call.",
    placeholder: "name",
  }),
  contract: setting(z.string().min(1).optional(), {
    description:
      "Folder with config.json and preprocessor_config.json, for a model server that knows no contract; beats what the server says.",
    placeholder: "folder",
  }),
  preprocess: setting(z.enum(PREPROCESS_FAMILIES).optional(), {
    description: "Keras family whose preprocess_input the model was trained with; none: pixels 0 to 255.",
    placeholder: "family",
  }),
  size: setting(sizeSchema.optional(), {
    description: "Size that pictures are resized to, 299 or WIDTHxHEIGHT. Default: what the signature fixes.",
    placeholder: "pixels",
  }),
  resample: setting(z.enum(RESAMPLE_NAMES).optional(), {
    description: "Filter of the resize, as Pillow computes it; nearest when --preprocess is given.",
    placeholder: "filter",
  }),
  orientation: setting(z.enum(["exif", "ignore"]).optional(), {
    description: "exif turns pictures upright as their EXIF tag says; ignore takes them as they are stored.",
    placeholder: "rule",
  }),
  labels: setting(z.array(z.string().trim().min(1)).min(1).optional(), {
    description: "Names of the model's outputs, in order, as a comma list.",
    placeholder: "labels",
  }),
  scoreKind: setting(z.enum(["logits", "probabilities"]).optional(), {
    description: "What the model puts out; logits are put through softmax.",
    placeholder: "kind",
  }),
  allowImageHost: setting(z.array(allowedHostSchema).default([]), {
    description: "HOST[:PORT] that pictures may be fetched from although it is not public; repeat for more.",
    env: "ALLOW_IMAGE_HOSTS",
    placeholder: "host",
  }),
  maxImageBytes: setting(
    z
      .int()
      .min(1)
      .default(20 * MEBIBYTE),
    {
      description: "Most bytes of one encoded picture.",
      placeholder: "bytes",
    },
  ),
  maxImagePixels: setting(z.int().min(1).default(50_000_000), {
    description:
      "Most pixels of one picture. Each decoded pixel takes 3 bytes; a phone's photo has 12 to 50 million.",
    placeholder: "pixels",
  }),
  maxAvifPixels: setting(z.int().min(1).default(16_000_000), {
    description:
      "Most pixels of one AVIF, where --max-image-pixels allows so many. A pixel of it takes 18 bytes while it is decoded, two to three times what it takes in other kinds: raise the memory limit with it.",
    placeholder: "pixels",
  }),
  maxImages: setting(z.int().min(1).max(100).default(10), {
    description: "Most photos of one item in one request.",
    placeholder: "count",
  }),
  explainOcclusion: setting(patchCountSchema.default(64), {
    description:
      "Most predictions that one ?explain=1 may cost where the model puts out no map of its evidence: so many parts of the picture are hidden, one by one. 0 turns that off.",
    placeholder: "count",
  }),
  timeoutMs: setting(z.int().min(1).max(3_600_000).default(20_000), {
    description: "Longest time from the end of the request's body to its answer, the model tier included.",
    placeholder: "ms",
  }),
  uploadTimeoutMs: setting(z.int().min(1).max(3_600_000).default(120_000), {
    description: "Longest time for a request to arrive; raise it for large photos on slow networks.",
    placeholder: "ms",
  }),
  fetchTimeoutMs: setting(z.int().min(1).max(3_600_000).default(10_000), {
    description: "Longest time for fetching one picture by its URL. Keep it below --timeout-ms.",
    placeholder: "ms",
  }),
  maxConcurrentRequests: setting(z.int().min(1).default(256), {
    description:
      "Most predictions at work at a time; the next one is refused with 429. Each photo of an item is one, and each part of an explanation by occlusion. Lower it when the last of so many waits too long.",
    placeholder: "count",
  }),
  maxHeldBytes: setting(
    z
      .int()
      .min(1)
      .default(256 * MEBIBYTE),
    {
      description:
        "Most bytes of encoded pictures held at a time, by all requests; above it 429. Bounds memory.",
      placeholder: "bytes",
    },
  ),
  maxRequestsPerClient: setting(z.int().min(0).default(0), {
    description:
      "Most predictions in a minute for one client: an API key, else an address (of IPv6 its /64 network); the next one is refused with 429. Each photo of an item is one, and each part of an explanation by occlusion: 50 for a photo with its explanation. 0 is no limit. Each gateway counts for itself.",
    placeholder: "count",
  }),
  trustedProxy: setting(z.array(networkSchema).default([]), {
    description:
      "Address or network (10.0.0.0/8) of a proxy whose x-forwarded-for names the client; repeat for more. Without one the header is not believed.",
    env: "TRUSTED_PROXIES",
    placeholder: "network",
  }),
  apiKeysFile: setting(z.string().min(1).optional(), {
    description:
      "File with one NAME and SHA-256 of an API key a line. With it, /predict, /picture, /feedback and /info answer only callers that show such a key. It is read again whenever it changes.",
    placeholder: "file",
  }),
  corsOrigin: setting(z.array(originSchema).default([]), {
    description:
      "Origin (https://shop.example) whose pages may read the answers, or * for all; repeat for more.",
    env: "CORS_ORIGINS",
    placeholder: "origin",
  }),
  allowedHost: setting(z.array(z.string().trim().toLowerCase().min(1)).default([]), {
    description:
      "Name, without port, under which a gateway that listens on loopback may be asked beside localhost and addresses (header Host), or * for all; repeat for more. Other names are refused with 421, as any site's may lead here (DNS rebinding). Needed behind a tunnel or a proxy that keeps Host, where no --trusted-proxy is named.",
    env: "ALLOWED_HOSTS",
    placeholder: "name",
  }),
  cacheBytes: setting(z.int().min(0).default(0), {
    description:
      "Memory for answers and fetched pictures, for the case that the same ones are asked for again; 0 keeps nothing. Answers are kept by the picture's bytes, the contract and the model's version, pictures behind URLs by their ETag, and what is asked for at the same time is done once. Leave it at 0 for load tests: they would test the cache.",
    placeholder: "bytes",
  }),
  preprocessWorkers: setting(z.int().min(1).max(64).optional(), {
    description: "Threads that decode and resize. Default: as many as cores, at most 8.",
    placeholder: "count",
  }),
  otlpEndpoint: setting(z.url({ protocol: /^https?$/ }).optional(), {
    description:
      "Address of an OpenTelemetry collector (http://collector:4318) that spans are sent to, by OTLP over HTTP.",
    env: "OTEL_EXPORTER_OTLP_ENDPOINT",
    placeholder: "url",
  }),
  traceSampleRatio: setting(z.number().min(0).max(1).default(1), {
    description:
      "Part of the requests that are traced, 0 to 1, where the caller brings no trace of its own. Lower it under load.",
    env: "OTEL_TRACES_SAMPLER_ARG",
    placeholder: "ratio",
  }),
  responseFormat: setting(z.enum(RESPONSE_FORMATS).default("predictions"), {
    description: "What POST /predict answers without ?format=; scores is the course's answer.",
    placeholder: "format",
  }),
  feedbackDir: setting(z.string().min(1).optional(), {
    description:
      "Folder that keeps corrections: pictures without metadata in a folder per label, from people who agreed to it. Without it nothing is kept. Several gateways may share it.",
    placeholder: "folder",
  }),
  feedbackKeepDays: setting(z.int().min(1).max(3650).default(90), {
    description: "Days after which the gateway removes a correction.",
    placeholder: "days",
  }),
  feedbackMaxBytes: setting(
    z
      .int()
      .min(1)
      .default(1024 * MEBIBYTE),
    {
      description:
        "Most bytes of the pictures in that folder, and 4096 for each correction's record; more corrections are refused with 507.",
      placeholder: "bytes",
    },
  ),
  website: setting(z.string().min(1).optional(), {
    description: "Folder of the built website to serve at /.",
    placeholder: "folder",
  }),
  drainWaitMs: drainWaitSetting,
  logLevel: logLevelSetting,
};

export type GatewayConfig = Config<typeof gatewaySettings>;
