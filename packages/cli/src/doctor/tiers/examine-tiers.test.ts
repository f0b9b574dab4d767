import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { createServer as createSocketServer, type Server } from "node:net";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { SHIPPED_MODEL, VITRINE_PROGRAM } from "../../shipped.js";
import { examineGateway } from "./examine-gateway.js";
import { examineModelTier, type ModelTierQuestion } from "./examine-model-tier.js";
import { isTier, type TierPort } from "./is-tier.js";

const QUESTION = { timeoutMs: 5000, signal: new AbortController().signal };

async function portOf(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

const answering =
  (status: number, body: string): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { "content-type": "application/json", connection: "close" }).end(body);
  };

async function secureServer() {
  const tls = new URL("../../../../protocol/fixtures/tls/", import.meta.url);
  const [key, cert] = await Promise.all(
    ["server.key", "server.crt"].map((name) => readFile(new URL(name, tls))),
  );
  return createSecureServer({ key, cert }, answering(200, "{}"));
}

/** A port that nothing listens on. */
async function closedPort(): Promise<number> {
  const server = createSocketServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

describe("a gateway", () => {
  const examine = async (status: number, body: string) =>
    await examineGateway(`http://127.0.0.1:${await portOf(createServer(answering(status, body)))}`, QUESTION);

  test("that is ready has no finding", async () => {
    expect(await examine(200, '{"status":"ready","model":{"name":"clothing-model","version":"1"}}')).toEqual(
      [],
    );
  });

  test("that is not ready says its reason", async () => {
    const [found] = await examine(
      503,
      '{"reason":"MODEL_UNAVAILABLE","detail":"model tier was not reachable"}',
    );
    expect(found).toMatchObject({
      id: "gateway-not-ready",
      problem: "MODEL_UNAVAILABLE: model tier was not reachable",
    });
  });

  test("whose contract does not fit says both sides", async () => {
    const detail = "contract had 3 labels, expected 10";
    const [found] = await examine(503, JSON.stringify({ reason: "MODEL_CONTRACT_MISMATCH", detail }));
    expect(found).toMatchObject({ id: "contract-mismatch", problem: detail });
  });

  test("is told from the REST port of a model server, and from any other program", async () => {
    const [rest] = await examine(404, '{"error":"Malformed request: GET /readyz"}');
    expect(rest).toMatchObject({ id: "not-a-gateway" });
    expect(rest?.mends[0]?.command).toBe("vitrine doctor --gateway http://127.0.0.1:9696");
    expect((await examine(200, "<h1>It works!</h1>"))[0]?.id).toBe("not-a-gateway");
  });

  test("that is asked over the wrong scheme is told so, both ways", async () => {
    const plain = await portOf(createServer(answering(200, "{}")));
    const secure = await portOf(await secureServer());
    const [onPlain] = await examineGateway(`https://127.0.0.1:${plain}`, QUESTION);
    expect(onPlain).toMatchObject({ id: "gateway-wrong-scheme" });
    expect(onPlain?.problem).toBe("it speaks no TLS, and was asked with it");
    const [onSecure] = await examineGateway(`http://127.0.0.1:${secure}`, QUESTION);
    expect(onSecure?.problem).toBe("it speaks TLS, and was asked without");
    expect(onSecure?.mends[0]?.command).toBe(`vitrine doctor --gateway https://127.0.0.1:${secure}`);
  });

  test("that is not there, or never answers, is unreachable", async () => {
    const [closed] = await examineGateway(`http://127.0.0.1:${await closedPort()}`, QUESTION);
    expect(closed).toMatchObject({ id: "gateway-unreachable" });
    expect(closed?.problem).toContain("ECONNREFUSED");
    expect(closed?.mends.map(({ command }) => command)).toEqual([
      "npx vitrine up",
      "kubectl port-forward service/gateway 9696:80",
    ]);
    const silent = await portOf(createServer(() => {}));
    const [unheard] = await examineGateway(`http://127.0.0.1:${silent}`, { ...QUESTION, timeoutMs: 200 });
    expect(unheard?.problem).toBe("nothing answers there: no answer in time");
    const [unknown] = await examineGateway("http://gateway.invalid", QUESTION);
    expect(unknown?.problem).toBe("the name gateway.invalid is not known");
  });
});

describe("a model server", () => {
  const ports = { grpc: 0, rest: 0 };
  let stop: () => Promise<unknown>;

  beforeAll(async () => {
    const child = spawn(
      process.execPath,
      [VITRINE_PROGRAM, "serve", "--model-base-path", SHIPPED_MODEL, "--port=auto", "--rest-api-port=auto"],
      { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, LOG_LEVEL: "error" } },
    );
    stop = async () => {
      child.kill();
      await once(child, "close");
    };
    for await (const line of createInterface({ input: child.stdout })) {
      const listens = /^ready (.*)$/.exec(line)?.[1];
      if (listens === undefined) continue;
      for (const address of listens.split(" ")) {
        const port = Number(address.split(":").at(-1));
        ports[address.startsWith("http") ? "rest" : "grpc"] = port;
      }
      break;
    }
  }, 60_000);
  afterAll(() => stop());

  const examine = (port: number, more: Partial<ModelTierQuestion> = {}, host = "127.0.0.1") =>
    examineModelTier(
      { host, port },
      {
        ...QUESTION,
        modelName: "clothing-model",
        signatureName: "serving_default",
        tls: undefined,
        ...more,
      },
    );

  test("that serves the model with its contract has no finding", async () => {
    expect(await examine(ports.grpc)).toEqual([]);
  });

  test("is told by its REST port", async () => {
    const [found] = await examine(ports.rest);
    expect(found).toMatchObject({ id: "model-tier-rest-port" });
    expect(found?.mends[0]?.command).toBe("vitrine doctor --tf-serving-host 127.0.0.1:8500");
  });

  test("is known by either of its ports, and neither another program nor silence is", async () => {
    const is = async (port: TierPort, number: number) =>
      await isTier(port, { host: "127.0.0.1", port: number }, { ...QUESTION, timeoutMs: 1000 });
    expect(await is("model-server-grpc", ports.grpc)).toBe(true);
    expect(await is("model-server-rest", ports.rest)).toBe(true);
    expect(await is("model-server-grpc", ports.rest)).toBe(false);
    expect(await is("gateway", ports.rest)).toBe(false);
    const gateway = await portOf(createServer(answering(200, '{"status":"healthy"}')));
    expect(await is("gateway", gateway)).toBe(true);
    expect(await is("model-server-rest", gateway)).toBe(false);
    const silent = await portOf(createSocketServer());
    for (const port of ["gateway", "model-server-grpc", "model-server-rest"] as const) {
      expect(await is(port, silent)).toBe(false);
    }
  });

  test("that serves no model of the name, or no such signature, is told so", async () => {
    expect((await examine(ports.grpc, { modelName: "birds" }))[0]?.id).toBe("model-not-served");
    const [found] = await examine(ports.grpc, { signatureName: "other" });
    expect(found).toMatchObject({ id: "contract-mismatch" });
    expect(found?.problem).toContain('no signature "other"');
  });

  test("that speaks no TLS where it was asked with it is told so", async () => {
    expect((await examine(ports.grpc, { tls: {} }))[0]?.id).toBe("model-tier-wrong-scheme");
  });

  test("that speaks TLS where it was asked without is told so", async () => {
    const [found] = await examine(await portOf(await secureServer()));
    expect(found).toMatchObject({ id: "model-tier-wrong-scheme" });
    expect(found?.mends[0]?.command).toContain("--tf-serving-tls");
  });

  test("is told from a web server, from nothing, and from a name that nobody knows", async () => {
    const web = await portOf(createServer(answering(200, "<h1>It works!</h1>")));
    expect((await examine(web))[0]?.id).toBe("model-tier-not-grpc");
    const [closed] = await examine(await closedPort());
    expect(closed).toMatchObject({
      id: "model-tier-unreachable",
      problem: "nothing listens there: ECONNREFUSED",
    });
    expect(closed?.mends[0]?.command).toBe("npx vitrine up");
    expect((await examine(8500, {}, "model-server.invalid"))[0]?.id).toBe("model-host-unknown");
  });
});
