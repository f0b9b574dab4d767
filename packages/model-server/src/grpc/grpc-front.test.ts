import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectPlain } from "node:http2";
import { tmpdir } from "node:os";
import path from "node:path";
import { connect } from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { GrpcChannel } from "@vitrine/protocol/grpc/channel";
import { GET_MODEL_STATUS, REFLECTION_V1, REFLECTION_V1ALPHA } from "@vitrine/protocol/services";
import { afterEach, describe, expect, test } from "vitest";
import { fixture, type StartedServer, startServer } from "../testing/start.js";

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const AVAILABLE = 30;
const STATUS_OF_ADD = { modelSpec: { name: "add", versionChoice: undefined, signatureName: "" } };

function pem(name: string): string {
  return readFileSync(new URL(`../../../protocol/fixtures/tls/${name}`, import.meta.url), "utf8");
}

function temporaryFile(name: string, text: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), "vitrine-front-"));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

async function start(flags: Record<string, string>): Promise<StartedServer> {
  const server = await startServer(fixture("add"), flags);
  cleanups.push(() => server.stop());
  return server;
}

async function statusOver(channel: GrpcChannel) {
  cleanups.push(() => channel.close());
  const { modelVersionStatus } = await channel.unary(GET_MODEL_STATUS, STATUS_OF_ADD);
  return modelVersionStatus[0]?.state;
}

describe("TLS", () => {
  test("by ssl_config_file asks for certificates where it says so", async () => {
    const config = [
      `server_key: ${JSON.stringify(pem("server.key"))}`,
      `server_cert: ${JSON.stringify(pem("server.crt"))}`,
      `custom_ca: ${JSON.stringify(pem("authority.crt"))}`,
      "client_verify: true",
    ];
    const { server } = await start({ sslConfigFile: temporaryFile("ssl.cfg", config.join("\n")) });
    const authority = pem("authority.crt");
    const port = server.grpcPort ?? 0;
    const known = new GrpcChannel("localhost", port, {
      tls: { authority, key: pem("client.key"), cert: pem("client.crt") },
    });
    expect(await statusOver(known)).toBe(AVAILABLE);
    const unknown = new GrpcChannel("localhost", port, { tls: { authority } });
    await expect(statusOver(unknown)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  test("shows a certificate that was renewed on disk, and keeps the old one when the new is broken", async () => {
    const key = temporaryFile("tls.key", pem("server.key"));
    const cert = temporaryFile("tls.crt", pem("server.crt"));
    const { server } = await start({ grpcTlsKeyFile: key, grpcTlsCertFile: cert });
    const shown = async () => {
      const socket = connect({
        port: server.grpcPort ?? 0,
        host: "127.0.0.1",
        ca: pem("authority.crt"),
        ALPNProtocols: ["h2"],
      });
      await once(socket, "secureConnect");
      const { subject } = socket.getPeerCertificate();
      socket.destroy();
      return subject.CN;
    };
    writeFileSync(key, pem("renewed.key"));
    writeFileSync(cert, pem("renewed.crt"));
    // The first connection makes the server look; those after it see the new one as soon as it is read.
    let name = await shown();
    while (name !== "renewed") name = await shown();
    writeFileSync(cert, "broken");
    expect(await shown()).toBe("renewed");
    expect(await shown()).toBe("renewed");
  });

  test("with files that do not fit fails the start before any model is loaded", async () => {
    const started = startServer(fixture("add"), {
      grpcTlsKeyFile: temporaryFile("tls.key", pem("server.key")),
    });
    await expect(started).rejects.toThrow("--grpc-tls-cert-file");
  });
});

test("a Unix socket answers beside the port", async () => {
  const grpcSocketPath = temporaryFile("other", "").replace(/other$/, "grpc.sock");
  const { server } = await start({ grpcSocketPath });
  expect(server.addresses).toContain(`unix:${grpcSocketPath}`);
  const client = new grpc.Client(`unix:${grpcSocketPath}`, grpc.credentials.createInsecure());
  cleanups.push(() => client.close());
  const state = await new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      GET_MODEL_STATUS.path,
      (message: typeof STATUS_OF_ADD) => Buffer.concat(GET_MODEL_STATUS.encodeRequest(message)),
      (bytes: Buffer) => GET_MODEL_STATUS.decodeResponse(bytes).modelVersionStatus[0]?.state,
      STATUS_OF_ADD,
      (error, answer) => (error === null ? resolve(answer) : reject(error)),
    );
  });
  expect(state).toBe(AVAILABLE);
});

test("a channel argument ends connections, and the client's next call finds a new one", async () => {
  const { server } = await start({ grpcChannelArguments: "grpc.max_connection_age_ms=20" });
  const session = connectPlain(`http://127.0.0.1:${server.grpcPort}`);
  await once(session, "close");
});

describe.each([REFLECTION_V1, REFLECTION_V1ALPHA])("reflection at $path", (method) => {
  async function ask(messageRequest: Parameters<typeof method.encodeRequest>[0]["messageRequest"]) {
    const { server } = await start({});
    const client = new grpc.Client(`127.0.0.1:${server.grpcPort}`, grpc.credentials.createInsecure());
    cleanups.push(() => client.close());
    const stream = client.makeBidiStreamRequest(
      method.path,
      (message: Parameters<typeof method.encodeRequest>[0]) => Buffer.concat(method.encodeRequest(message)),
      (bytes: Buffer) => method.decodeResponse(bytes),
    );
    const answered = once(stream, "data");
    stream.write({ host: "", messageRequest });
    const [response] = await answered;
    const ended = once(stream, "end");
    stream.end();
    await ended;
    return response.messageResponse;
  }

  test("lists the services", async () => {
    const { value } = await ask({ $case: "listServices", value: "" });
    expect(value.service.map(({ name }: { name: string }) => name)).toEqual([
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "inference.GRPCInferenceService",
      "tensorflow.serving.ModelService",
      "tensorflow.serving.PredictionService",
    ]);
  });

  test.each<[string, number]>([
    // prediction_service.proto and all that it imports, directly or not.
    ["tensorflow.serving.PredictionService", 16],
    ["tensorflow.serving.PredictionService.Predict", 16],
    ["google.protobuf.Int64Value", 1],
  ])("answers %s with its file and those it imports: %i", async (value, files) => {
    const response = await ask({ $case: "fileContainingSymbol", value });
    expect(response.$case).toBe("fileDescriptorResponse");
    expect(response.value.fileDescriptorProto).toHaveLength(files);
  });

  test("says what it does not know", async () => {
    expect(await ask({ $case: "fileContainingSymbol", value: "nope" })).toMatchObject({
      $case: "errorResponse",
      value: { errorCode: 5 },
    });
  });
});
