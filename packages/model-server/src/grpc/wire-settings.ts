/** Settings of the protocols: TLS, sockets, gRPC's channel arguments, REST's headers. */
import { readFile } from "node:fs/promises";
import type { GrpcServerOptions, ServerTls } from "@vitrine/protocol/grpc/server";
import { type Config, setting, UsageError } from "@vitrine/runtime/settings";
import { z } from "zod";
import { sslConfigSchema } from "../server-config-files.js";
import { parseTextProto } from "../text-proto/text-proto-schema.js";

export const wireSettings = {
  grpcSocketPath: setting(z.string().min(1).optional(), {
    description: "Unix socket on which gRPC listens, too.",
    placeholder: "path",
  }),
  sslConfigFile: setting(z.string().min(1).optional(), {
    description:
      "Speak TLS in gRPC: TensorFlow Serving's SSLConfig in text form, which holds key and certificates themselves. Read again when it has changed and a client connects.",
    placeholder: "file",
  }),
  grpcTlsKeyFile: setting(z.string().min(1).optional(), {
    description: "Speak TLS in gRPC: file of the server's key (PEM), with --grpc-tls-cert-file.",
    placeholder: "file",
  }),
  grpcTlsCertFile: setting(z.string().min(1).optional(), {
    description:
      "File of the server's certificate and those between it and the root (PEM). Read again when it has changed and a client connects.",
    placeholder: "file",
  }),
  grpcTlsClientCaFile: setting(z.string().min(1).optional(), {
    description: "Refuse clients without a certificate of this authority (PEM).",
    placeholder: "file",
  }),
  grpcChannelArguments: setting(z.string().optional(), {
    description:
      "Limits of connections as TensorFlow Serving takes them, such as grpc.max_connection_age_ms=60000,grpc.max_connection_age_grace_ms=10000. With an age, clients find new servers behind a name; also known: max_connection_idle_ms, keepalive_time_ms, keepalive_timeout_ms, max_concurrent_streams, max_receive_message_length.",
    placeholder: "key=value,…",
  }),
  restApiEnableCorsSupport: setting(z.boolean().default(false), {
    description: "Let web pages of any origin call REST.",
  }),
};

export type WireSettings = Config<typeof wireSettings>;

/** Where the texts of {@link ServerTls} come from. */
export interface TlsFiles {
  /** Files that it is read from. */
  readonly files: readonly string[];
  /** @throws {UsageError} when a file cannot be read or lacks what it must have. */
  read(): Promise<ServerTls>;
}

/**
 * @returns undefined when gRPC is to speak without TLS.
 * @throws {UsageError} for settings that do not fit together.
 */
export function tlsFilesOf(settings: WireSettings): TlsFiles | undefined {
  const { sslConfigFile, grpcTlsKeyFile, grpcTlsCertFile, grpcTlsClientCaFile } = settings;
  const plain = [grpcTlsKeyFile, grpcTlsCertFile, grpcTlsClientCaFile];
  if (sslConfigFile !== undefined) {
    if (plain.some((file) => file !== undefined)) {
      throw new UsageError([
        "--ssl-config-file and --grpc-tls-…-file were both given, expected one of the two",
      ]);
    }
    return { files: [sslConfigFile], read: () => readSslConfig(sslConfigFile) };
  }
  if (plain.every((file) => file === undefined)) return undefined;
  if (grpcTlsKeyFile === undefined || grpcTlsCertFile === undefined) {
    throw new UsageError(["--grpc-tls-key-file and --grpc-tls-cert-file were expected together"]);
  }
  return {
    files: plain.filter((file) => file !== undefined),
    read: async () => {
      const [key, cert, clientAuthority] = await Promise.all(
        plain.map((file) => (file === undefined ? undefined : readText(file))),
      );
      return checkedTls(
        { key: key ?? "", cert: cert ?? "", clientAuthority, verifyClient: clientAuthority !== undefined },
        grpcTlsCertFile,
      );
    },
  };
}

async function readSslConfig(file: string): Promise<ServerTls> {
  const text = await readText(file);
  try {
    const { server_key, server_cert, custom_ca, client_verify } = parseTextProto(sslConfigSchema, text, file);
    return checkedTls(
      {
        key: server_key ?? "",
        cert: server_cert ?? "",
        clientAuthority: custom_ca === "" ? undefined : custom_ca,
        verifyClient: client_verify === true,
      },
      file,
    );
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError([`--ssl-config-file: ${error instanceof Error ? error.message : error}`], {
      cause: error,
    });
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new UsageError([`${file} could not be read: ${error instanceof Error ? error.message : error}`], {
      cause: error,
    });
  }
}

/** A path where the PEM text belongs is the usual mistake. */
function checkedTls(tls: ServerTls, file: string): ServerTls {
  const problems = [
    ...(/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(tls.key)
      ? []
      : [`${file}: the key was no PEM private key`]),
    ...(/-----BEGIN CERTIFICATE-----/.test(tls.cert)
      ? []
      : [`${file}: the certificate was no PEM certificate`]),
  ];
  if (problems.length > 0) throw new UsageError(problems);
  return tls;
}

type LimitName =
  | "maxConnectionAgeMs"
  | "maxConnectionAgeGraceMs"
  | "maxConnectionIdleMs"
  | "keepaliveMs"
  | "keepaliveTimeoutMs"
  | "maxConcurrentStreams"
  | "maxReceiveBytes";

export type ConnectionLimits = Pick<GrpcServerOptions, LimitName>;

/** gRPC's channel arguments that mean something here. Source: grpc/include/grpc/impl/channel_arg_names.h */
const CHANNEL_ARGUMENTS: ReadonlyMap<string, LimitName> = new Map([
  ["grpc.max_connection_age_ms", "maxConnectionAgeMs"],
  ["grpc.max_connection_age_grace_ms", "maxConnectionAgeGraceMs"],
  ["grpc.max_connection_idle_ms", "maxConnectionIdleMs"],
  ["grpc.keepalive_time_ms", "keepaliveMs"],
  ["grpc.keepalive_timeout_ms", "keepaliveTimeoutMs"],
  ["grpc.max_concurrent_streams", "maxConcurrentStreams"],
  ["grpc.max_receive_message_length", "maxReceiveBytes"],
]);

/** gRPC's word for "no limit" of the times; messages say -1. */
const INT_MAX = 2 ** 31 - 1;

/**
 * Reads `key=value,key2=value2`.
 *
 * @returns the limits; `ignored` are the arguments that change nothing here.
 * @throws {UsageError} for a known argument whose value is no number of its kind.
 */
export function readChannelArguments(text: string | undefined): {
  readonly limits: ConnectionLimits;
  readonly ignored: readonly string[];
} {
  const limits: Partial<Record<LimitName, number>> = {};
  const ignored: string[] = [];
  for (const argument of (text ?? "").split(",").filter((part) => part.trim() !== "")) {
    const [key = "", value = ""] = argument.split("=", 2).map((part) => part.trim());
    const name = CHANNEL_ARGUMENTS.get(key);
    if (name === undefined) {
      ignored.push(key);
      continue;
    }
    const number = /^-?\d+$/.test(value) ? Number(value) : Number.NaN;
    const counts = name === "maxConcurrentStreams" || name === "maxReceiveBytes";
    if (number === INT_MAX || (number === -1 && name === "maxReceiveBytes")) {
      limits[name] = counts ? INT_MAX : Number.POSITIVE_INFINITY;
    } else if (number >= 1 && number < INT_MAX) {
      limits[name] = number;
    } else {
      throw new UsageError([`--grpc-channel-arguments: ${key} was ${value}, expected a number from 1`]);
    }
  }
  return { limits, ignored };
}
