import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { resolveSettings, UsageError } from "@vitrine/runtime/settings";
import { afterEach, describe, expect, test } from "vitest";
import { readChannelArguments, tlsFilesOf, wireSettings } from "./wire-settings.js";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const KEY = "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n";
const CERT = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n";

function fileWith(text: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), "vitrine-wire-"));
  folders.push(folder);
  const file = path.join(folder, "file");
  writeFileSync(file, text);
  return file;
}

function tlsOf(flags: Record<string, string>) {
  return tlsFilesOf(resolveSettings(wireSettings, { flags, env: {} }).config);
}

describe("TLS", () => {
  test("is off without files", () => {
    expect(tlsOf({})).toBeUndefined();
  });

  test("is read from TensorFlow Serving's SSLConfig", async () => {
    const text = `server_key: ${JSON.stringify(KEY)} server_cert: ${JSON.stringify(CERT)} client_verify: true custom_ca: "ca"`;
    expect(await tlsOf({ sslConfigFile: fileWith(text) })?.read()).toEqual({
      key: KEY,
      cert: CERT,
      clientAuthority: "ca",
      verifyClient: true,
    });
  });

  test("is read from files of its own, of which one for clients asks them for a certificate", async () => {
    const [grpcTlsKeyFile, grpcTlsCertFile, grpcTlsClientCaFile] = [KEY, CERT, "ca"].map(fileWith);
    const files = { grpcTlsKeyFile: grpcTlsKeyFile!, grpcTlsCertFile: grpcTlsCertFile! };
    expect(await tlsOf(files)?.read()).toEqual({
      key: KEY,
      cert: CERT,
      clientAuthority: undefined,
      verifyClient: false,
    });
    expect(await tlsOf({ ...files, grpcTlsClientCaFile: grpcTlsClientCaFile! })?.read()).toMatchObject({
      clientAuthority: "ca",
      verifyClient: true,
    });
  });

  test.each<[string, () => unknown, string]>([
    ["both kinds of files", () => tlsOf({ sslConfigFile: "a", grpcTlsKeyFile: "b" }), "both given"],
    ["a key without its certificate", () => tlsOf({ grpcTlsKeyFile: "b" }), "expected together"],
    ["a file that is not there", () => tlsOf({ sslConfigFile: "/none" })?.read(), "could not be read"],
    [
      "a path where the key belongs",
      () => tlsOf({ sslConfigFile: fileWith('server_key: "/key"') })?.read(),
      "the key was no PEM",
    ],
    [
      "text that is no SSLConfig",
      () => tlsOf({ sslConfigFile: fileWith("\nserver_kex: 'a'") })?.read(),
      ":2:1",
    ],
  ])("refuses %s", async (_, use, problem) => {
    const failure = await new Promise((resolve) => resolve(use())).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UsageError);
    expect(failure).toMatchObject({ message: expect.stringContaining(problem) });
  });
});

describe("channel arguments", () => {
  test("become limits of connections; others are told of", () => {
    expect(
      readChannelArguments(
        "grpc.max_connection_age_ms=60000, grpc.max_connection_age_grace_ms=2147483647,grpc.max_concurrent_streams=7,grpc.max_receive_message_length=-1,grpc.so_reuseport=0",
      ),
    ).toEqual({
      limits: {
        maxConnectionAgeMs: 60_000,
        maxConnectionAgeGraceMs: Number.POSITIVE_INFINITY,
        maxConcurrentStreams: 7,
        maxReceiveBytes: 2 ** 31 - 1,
      },
      ignored: ["grpc.so_reuseport"],
    });
  });

  test.each(["grpc.keepalive_time_ms=soon", "grpc.max_connection_age_ms=-5", "grpc.max_connection_age_ms"])(
    "%s is refused",
    (text) => {
      expect(() => readChannelArguments(text)).toThrow("--grpc-channel-arguments: grpc.");
    },
  );
});
