import { afterEach, expect, test } from "vitest";
import { HEALTH_CHECK, PREDICT } from "../services.js";
import { ServeError } from "../status.js";
import { DataType, tensorFromProto, tensorToProto } from "../tensor.js";
import { GrpcChannel } from "./channel.js";
import { GrpcServer } from "./server.js";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

test("a 1 MB tensor makes the round trip", async () => {
  const server = new GrpcServer();
  server.unary(PREDICT, (request) => ({
    outputs: request.inputs,
    modelSpec: request.modelSpec,
  }));
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  const channel = new GrpcChannel("127.0.0.1", port);
  cleanups.push(
    () => server.close(),
    () => channel.close(),
  );
  const data = Float32Array.from({ length: 299 * 299 * 3 }, (_, index) => index / 7);
  const image = tensorToProto({ dtype: DataType.DT_FLOAT, shape: [1, 299, 299, 3], data }, "content");
  const response = await channel.unary(PREDICT, {
    modelSpec: { name: "m", versionChoice: { $case: "version", value: { value: 3 } }, signatureName: "s" },
    inputs: new Map([["image", image]]),
    outputFilter: [],
  });
  expect(response.modelSpec?.versionChoice).toEqual({ $case: "version", value: { value: 3 } });
  const echoed = response.outputs.get("image");
  expect(echoed && tensorFromProto(echoed, "image").data).toEqual(data);
});

test("an error keeps its code, reason and message on the way back", async () => {
  const server = new GrpcServer();
  server.unary(HEALTH_CHECK, () => {
    throw new ServeError("QUEUE_FULL", "queue was full: 100 % of 8, größer");
  });
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  const channel = new GrpcChannel("127.0.0.1", port);
  cleanups.push(
    () => server.close(),
    () => channel.close(),
  );
  await expect(channel.unary(HEALTH_CHECK, { service: "" })).rejects.toMatchObject({
    code: "UNAVAILABLE",
    reason: "QUEUE_FULL",
    message: "queue was full: 100 % of 8, größer",
  });
});
