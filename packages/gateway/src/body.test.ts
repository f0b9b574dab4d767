import fastifyMultipart from "@fastify/multipart";
import Fastify, { type FastifyInstance } from "fastify";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ReadForm, readForm } from "./body.js";
import { createPermits } from "./permits.js";

const LIMITS = { maxImageBytes: 1000, maxImages: 3 };
const permits = createPermits({ maxRequests: 10, maxBytes: 100_000 });

let app: FastifyInstance;
let read: ReadForm | undefined;
let heldBytes: number;

beforeEach(async () => {
  app = Fastify();
  app.removeAllContentTypeParsers();
  await app.register(fastifyMultipart, { throwFileSizeLimit: false });
  app.post("/", async (request) => {
    const permit = permits.take();
    try {
      read = await readForm(request, LIMITS, permit, ["label"]);
      heldBytes = permits.bytesHeld;
      return {};
    } finally {
      permit.release();
    }
  });
});
afterEach(() => app.close());

async function send(fields: readonly (readonly [name: string, value: string | Blob])[]): Promise<number> {
  const form = new FormData();
  for (const [name, value] of fields) form.append(name, value as string);
  const request = new Request("http://localhost/", { method: "POST", body: form });
  const { statusCode } = await app.inject({
    method: "POST",
    url: "/",
    headers: Object.fromEntries(request.headers),
    payload: Buffer.from(await request.arrayBuffer()),
  });
  return statusCode;
}

describe("the texts of a form", () => {
  it("are given where they were asked for, and every byte of them is counted", async () => {
    await send([
      ["label", "höse"],
      ["url", "http://a.example/1.jpg"],
      ["label", "pants"],
      ["note", "n".repeat(60_000)],
    ]);
    expect(read?.fields).toEqual(new Map([["label", "pants"]]));
    expect(read?.pictures).toEqual([{ kind: "url", url: "http://a.example/1.jpg" }]);
    // The parser keeps those, too, that nobody asked for.
    expect(heldBytes).toBe(Buffer.byteLength("hösepantshttp://a.example/1.jpg") + 60_000);
  });

  it("are refused when they are more than the gateway may hold", async () => {
    const long = "x".repeat(60_000);
    expect(
      await send([
        ["label", long],
        ["url", long],
      ]),
    ).toBe(500);
    expect(permits.bytesHeld).toBe(0);
  });
});

describe("files under other names", () => {
  const url = ["url", "http://a.example/1.jpg"] as const;
  const others = (count: number) => Array.from({ length: count }, () => ["note", new Blob([])] as const);

  it("are passed over, but not without end", async () => {
    expect(await send([...others(64), url])).toBe(200);
    expect(read?.pictures).toHaveLength(1);
    expect(await send([...others(1000), url])).toBe(500);
  });
});
