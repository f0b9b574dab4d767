import { X509Certificate } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import * as grpc from "@grpc/grpc-js";
import type { MethodDefinition } from "@vitrine/protocol/method-definition";
import { GET_METRIC_SPEC, GET_METRICS, IS_ACTIVE, STREAM_IS_ACTIVE } from "@vitrine/protocol/scaler-services";
import { createLogger } from "@vitrine/runtime/logger";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { makeCertificate } from "./certificate.js";
import { type Scaler, startScaler } from "./main.js";
import { type Answer, ask as askAs } from "./testing/ask.js";
import { type KeyPair, makeAuthority } from "./testing/authority.js";
import { TEST_CONFIG } from "./testing/config.js";

const METRIC = "vitrine_model_server_waiting_requests";
let folder: string;
let trust: { requestheaderClientCaFile: string; requestheaderAllowedNames: string[]; namespace: string[] };
let client: KeyPair;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "vitrine-scaler-"));
  const authority = await makeAuthority("front-proxy-ca");
  client = await authority.issue("front-proxy-client");
  const requestheaderClientCaFile = path.join(folder, "ca.crt");
  await writeFile(requestheaderClientCaFile, authority.pem);
  trust = { requestheaderClientCaFile, requestheaderAllowedNames: [], namespace: ["vitrine"] };
});

afterAll(() => rm(folder, { recursive: true }));

const ask = (port: number, path: string): Promise<Answer> => askAs(port, path, client);

const ends: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** What a pod of the model tier answers on its admin port. */
interface Pod {
  waiting: number;
  answers: boolean;
  hasModel: boolean;
}

/** Pods on 127.0.0.1, 127.0.0.2, …, all on one port, as pods of one Service are. */
async function startPods(count: number): Promise<{ pods: Pod[]; addresses: string[]; port: number }> {
  const pods: Pod[] = [];
  const addresses: string[] = [];
  let port = 0;
  for (let index = 0; index < count; index++) {
    const pod: Pod = { waiting: 0, answers: true, hasModel: true };
    const server = createServer((_request, response) => {
      // A pod that hangs keeps its connection until the scaler gives up.
      if (pod.answers)
        response.end(
          `# TYPE ${METRIC} gauge\n${pod.hasModel ? `${METRIC}{model="clothing-model",version="2"} ${pod.waiting}\n` : ""}`,
        );
    });
    const address = `127.0.0.${index + 1}`;
    await new Promise<void>((resolve) => server.listen(port, address, resolve));
    port = (server.address() as AddressInfo).port;
    ends.push(
      () => server.closeAllConnections(),
      () => void server.close(),
    );
    pods.push(pod);
    addresses.push(address);
  }
  return { pods, addresses, port };
}

async function start(
  lookup: (host: string) => Promise<readonly string[]>,
  scrapeTimeoutMs = 2000,
): Promise<Scaler> {
  const scaler = await startScaler(
    { ...TEST_CONFIG, ...trust, scrapeTimeoutMs },
    {
      logger: createLogger({ name: "scaler", level: "silent", stream: process.stderr }),
      version: "0",
      lookup,
    },
  );
  ends.push(() => scaler.drain(1000));
  return scaler;
}

const valueListSchema = z.object({
  kind: z.literal("ExternalMetricValueList"),
  apiVersion: z.literal("external.metrics.k8s.io/v1beta1"),
  items: z.tuple([
    z.object({
      metricName: z.string(),
      metricLabels: z.record(z.string(), z.string()),
      timestamp: z.iso.datetime(),
      value: z.string(),
    }),
  ]),
});

const statusSchema = z.object({ kind: z.literal("Status"), message: z.string(), code: z.number() });

function pathOf(port: number, more = ""): string {
  const selector = encodeURIComponent(`port=${port},service=model-server${more}`);
  return `/apis/external.metrics.k8s.io/v1beta1/namespaces/vitrine/${METRIC}?labelSelector=${selector}`;
}

describe("the external metrics API", () => {
  it("answers 37 when 37 requests wait, over all pods of the Service", async () => {
    const { pods, addresses, port } = await startPods(3);
    const hosts: string[] = [];
    const scaler = await start(async (host) => {
      hosts.push(host);
      return addresses;
    });
    pods.forEach((pod, index) => {
      pod.waiting = [30, 0, 7][index] ?? 0;
    });
    const { status, body } = await ask(scaler.port, pathOf(port));
    expect(status).toBe(200);
    const [item] = valueListSchema.parse(body).items;
    expect(item.value).toBe("37");
    expect(item.metricName).toBe(METRIC);
    expect(hosts).toEqual(["model-server.vitrine.svc.cluster.local"]);
  });

  it("takes further labels of the selector for those of a sample", async () => {
    const { pods, addresses, port } = await startPods(1);
    for (const pod of pods) pod.waiting = 4;
    const scaler = await start(async () => addresses);
    const valueFor = async (more: string) =>
      valueListSchema.parse((await ask(scaler.port, pathOf(port, more))).body).items[0].value;
    expect(await valueFor(",model=clothing-model")).toBe("4");
  });

  it("takes a label that no sample has for a mistake, unless there are no samples at all", async () => {
    const { pods, addresses, port } = await startPods(2);
    const scaler = await start(async () => addresses);
    const asking = () => ask(scaler.port, pathOf(port, ",model=clothing-modle"));
    const { status, body } = await asking();
    expect(status).toBe(400);
    expect(statusSchema.parse(body).message).toContain(
      'labels was "model=clothing-modle", expected those of',
    );
    for (const pod of pods) pod.hasModel = false;
    expect(valueListSchema.parse((await asking()).body).items[0].value).toBe("0");
  });

  it("takes a pod that does not answer in time for one as busy as the others, and counts it as failed", async () => {
    const { pods, addresses, port } = await startPods(2);
    const scaler = await start(async () => addresses, 200);
    pods.forEach((pod, index) => {
      pod.waiting = 5;
      pod.answers = index === 0;
    });
    const { body } = await ask(scaler.port, pathOf(port));
    expect(valueListSchema.parse(body).items[0].value).toBe("10");
    const metrics = await (await fetch(`http://127.0.0.1:${scaler.adminPort}/metrics`)).text();
    expect(metrics).toContain("vitrine_scaler_failed_scrapes_total 1");
  });

  it("has no number when most pods do not answer, so that the autoscaler takes none away", async () => {
    const { pods, addresses, port } = await startPods(3);
    pods.forEach((pod, index) => {
      pod.answers = index === 0;
    });
    const scaler = await start(async () => addresses, 200);
    const { status, body } = await ask(scaler.port, pathOf(port));
    expect(status).toBe(503);
    expect(statusSchema.parse(body).message).toContain("1 of 3 pods of model-server in vitrine answered");
  });

  it("has no number when the Service is not found", async () => {
    const scaler = await start(() => Promise.reject(new Error("ENOTFOUND")));
    const { status, body } = await ask(scaler.port, pathOf(80));
    expect(status).toBe(503);
    expect(statusSchema.parse(body).message).toContain("expected a headless Service with ready pods");
  });

  it("says which word of a question was wrong", async () => {
    const scaler = await start(async () => []);
    const base = "/apis/external.metrics.k8s.io/v1beta1/namespaces/vitrine";
    const messages = await Promise.all(
      [
        `${base}/${METRIC}`,
        `${base}/${METRIC}?labelSelector=service%3D169.254.169.254%2Cport%3D80`,
        `${base}/${METRIC}?labelSelector=service%3Da`,
        `${base}/a%2Fb?labelSelector=service%3Da%2Cport%3D80`,
        `${base}/${METRIC}?labelSelector=${encodeURIComponent("service in (a,b)")}`,
      ].map(async (path) => {
        const { status, body } = await ask(scaler.port, path);
        expect(status, path).toBe(400);
        return statusSchema.parse(body).message.split(",")[0];
      }),
    );
    expect(messages).toEqual([
      'service was ""',
      'service was "169.254.169.254"',
      'port was ""',
      'metric was "a/b"',
      'selector had "service in (a"',
    ]);
  });

  it("lists its group, version and resource, by which the API server finds it", async () => {
    const scaler = await start(async () => []);
    const group = await ask(scaler.port, "/apis/external.metrics.k8s.io");
    expect(group.body).toMatchObject({ kind: "APIGroup", name: "external.metrics.k8s.io" });
    const resources = await ask(scaler.port, "/apis/external.metrics.k8s.io/v1beta1");
    expect(resources.body).toMatchObject({
      kind: "APIResourceList",
      resources: [{ namespaced: true, verbs: ["get"] }],
    });
    expect((await ask(scaler.port, "/openapi/v2")).status).toBe(404);
  });

  it("shows a certificate of its own, or the one it was given", async () => {
    const own = await ask((await start(async () => [])).port, "/apis");
    expect(own.certificate.subject).toBe("CN=vitrine scaler");
    expect(own.certificate.verify(own.certificate.publicKey)).toBe(true);

    const given = await makeCertificate();
    const tlsCertFile = path.join(folder, "tls.crt");
    const tlsKeyFile = path.join(folder, "tls.key");
    await Promise.all([writeFile(tlsCertFile, given.cert), writeFile(tlsKeyFile, given.key)]);
    const settings = {
      host: "127.0.0.1",
      port: 0,
      grpcPort: 0,
      adminPort: 0,
      clusterDomain: "cluster.local",
      ...trust,
    };
    const logger = createLogger({ name: "scaler", level: "silent", stream: process.stderr });
    const config = {
      ...settings,
      tlsCertFile,
      tlsKeyFile,
      scrapeTimeoutMs: 100,
      drainWaitMs: 0,
      logLevel: "silent" as const,
    };
    const scaler = await startScaler(config, { logger, version: "0" });
    ends.push(() => scaler.drain(1000));
    const { certificate } = await ask(scaler.port, "/apis");
    expect(certificate.fingerprint256).toBe(new X509Certificate(given.cert).fingerprint256);
    await expect(startScaler({ ...config, tlsKeyFile: undefined }, { logger, version: "0" })).rejects.toThrow(
      "give both or neither",
    );
  });
});

describe("KEDA's external scaler", () => {
  const ref = (port: number, more: Record<string, string> = {}) => ({
    name: "model-server",
    namespace: "vitrine",
    scalerMetadata: new Map(
      Object.entries({
        scalerAddress: "scaler:9090",
        service: "model-server",
        port: String(port),
        metric: METRIC,
        targetValue: "2.5",
        ...more,
      }),
    ),
  });

  /** A client that knows nothing of ours, as KEDA's. */
  function foreign(port: number) {
    const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    ends.push(() => client.close());
    return {
      call: <Q, A>(method: MethodDefinition<Q, A>, request: Q): Promise<A> =>
        new Promise((resolve, reject) => {
          client.makeUnaryRequest(
            method.path,
            (message: Q) => Buffer.concat(method.encodeRequest(message)),
            (bytes: Buffer) => method.decodeResponse(bytes),
            request,
            (error, answer) => (answer === undefined ? reject(error) : resolve(answer)),
          );
        }),
      stream: <Q, A>(method: MethodDefinition<Q, A>, request: Q) =>
        client.makeServerStreamRequest(
          method.path,
          (message: Q) => Buffer.concat(method.encodeRequest(message)),
          (bytes: Buffer) => method.decodeResponse(bytes),
          request,
        ),
    };
  }

  it("says target and value, as fractions and rounded up", async () => {
    const { pods, addresses, port } = await startPods(2);
    for (const pod of pods) pod.waiting = 18.5;
    const scaler = await start(async () => addresses);
    const keda = foreign(scaler.grpcPort);
    expect(await keda.call(GET_METRIC_SPEC, ref(port))).toEqual({
      metricSpecs: [{ metricName: METRIC, targetSize: 3n, targetSizeFloat: 2.5 }],
    });
    expect(await keda.call(GET_METRICS, { scaledObjectRef: ref(port), metricName: "s0-waiting" })).toEqual({
      metricValues: [{ metricName: "s0-waiting", metricValue: 37n, metricValueFloat: 37 }],
    });
  });

  it("is active above the activation target only", async () => {
    const { pods, addresses, port } = await startPods(1);
    const scaler = await start(async () => addresses);
    const keda = foreign(scaler.grpcPort);
    const isActive = async (waiting: number, more = {}) => {
      for (const pod of pods) pod.waiting = waiting;
      return (await keda.call(IS_ACTIVE, ref(port, more))).result;
    };
    expect(await isActive(0)).toBe(false);
    expect(await isActive(1)).toBe(true);
    expect(await isActive(3, { activationTargetValue: "3" })).toBe(false);
    expect(await isActive(4, { activationTargetValue: "3" })).toBe(true);
  });

  it("streams whether there is work, from the first moment", async () => {
    const { pods, addresses, port } = await startPods(1);
    for (const pod of pods) pod.waiting = 1;
    const scaler = await start(async () => addresses);
    const stream = foreign(scaler.grpcPort).stream(STREAM_IS_ACTIVE, ref(port));
    const [first] = await new Promise<unknown[]>((resolve) =>
      stream.once("data", (...args) => resolve(args)),
    );
    expect(first).toEqual({ result: true });
    const cancelled = new Promise<grpc.ServiceError>((resolve) => stream.once("error", resolve));
    stream.cancel();
    expect((await cancelled).code).toBe(grpc.status.CANCELLED);
  });

  it("says which word of the trigger was wrong", async () => {
    const scaler = await start(async () => []);
    const keda = foreign(scaler.grpcPort);
    const saying = (more: Record<string, string>) =>
      keda.call(GET_METRIC_SPEC, ref(80, more)).then(
        () => "no error",
        (error: grpc.ServiceError) => `${error.code} ${error.details.split(",")[0]}`,
      );
    expect(await saying({ targetValue: "many" })).toBe('3 targetValue was "many"');
    expect(await saying({ targetValue: "0" })).toBe('3 targetValue was "0"');
    expect(await saying({ service: "../x" })).toBe('3 service was "../x"');
  });

  it("is answered while it is not known how the API server proves itself, which /livez says and /readyz does not", async () => {
    const cluster = { url: "https://127.0.0.1:1", folder: path.join(folder, "account") };
    await mkdir(cluster.folder);
    await writeFile(path.join(cluster.folder, "namespace"), "vitrine");
    const scaler = await startScaler(
      { ...TEST_CONFIG, scrapeTimeoutMs: 2000 },
      {
        logger: createLogger({ name: "scaler", level: "silent", stream: process.stderr }),
        version: "0",
        lookup: async () => [],
        cluster,
      },
    );
    ends.push(() => scaler.drain(1000));
    expect((await foreign(scaler.grpcPort).call(GET_METRIC_SPEC, ref(80))).metricSpecs).toHaveLength(1);
    const statusOf = async (route: string) =>
      (await fetch(`http://127.0.0.1:${scaler.adminPort}${route}`)).status;
    expect([await statusOf("/livez"), await statusOf("/readyz")]).toEqual([200, 503]);
  });

  it("is told nothing of another namespace", async () => {
    const scaler = await start(async () => []);
    const scaledObjectRef = { ...ref(80), namespace: "payments" };
    const asking = foreign(scaler.grpcPort).call(GET_METRICS, { scaledObjectRef, metricName: "s0" });
    await expect(asking).rejects.toMatchObject({
      code: grpc.status.PERMISSION_DENIED,
      details: 'namespace was "payments", expected vitrine (--namespace)',
    });
  });
});
