import { afterEach, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { jpeg, model, startTestGateway, type TestGateway } from "./testing/gateway.js";
import { startHttpHost } from "./testing/http-host.js";

const exportSchema = z.object({
  resourceSpans: z.array(
    z.object({
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().optional(),
              name: z.string(),
              attributes: z.array(z.object({ key: z.string(), value: z.unknown() })),
            }),
          ),
        }),
      ),
    }),
  ),
});

type Span = z.infer<typeof exportSchema>["resourceSpans"][0]["scopeSpans"][0]["spans"][0];

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = `00-${TRACE}-b7ad6b7169203331-01`;

const closers: (() => Promise<void>)[] = [];
let photo: Buffer;

beforeAll(async () => {
  photo = await jpeg();
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A collector that keeps what it is sent. */
async function collector(status = 200) {
  const spans: Span[] = [];
  let requests = 0;
  const host = await startHttpHost((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      requests += 1;
      const sent = exportSchema.parse(JSON.parse(Buffer.concat(chunks).toString()));
      spans.push(
        ...sent.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans: each }) => each)),
      );
      response.writeHead(status, { "content-type": "application/json" }).end("{}");
    });
  });
  closers.push(() => host.close());
  return { spans, endpoint: host.url(""), requests: () => requests };
}

async function gateway(flags: Record<string, string>): Promise<TestGateway> {
  const setup = await startTestGateway(model(), flags);
  return setup;
}

const predict = (setup: TestGateway, headers: Record<string, string> = {}) =>
  fetch(setup.url("/predict"), {
    method: "POST",
    headers: { "content-type": "image/jpeg", ...headers },
    body: new Uint8Array(photo),
  });

it("a request's span continues the caller's trace, with a span per stage, and the model tier is told", async () => {
  const { spans, endpoint } = await collector();
  const setup = await gateway({ otlpEndpoint: endpoint });
  await predict(setup, { traceparent: CALLER, tracestate: "vendor=1" });
  await fetch(setup.url("/readyz"));
  const metadata = Object.fromEntries(setup.tier.calls[0]?.metadata ?? []);
  await setup.close();

  const request = spans.find(({ name }) => name === "POST /predict");
  expect(request).toMatchObject({ traceId: TRACE, parentSpanId: "b7ad6b7169203331" });
  const stages = spans.filter(({ parentSpanId }) => parentSpanId === request?.spanId);
  expect(stages.map(({ name }) => name).sort()).toEqual(["decode", "predict", "resize", "total"]);
  expect(metadata).toMatchObject({
    traceparent: `00-${TRACE}-${request?.spanId}-01`,
    tracestate: "vendor=1",
  });
  // Probes are not worth a span.
  expect(spans).toHaveLength(5);
});

it("a refused request's span names the reason", async () => {
  const { spans, endpoint } = await collector();
  const setup = await gateway({ otlpEndpoint: endpoint });
  await fetch(setup.url("/predict"), { method: "POST", headers: { "content-type": "image/png" }, body: "x" });
  await setup.close();
  const [request] = spans.filter(({ name }) => name === "POST /predict");
  expect(request?.attributes).toContainEqual({
    key: "error.type",
    value: { stringValue: "IMAGE_TYPE_UNSUPPORTED" },
  });
});

it("a ratio of 0 records only what a caller asks to be traced", async () => {
  const { spans, endpoint } = await collector();
  const setup = await gateway({ otlpEndpoint: endpoint, traceSampleRatio: "0" });
  await predict(setup);
  await predict(setup, { traceparent: CALLER });
  await setup.close();
  expect(spans.map(({ name }) => name).filter((name) => name === "POST /predict")).toHaveLength(1);
});

it("a collector that is away costs no answer, and is said in the log", async () => {
  const { endpoint } = await collector(400);
  const setup = await gateway({ otlpEndpoint: endpoint });
  expect((await predict(setup)).status).toBe(200);
  await setup.close();
  expect(setup.log.some(({ msg }) => msg === "traces")).toBe(true);
});

it("without a collector the caller's trace goes on to the model tier as it came", async () => {
  const setup = await gateway({});
  await predict(setup, { traceparent: CALLER, tracestate: "vendor=1" });
  await setup.close();
  expect(Object.fromEntries(setup.tier.calls[0]?.metadata ?? [])).toMatchObject({
    traceparent: CALLER,
    tracestate: "vendor=1",
  });
});
