/** grpc.health.v1 as a foreign client sees it. */
import { Client, credentials } from "@grpc/grpc-js";
import { HEALTH_CHECK, HEALTH_WATCH } from "@vitrine/protocol/services";
import { expect, test } from "vitest";
import { startFixture } from "./target.js";

const SERVING = 1;
const NOT_SERVING = 2;

test("a watch hears SERVING, then NOT_SERVING when the server drains, then its end", async () => {
  const server = await startFixture("add");
  const client = new Client(`127.0.0.1:${server.grpcPort}`, credentials.createInsecure());
  const request = Buffer.concat(HEALTH_WATCH.encodeRequest({ service: "add" }));
  const told: number[] = [];
  const stream = client.makeServerStreamRequest(
    HEALTH_WATCH.path,
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => HEALTH_CHECK.decodeResponse(bytes).status,
    request,
  );
  const ended = new Promise<void>((resolve, reject) => {
    stream.on("end", resolve);
    stream.on("error", reject);
  });
  let drained: Promise<void> | undefined;
  stream.on("data", (status: number) => {
    told.push(status);
    drained ??= server.drain(10_000);
  });
  await ended;
  await drained;
  client.close();
  expect(told).toEqual([SERVING, NOT_SERVING]);
});
