/** Whether a tier of Vitrine listens on a port, found out by asking as its callers do. */
import { GrpcChannel } from "@vitrine/protocol/grpc/channel";
import { GET_MODEL_STATUS } from "@vitrine/protocol/services";
import { ServeError } from "@vitrine/protocol/status";
import { z } from "zod";
import type { TierQuestion } from "./examine-gateway.js";
import { askHttp, type Place } from "./speaks.js";

/** What a port of a tier speaks. */
export type TierPort = "gateway" | "model-server-grpc" | "model-server-rest";

/** Of any model: that it is not served is an answer, too. */
const MODEL_NAME = "clothing-model";

const aliveSchema = z.object({ status: z.literal("healthy") });
/** TensorFlow Serving's answers: of a model, and of one that it does not serve. */
const statusSchema = z.union([
  z.object({ model_version_status: z.array(z.unknown()) }),
  z.object({ error: z.string() }),
]);

/** @returns false also when nothing answers within the question's time, and when it speaks TLS. */
export async function isTier(port: TierPort, place: Place, question: TierQuestion): Promise<boolean> {
  switch (port) {
    case "gateway":
      return await answers(place, "/livez", aliveSchema, question);
    case "model-server-rest":
      return await answers(place, `/v1/models/${MODEL_NAME}`, statusSchema, question);
    case "model-server-grpc":
      return await tellsModelStatus(place, question);
  }
}

async function answers(place: Place, path: string, schema: z.ZodType, question: TierQuestion) {
  const answer = await askHttp(place, path, question);
  if (answer === undefined) return false;
  try {
    return schema.safeParse(JSON.parse(answer.body)).success;
  } catch {
    return false; // No JSON: no tier.
  }
}

async function tellsModelStatus({ host, port }: Place, { timeoutMs, signal }: TierQuestion) {
  const channel = new GrpcChannel(host, port, { connectTimeoutMs: timeoutMs });
  try {
    const modelSpec = { name: MODEL_NAME, versionChoice: undefined, signatureName: "" };
    await channel.unary(GET_MODEL_STATUS, { modelSpec }, { signal, timeoutMs });
    return true;
  } catch (error) {
    signal.throwIfAborted();
    // It knows the question, and serves other models; another gRPC server answers UNIMPLEMENTED.
    return error instanceof ServeError && error.code === "NOT_FOUND";
  } finally {
    channel.close();
  }
}
