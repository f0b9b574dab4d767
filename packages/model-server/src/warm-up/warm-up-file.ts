/** The file of recorded requests in a version's folder, which TensorFlow Serving runs before the version is available. */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { PredictRequest } from "@vitrine/protocol/gen/tensorflow_serving/apis/predict";
import { PredictionLog } from "@vitrine/protocol/gen/tensorflow_serving/apis/prediction_log";
import { MessageReader } from "@vitrine/protocol/message-reader";
import { ServeError } from "@vitrine/protocol/status";
import { readTfRecords, tfRecord } from "./tf-records.js";

const WARM_UP_FILE = path.join("assets.extra", "tf_serving_warmup_requests");

/** TensorFlow Serving's limit; a file with more does not load. */
export const MAX_WARM_UP_RECORDS = 1000;

/**
 * Reads the requests recorded in a version's folder.
 *
 * @returns [] when there is no such file.
 * @throws {ServeError} MODEL_INVALID when it is damaged or too long.
 */
export async function readWarmUpFile(versionFolder: string): Promise<PredictionLog[]> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path.join(versionFolder, WARM_UP_FILE));
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) {
      return [];
    }
    throw error;
  }
  const logs: PredictionLog[] = [];
  try {
    for (const record of readTfRecords(bytes)) {
      if (logs.length === MAX_WARM_UP_RECORDS) {
        throw new Error(`it had more records than ${MAX_WARM_UP_RECORDS}, expected fewer`);
      }
      logs.push(PredictionLog.decode(new MessageReader(record)));
    }
  } catch (cause) {
    const fault = cause instanceof Error ? cause.message : String(cause);
    throw new ServeError("MODEL_INVALID", `${WARM_UP_FILE} could not be read: ${fault}`, { cause });
  }
  return logs;
}

/**
 * Writes requests as a version's warm-up file, in place of one that is there: the whole file or nothing.
 *
 * @returns path of the file.
 */
export async function writeWarmUpFile(
  versionFolder: string,
  requests: readonly PredictRequest[],
): Promise<string> {
  const file = path.join(versionFolder, WARM_UP_FILE);
  const records = requests.map((request) => {
    const log: PredictionLog = {
      logMetadata: { modelSpec: request.modelSpec },
      logType: { $case: "predictLog", value: { request, response: undefined } },
    };
    return tfRecord(PredictionLog.encode(log).finish());
  });
  await mkdir(path.dirname(file), { recursive: true });
  const partial = `${file}.partial-${process.pid}`;
  try {
    await writeFile(partial, Buffer.concat(records), { flush: true });
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  return file;
}
