/**
 * gRPC's price per Predict call: our own over node:http2 against @grpc/grpc-js as it comes, a tensor in and ten
 * scores out, 8 calls in flight. Each side is a process of its own and says its CPU time; a side is measured against
 * the same other side, by turns.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import { PredictRequest, PredictResponse } from "@vitrine/protocol/gen/tensorflow_serving/apis/predict";
import { GrpcChannel } from "@vitrine/protocol/grpc/channel";
import { GrpcServer } from "@vitrine/protocol/grpc/server";
import { PREDICT } from "@vitrine/protocol/services";
import { DataType, type Tensor, tensorFromProto, tensorToProto } from "@vitrine/protocol/tensor";
import { median } from "./harness/statistics.js";

type Library = "own" | "grpc-js";

const SIZES: Readonly<Record<string, () => Tensor>> = {
  "150 KB": () => tensor(DataType.DT_UINT8, [1, 224, 224, 3], new Uint8Array(224 * 224 * 3)),
  "1.07 MB": () => tensor(DataType.DT_FLOAT, [1, 299, 299, 3], new Float32Array(299 * 299 * 3)),
};
const IN_FLIGHT = 8;
const ROUNDS = 5;
const ROUND_MS = 1500;
const WARM_UP_MS = 1500;

interface Measured {
  readonly calls: number;
  readonly wallMs: number;
  readonly clientCpuMs: number;
  readonly serverCpuMs: number;
}

function tensor(dtype: DataType, shape: readonly number[], data: Uint8Array | Float32Array): Tensor {
  return { dtype, shape, data: data.fill(77) };
}

function answer(request: PredictRequest): PredictResponse {
  const image = request.inputs.get("image");
  if (image === undefined) throw new Error("no image");
  const { data } = tensorFromProto(image, "image");
  const scores = new Float32Array(10).fill(Number(data[data.length - 1]));
  return {
    outputs: new Map([
      ["scores", tensorToProto({ dtype: DataType.DT_FLOAT, shape: [1, 10], data: scores }, "values")],
    ]),
    modelSpec: undefined,
  };
}

/** What a user of ts-proto and grpc-js writes: one buffer per message. */
const plainly = {
  encodeRequest: (request: PredictRequest) => Buffer.from(PredictRequest.encode(request).finish()),
  encodeResponse: (response: PredictResponse) => Buffer.from(PredictResponse.encode(response).finish()),
};

async function startServer(library: Library): Promise<number> {
  if (library === "own") {
    const server = new GrpcServer();
    server.unary(PREDICT, answer);
    return server.listen({ host: "127.0.0.1", port: 0 });
  }
  const server = new grpc.Server();
  const definition = {
    path: PREDICT.path,
    requestStream: false,
    responseStream: false,
    requestSerialize: plainly.encodeRequest,
    requestDeserialize: (bytes: Buffer) => PredictRequest.decode(bytes),
    responseSerialize: plainly.encodeResponse,
    responseDeserialize: (bytes: Buffer) => PredictResponse.decode(bytes),
  } as const;
  const predict: grpc.handleUnaryCall<PredictRequest, PredictResponse> = ({ request }, callback) =>
    callback(null, answer(request));
  server.addService({ predict: definition }, { predict });
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

function openClient(library: Library, port: number): (request: PredictRequest) => Promise<PredictResponse> {
  if (library === "own") {
    const channel = new GrpcChannel("127.0.0.1", port);
    return (request) => channel.unary(PREDICT, request, { timeoutMs: 20_000 });
  }
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  return (request) =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        PREDICT.path,
        plainly.encodeRequest,
        (bytes: Buffer) => PredictResponse.decode(bytes),
        request,
        { deadline: Date.now() + 20_000 },
        (error, response) => {
          if (error !== null || response === undefined) reject(error ?? new Error("no response"));
          else resolve(response);
        },
      );
    });
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function load(
  call: (request: PredictRequest) => Promise<PredictResponse>,
  size: string,
  forMs: number,
) {
  const makeTensor = SIZES[size];
  if (makeTensor === undefined) throw new Error(`no size ${size}`);
  const image = makeTensor();
  const cpuBefore = cpuMs();
  const startedMs = performance.now();
  let calls = 0;
  const caller = async () => {
    while (performance.now() - startedMs < forMs) {
      await call({
        modelSpec: { name: "m", versionChoice: undefined, signatureName: "" },
        inputs: new Map([["image", tensorToProto(image, "content")]]),
        outputFilter: [],
      });
      calls++;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
  return [calls, performance.now() - startedMs, cpuMs() - cpuBefore];
}

/** The child's side: the role is "server" or "client"; each message of the parent is answered by numbers. */
async function serveParent(role: string, library: Library, port: number): Promise<void> {
  const call = role === "client" ? openClient(library, port) : undefined;
  const report = (numbers: readonly number[]) => process.send?.(numbers);
  process.on("message", (message: { size: string; forMs: number } | "cpu") => {
    if (message === "cpu") report([cpuMs()]);
    else if (call !== undefined) void load(call, message.size, message.forMs).then(report);
  });
  report([role === "server" ? await startServer(library) : 0]);
}

interface Child {
  readonly process: ChildProcess;
  readonly port: number;
}

async function startChild(role: string, library: Library, port = 0): Promise<Child> {
  const child = fork(fileURLToPath(import.meta.url), [role, library, String(port)]);
  const [ownPort] = await nextNumbers(child);
  return { process: child, port: ownPort ?? 0 };
}

async function nextNumbers(child: ChildProcess): Promise<number[]> {
  const [message]: unknown[] = await once(child, "message");
  if (!Array.isArray(message) || !message.every((value) => typeof value === "number")) {
    throw new Error(`a child said ${JSON.stringify(message)}, expected numbers`);
  }
  return message;
}

function ask(child: Child, message: object | "cpu"): Promise<number[]> {
  const answered = nextNumbers(child.process);
  child.process.send(message);
  return answered;
}

async function measure(server: Child, client: Child, size: string, forMs: number): Promise<Measured> {
  const [before = 0] = await ask(server, "cpu");
  const [calls = 0, wallMs = 0, clientCpuMs = 0] = await ask(client, { size, forMs });
  const [after = 0] = await ask(server, "cpu");
  return { calls, wallMs, clientCpuMs, serverCpuMs: after - before };
}

async function main(): Promise<void> {
  const servers = {
    own: await startChild("server", "own"),
    "grpc-js": await startChild("server", "grpc-js"),
  };
  const pairs: { name: string; server: Child; client: Child }[] = [];
  for (const [client, server] of [
    ["own", "own"],
    ["own", "grpc-js"],
    ["grpc-js", "own"],
    ["grpc-js", "grpc-js"],
  ] as const) {
    pairs.push({
      name: `${client} client, ${server} server`,
      server: servers[server],
      client: await startChild("client", client, servers[server].port),
    });
  }
  console.log("medians of", ROUNDS, "rounds; CPU ms per call");
  for (const size of Object.keys(SIZES)) {
    for (const { server, client } of pairs) await measure(server, client, size, WARM_UP_MS);
    const measured = new Map<string, Measured[]>(pairs.map(({ name }) => [name, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const { name, server, client } of pairs) {
        measured.get(name)?.push(await measure(server, client, size, ROUND_MS));
      }
    }
    const of = (name: string, value: (run: Measured) => number) =>
      median((measured.get(name) ?? []).map(value));
    const clientCpu = (run: Measured) => run.clientCpuMs / run.calls;
    const serverCpu = (run: Measured) => run.serverCpuMs / run.calls;
    const perSecond = (run: Measured) => (run.calls / run.wallMs) * 1000;
    for (const { name } of pairs) {
      const figures = [clientCpu, serverCpu].map((value) => of(name, value).toFixed(3).padStart(7));
      const rate = of(name, perSecond).toFixed(0).padStart(6);
      console.log(
        `${size.padEnd(8)} ${name.padEnd(31)} client ${figures[0]}  server ${figures[1]}  ${rate} calls/s`,
      );
    }
    const ratios = {
      "server, own / grpc-js, called by the own client":
        of("own client, own server", serverCpu) / of("own client, grpc-js server", serverCpu),
      "client, own / grpc-js, calling the own server":
        of("own client, own server", clientCpu) / of("grpc-js client, own server", clientCpu),
      "both ends together, own / grpc-js":
        of("own client, own server", (run) => clientCpu(run) + serverCpu(run)) /
        of("grpc-js client, grpc-js server", (run) => clientCpu(run) + serverCpu(run)),
    };
    for (const [name, ratio] of Object.entries(ratios))
      console.log(`${size.padEnd(8)} ratio ${ratio.toFixed(2)}  ${name}`);
  }
  for (const child of [...Object.values(servers), ...pairs.map(({ client }) => client)]) child.process.kill();
}

const [, , role, library, port] = process.argv;
if (role === undefined) await main();
else await serveParent(role, library === "own" ? "own" : "grpc-js", Number(port));
