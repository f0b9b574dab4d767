import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { connect } from "node:tls";
import { createLogger } from "@vitrine/runtime/logger";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ClusterAccess } from "./cluster-trust.js";
import type { ScalerConfig } from "./config.js";
import { type Scaler, startScaler } from "./main.js";
import { ask } from "./testing/ask.js";
import { type Authority, makeAuthority } from "./testing/authority.js";
import { TEST_CONFIG } from "./testing/config.js";

const GROUP = "/apis/external.metrics.k8s.io/v1beta1";
const METRIC_PATH = (namespace: string) =>
  `${GROUP}/namespaces/${namespace}/m?labelSelector=service%3Da%2Cport%3D80`;

let frontProxy: Authority;
let stranger: Authority;
let clusterAuthority: Authority;
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  [frontProxy, stranger, clusterAuthority] = (await Promise.all(
    ["front-proxy-ca", "front-proxy-ca", "kubernetes"].map(makeAuthority),
  )) as [Authority, Authority, Authority];
});

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function scratch(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "vitrine-scaler-"));
  ends.push(() => rm(folder, { recursive: true }));
  return folder;
}

async function start(config: Partial<ScalerConfig>, cluster: ClusterAccess): Promise<Scaler> {
  const logger = createLogger({ name: "scaler", level: "silent", stream: process.stderr });
  const parts = { logger, version: "0", cluster, lookup: async () => [] };
  const scaler = await startScaler({ ...TEST_CONFIG, ...config }, parts);
  ends.push(() => scaler.drain(1000));
  return scaler;
}

/** The Kubernetes API, as much of it as is asked for: one ConfigMap, which the test changes. */
async function startApi(data: Record<string, string> | undefined) {
  const { key, cert } = await clusterAuthority.issue("kube-apiserver");
  const asked: string[] = [];
  const watchers: ServerResponse[] = [];
  let current = data;
  let watched = () => {};
  const server = createServer({ key, cert }, (request, response) => {
    asked.push(`${request.headers.authorization} ${request.url}`);
    if (request.url?.includes("watch=true")) {
      watchers.push(response.writeHead(200));
      response.flushHeaders();
      return watched();
    }
    const items = current === undefined ? [] : [{ data: current }];
    response.end(JSON.stringify({ metadata: { resourceVersion: "7" }, items }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ends.push(
    () => server.close(),
    () => server.closeAllConnections(),
  );
  const folder = await scratch();
  await Promise.all([
    writeFile(path.join(folder, "token"), "the-token\n"),
    writeFile(path.join(folder, "ca.crt"), clusterAuthority.pem),
    writeFile(path.join(folder, "namespace"), "vitrine"),
  ]);
  const watching = new Promise<void>((resolve) => {
    watched = resolve;
  });
  return {
    access: { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, folder },
    asked,
    /** Resolves when the first watch has begun: what the list said has been taken by then. */
    watching,
    /** What changed meanwhile is not told: the version to go on from is too old. */
    breakWatch(next: Record<string, string>) {
      current = next;
      const object = { kind: "Status", code: 410, reason: "Expired" };
      for (const each of watchers) each.end(`${JSON.stringify({ type: "ERROR", object })}\n`);
    },
    change(next: Record<string, string>) {
      current = next;
      for (const each of watchers)
        each.write(`${JSON.stringify({ type: "MODIFIED", object: { data: next } })}\n`);
    },
  };
}

const configMap = (authority: Authority, names: string[]) => ({
  "requestheader-client-ca-file": authority.pem,
  "requestheader-allowed-names": JSON.stringify(names),
  "requestheader-username-headers": '["X-Remote-User"]',
});

/** Asks until the answer is the one wished: what is watched comes when it comes. */
async function until(wished: number, asking: () => Promise<{ status: number }>): Promise<void> {
  await expect.poll(async () => (await asking()).status, { timeout: 20_000 }).toBe(wished);
}

describe("the API server, as the cluster's ConfigMap knows it", () => {
  it("is answered, and nobody else, for any path", async () => {
    const api = await startApi(configMap(frontProxy, ["front-proxy-client"]));
    const scaler = await start({}, api.access);
    await api.watching;
    const client = await frontProxy.issue("front-proxy-client");
    const others = {
      none: undefined,
      otherAuthority: await stranger.issue("front-proxy-client"),
      otherName: await frontProxy.issue("somebody"),
    };
    expect((await ask(scaler.port, GROUP, client)).status).toBe(200);
    for (const path of [GROUP, "/apis", METRIC_PATH("vitrine"), "/openapi/v2"]) {
      expect((await ask(scaler.port, path, others.none)).status, path).toBe(401);
      expect((await ask(scaler.port, path, others.otherAuthority)).status, path).toBe(401);
      expect(await ask(scaler.port, path, others.otherName), path).toMatchObject({
        status: 403,
        body: { kind: "Status", reason: "Forbidden", message: expect.stringContaining("was of somebody") },
      });
    }
    expect(api.asked[0]).toBe(
      "Bearer the-token /api/v1/namespaces/kube-system/configmaps?fieldSelector=metadata.name%3Dextension-apiserver-authentication",
    );
    expect(api.asked[1]).toContain("&watch=true&timeoutSeconds=300&resourceVersion=7");
  });

  it("is known by its new certificate as soon as the ConfigMap has its authority", async () => {
    const api = await startApi(configMap(frontProxy, []));
    const scaler = await start({}, api.access);
    await api.watching;
    const [before, after] = await Promise.all([frontProxy.issue("any"), stranger.issue("any")]);
    expect((await ask(scaler.port, GROUP, before)).status).toBe(200);
    expect((await ask(scaler.port, GROUP, after)).status).toBe(401);
    api.change(configMap(stranger, []));
    await until(200, () => ask(scaler.port, GROUP, after));
    expect((await ask(scaler.port, GROUP, before)).status).toBe(401);
  });

  it("is looked for anew after a watch that could not go on", async () => {
    const api = await startApi(configMap(frontProxy, []));
    const scaler = await start({}, api.access);
    await api.watching;
    const after = await stranger.issue("any");
    api.breakWatch(configMap(stranger, []));
    await until(200, () => ask(scaler.port, GROUP, after));
    expect(api.asked.slice(0, 3).map((each) => each.includes("watch=true"))).toEqual([false, true, false]);
  });

  it("is not known before the ConfigMap is read: nobody is answered, and the scaler lives and is not ready", async () => {
    const api = await startApi(undefined);
    const scaler = await start({}, api.access);
    const client = await frontProxy.issue("front-proxy-client");
    expect((await ask(scaler.port, GROUP, client)).status).toBe(401);
    const admin = `http://127.0.0.1:${scaler.adminPort}`;
    expect((await fetch(`${admin}/livez`)).status).toBe(200);
    expect((await fetch(`${admin}/readyz`)).status).toBe(503);
  });

  it("is asked about the pod's own namespace, or those of the setting", async () => {
    const api = await startApi(configMap(frontProxy, []));
    const client = await frontProxy.issue("front-proxy-client");
    const statuses = async (config: Partial<ScalerConfig>) => {
      const scaler = await start(config, api.access);
      await until(200, () => ask(scaler.port, GROUP, client));
      const asking = ["vitrine", "payments"].map((each) => ask(scaler.port, METRIC_PATH(each), client));
      return (await Promise.all(asking)).map(({ status }) => status);
    };
    // 503: allowed, and there are no pods.
    expect(await statuses({})).toEqual([503, 403]);
    expect(await statuses({ namespace: ["payments", "other"] })).toEqual([403, 503]);
  });
});

it("a port that is taken ends the start, and leaves nothing open that would keep the process alive", async () => {
  const api = await startApi(configMap(frontProxy, []));
  const taken = createServer().listen(0, "127.0.0.1");
  ends.push(() => taken.close());
  await once(taken, "listening");
  const servers = () => process.getActiveResourcesInfo().filter((name) => name === "TCPServerWrap").length;
  const before = servers();
  const { port } = taken.address() as AddressInfo;
  await expect(start({ adminPort: port }, api.access)).rejects.toThrow("EADDRINUSE");
  await expect(start({ grpcPort: port }, api.access)).rejects.toThrow("EADDRINUSE");
  expect(servers()).toBe(before);
});

describe("settings in place of the cluster", () => {
  const nowhere: ClusterAccess = { url: "https://127.0.0.1:1", folder: "/no/such/folder" };

  it("name the authority and its names, and the file is followed", async () => {
    const folder = await scratch();
    const file = path.join(folder, "ca.crt");
    await writeFile(file, frontProxy.pem);
    const config = {
      requestheaderClientCaFile: file,
      requestheaderAllowedNames: ["a", "b"],
      namespace: ["x"],
    };
    const scaler = await start(config, nowhere);
    expect((await fetch(`http://127.0.0.1:${scaler.adminPort}/readyz`)).status).toBe(200);
    expect((await ask(scaler.port, GROUP, await frontProxy.issue("b"))).status).toBe(200);
    expect((await ask(scaler.port, GROUP, await frontProxy.issue("c"))).status).toBe(403);
    await writeFile(`${file}.new`, stranger.pem);
    await rename(`${file}.new`, file);
    const renewed = await stranger.issue("a");
    await until(200, () => ask(scaler.port, GROUP, renewed));
  });

  it("are asked for outside of a pod, and an authority that is none is refused", async () => {
    await expect(start({}, nowhere)).rejects.toThrow(
      /^--namespace was not given, .*\n--requestheader-client-ca-file was not given/,
    );
    const file = path.join(await scratch(), "ca.crt");
    await writeFile(file, "no certificate");
    const config = { requestheaderClientCaFile: file, namespace: ["x"] };
    await expect(start(config, nowhere)).rejects.toThrow();
    await expect(start({ requestheaderAllowedNames: ["a"], namespace: ["x"] }, nowhere)).rejects.toThrow(
      "--requestheader-allowed-names was given",
    );
  });

  it("a TLS session that is taken up again vouches for nobody who has shown no certificate", async () => {
    const file = path.join(await scratch(), "ca.crt");
    await writeFile(file, frontProxy.pem);
    const scaler = await start({ requestheaderClientCaFile: file, namespace: ["x"] }, nowhere);
    const say = async (session?: Buffer) => {
      const place = { host: "127.0.0.1", port: scaler.port, rejectUnauthorized: false };
      const socket = connect({ ...place, ...(session === undefined ? {} : { session }) });
      ends.push(() => socket.destroy());
      let ticket: Buffer | undefined;
      socket.on("session", (taken) => {
        ticket = taken;
      });
      await once(socket, "secureConnect");
      socket.write(`GET ${GROUP} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      const [first] = await once(socket, "data");
      return { status: String(first).slice(9, 12), isReused: socket.isSessionReused(), ticket };
    };
    const first = await say();
    const second = await say(first.ticket);
    expect([first.status, second.status, second.isReused]).toEqual(["401", "401", true]);
  });

  it("a renewed certificate is shown to who connects next, and one without its key changes nothing", async () => {
    const folder = await scratch();
    const [caFile, certFile, keyFile] = ["ca.crt", "tls.crt", "tls.key"].map((name) =>
      path.join(folder, name),
    ) as [string, string, string];
    const [first, second] = await Promise.all([stranger.issue("first"), stranger.issue("second")]);
    await Promise.all([
      writeFile(caFile, frontProxy.pem),
      writeFile(certFile, first.cert),
      writeFile(keyFile, first.key),
    ]);
    const config = {
      requestheaderClientCaFile: caFile,
      tlsCertFile: certFile,
      tlsKeyFile: keyFile,
      namespace: ["x"],
    };
    const scaler = await start(config, nowhere);
    const client = await frontProxy.issue("any");
    const shown = async () => (await ask(scaler.port, GROUP, client)).certificate.subject;
    expect(await shown()).toBe("CN=first");
    await writeFile(certFile, second.cert);
    expect(await shown()).toBe("CN=first");
    await writeFile(keyFile, second.key);
    await expect.poll(shown, { timeout: 20_000 }).toBe("CN=second");
    expect((await ask(scaler.port, GROUP, client)).status).toBe(200);
  });
});
