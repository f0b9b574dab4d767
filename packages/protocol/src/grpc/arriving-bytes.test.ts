import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { afterEach, describe, expect, test } from "vitest";
import { HEALTH_CHECK } from "../services.js";
import { GrpcServer } from "./server.js";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

const KIBIBYTE = 1024;

async function start(): Promise<ClientHttp2Session> {
  const server = new GrpcServer({ maxReceiveBytes: 100 * KIBIBYTE, maxArrivingBytes: 250 * KIBIBYTE });
  server.unary(HEALTH_CHECK, () => ({ status: 1 }) as const);
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  cleanups.push(() => server.close());
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  cleanups.push(() => session.destroy());
  return session;
}

function call(session: ClientHttp2Session): ClientHttp2Stream {
  const stream = session.request({
    ...{ ":method": "POST", ":path": HEALTH_CHECK.path },
    ...{ "content-type": "application/grpc", te: "trailers" },
  });
  stream.on("error", () => {});
  stream.resume();
  return stream;
}

/** Sends that much of a message of 100 KiB, and goes no further. */
async function sendPart(session: ClientHttp2Session, bytes: number): Promise<ClientHttp2Stream> {
  const stream = call(session);
  const part = Buffer.alloc(bytes);
  part.writeUInt32BE(100 * KIBIBYTE, 1);
  await new Promise((resolve) => stream.write(part, resolve));
  return stream;
}

/** Of the status in the trailers, or in the head of an answer that has nothing else. */
async function statusOf(stream: ClientHttp2Stream): Promise<unknown> {
  const [head] = await once(stream, "response");
  if (head["grpc-status"] !== undefined) return head["grpc-status"];
  const [trailers] = await once(stream, "trailers");
  return trailers["grpc-status"];
}

async function check(session: ClientHttp2Session): Promise<unknown> {
  const stream = call(session);
  stream.end(Buffer.alloc(5));
  return statusOf(stream);
}

describe("requests that do not come to their end", () => {
  test("are refused where all of them together would be too much, and small ones still pass", async () => {
    const session = await start();
    const held = [await sendPart(session, 90 * KIBIBYTE), await sendPart(session, 90 * KIBIBYTE)];
    expect(await statusOf(await sendPart(session, 90 * KIBIBYTE))).toBe("8");
    expect(await check(session)).toBe("0");
    expect(held.every(({ destroyed }) => !destroyed)).toBe(true);
  });

  test("make room when their caller gives them up", async () => {
    const session = await start();
    const first = await sendPart(session, 90 * KIBIBYTE);
    await sendPart(session, 90 * KIBIBYTE);
    first.close(8);
    await once(first, "close");
    // Answered after the reset before it: a connection's frames are read in order.
    expect(await check(session)).toBe("0");
    const third = await sendPart(session, 90 * KIBIBYTE);
    expect(await check(session)).toBe("0");
    expect(third.destroyed).toBe(false);
  });
});
