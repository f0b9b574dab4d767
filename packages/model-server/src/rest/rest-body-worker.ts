/** The thread that reads large REST bodies, which would hold the event loop for too long. */
import { parentPort } from "node:worker_threads";
import { ServeError } from "@vitrine/protocol/status";
import type { BodyAnswer, BodyJob } from "./rest-body-job.js";
import { parseRestBody, readSignedInputs } from "./rest-request.js";

if (parentPort === null) throw new Error("rest-body-worker runs as a worker thread only");
const port = parentPort;

port.on("message", ({ id, bytes, signatures }: BodyJob) => {
  let answer: BodyAnswer;
  const buffers = new Set<ArrayBuffer>();
  try {
    const body = parseRestBody(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    const { form, inputs } = readSignedInputs(body, signatures);
    for (const { data } of inputs.values()) {
      if (ArrayBuffer.isView(data) && data.buffer instanceof ArrayBuffer) buffers.add(data.buffer);
    }
    answer = { id, signatureName: body.signatureName, form, inputs };
  } catch (thrown) {
    const { reason, code, message } = ServeError.from(thrown);
    answer = { id, error: { reason, code, message } };
  }
  port.postMessage(answer, [...buffers]);
});
