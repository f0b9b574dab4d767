/** `vitrine warmup`: records photos as the requests that a version runs before it is available. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { gatewaySettings } from "@vitrine/gateway/config";
import { contractWithFlags } from "@vitrine/gateway/contract-from-flags";
import { createPreprocessor } from "@vitrine/gateway/preprocess";
import { type PreprocessPlan, planPreprocessing } from "@vitrine/gateway/preprocess-plan";
import { modelSettings } from "@vitrine/model-server/models/model-settings";
import { findVersion, loadSingleVersion } from "@vitrine/model-server/models/single-version";
import type { Servable } from "@vitrine/model-server/servable";
import { DEFAULT_SIGNATURE, type TensorSpec } from "@vitrine/model-server/signature";
import { MAX_WARM_UP_RECORDS, writeWarmUpFile } from "@vitrine/model-server/warm-up/warm-up-file";
import type { PredictRequest } from "@vitrine/protocol/gen/tensorflow_serving/apis/predict";
import { type Tensor, tensorToProto } from "@vitrine/protocol/tensor";
import { EXIT_DONE, errorText, type Io } from "@vitrine/runtime/lifecycle";
import { createLogger } from "@vitrine/runtime/logger";
import { type Config, setting, UsageError } from "@vitrine/runtime/settings";
import { z } from "zod";
import { checkLists, findSources } from "../classify/sources.js";
import { defineCommand } from "../command.js";
import { CommandFailure } from "../command-failure.js";

const { preprocess, size, resample, orientation, maxImagePixels } = gatewaySettings;
const { modelFile, savedModelTags, modelCacheFolder } = modelSettings;

export const warmupSettings = {
  signatureName: setting(z.string().min(1).default(DEFAULT_SIGNATURE), {
    description: "Signature that the photos are recorded for.",
    placeholder: "name",
  }),
  preprocess,
  size,
  resample,
  orientation,
  maxImagePixels,
  modelFile,
  savedModelTags,
  modelCacheFolder,
};

type WarmupConfig = Config<typeof warmupSettings>;

export const warmup = defineCommand({
  name: "warmup",
  description: `Prepares photos as the gateway would for a model and writes them into the version's folder, as
assets.extra/tf_serving_warmup_requests. Vitrine and TensorFlow Serving run them before that version is available, so
that its first answer is as quick as the others. Each is tried first; a file that is there is replaced.`,
  args: [
    ["<model>", "a version's folder, or one with versions, of which the highest is taken"],
    ["<photos...>", "pictures or folders"],
  ],
  examples: [
    ["vitrine warmup models/clothing-model shirt.jpg", "for the highest version"],
    ["vitrine warmup models/birds/3 photos/", "for version 3"],
    [
      "vitrine warmup models/xception photo.jpg --preprocess xception --size 299",
      "for a model without a contract",
    ],
  ],
  settings: warmupSettings,
  run: ({ config, args }, io) => record(config, args, io),
});

async function record(
  config: WarmupConfig,
  [model = "", ...photos]: readonly string[],
  io: Io,
): Promise<number> {
  await checkLists(photos);
  const files = await photoFiles(photos, io);
  const source = await findVersion(path.resolve(model), config.modelFile);
  if (source === undefined) {
    throw new UsageError([`${model} held no model, expected a version's folder or one with versions`]);
  }
  const name = path.basename(
    source.version === 1 && source.folder === path.resolve(model) ? source.folder : model,
  );
  const servable = await loadSingleVersion(name, source, {
    logger: createLogger({ name: "warmup", level: "warn", stream: io.stderr }),
    savedModelTags: config.savedModelTags,
    modelCacheFolder: config.modelCacheFolder,
    signal: io.signal,
  });
  const preprocessor = createPreprocessor({ workers: 1, maxPixels: config.maxImagePixels });
  try {
    const input = pictureInput(servable, config.signatureName);
    const plan = planOf(servable, input, config);
    const requests: PredictRequest[] = [];
    for (const file of files) {
      try {
        const { tensor } = await preprocessor.preprocess(await readFile(file), plan, io.signal);
        await tryOnce(servable, config.signatureName, input, tensor, io.signal);
        requests.push(requestOf(name, config.signatureName, input, tensor));
      } catch (error) {
        io.signal.throwIfAborted();
        throw new CommandFailure(`${file}: ${errorText(error)}; nothing was written`);
      }
    }
    const written = await writeWarmUpFile(source.folder, requests);
    io.stderr.write(`${requests.length} requests recorded, each tried on the model\n`);
    io.stdout.write(`${written}\n`);
    return EXIT_DONE;
  } finally {
    await preprocessor.close();
    await servable.unload();
  }
}

async function photoFiles(photos: readonly string[], io: Io): Promise<string[]> {
  const files: string[] = [];
  for await (const { source, kind } of findSources(photos)) {
    if (kind === "url") throw new UsageError([`${source} was a link, expected a file`]);
    if (files.length === MAX_WARM_UP_RECORDS) {
      io.stderr.write(`only the first ${MAX_WARM_UP_RECORDS} photos are recorded: a version runs no more\n`);
      break;
    }
    files.push(source);
  }
  if (files.length === 0) throw new UsageError(["no photo was found, expected at least one"]);
  return files;
}

function pictureInput(servable: Servable, signatureName: string): TensorSpec {
  const signature = servable.signatures.get(signatureName);
  const known = [...servable.signatures.keys()].join(", ");
  if (signature === undefined) {
    throw new UsageError([`--signature-name was ${signatureName}, expected one of ${known}`]);
  }
  const [input, ...others] = signature.inputs.values();
  if (input === undefined || others.length > 0) {
    throw new CommandFailure(
      `signature ${signatureName} had ${signature.inputs.size} inputs, expected one that takes a picture`,
    );
  }
  return input;
}

/** What the gateway would do to a picture for this model. Labels do not matter to it. */
function planOf(servable: Servable, input: TensorSpec, config: WarmupConfig): PreprocessPlan {
  const { contract } = servable;
  const shape = input.unknownRank ? undefined : input.shape;
  const isNchw = shape?.length === 4 && shape[1] === 3 && shape[3] !== 3;
  const [height = -1, width = -1] = (isNchw ? shape?.slice(2) : shape?.slice(1, 3)) ?? [];
  const made = contractWithFlags(
    contract,
    {
      preprocess: config.preprocess,
      size: config.size,
      resample: config.resample,
      orientation: config.orientation,
      labels: contract === undefined ? ["any"] : undefined,
      scoreKind: undefined,
    },
    { size: height > 0 && width > 0 ? { width, height } : undefined, isNchw },
  );
  return planPreprocessing(made.preprocessor, { dtype: input.dtype, shape });
}

async function tryOnce(
  servable: Servable,
  signatureName: string,
  { alias }: TensorSpec,
  tensor: Tensor,
  signal: AbortSignal,
): Promise<void> {
  await servable.predict({
    signatureName,
    inputs: new Map([[alias, tensor]]),
    read: (value) => value,
    outputFilter: [],
    signal,
  });
}

function requestOf(
  name: string,
  signatureName: string,
  { alias }: TensorSpec,
  tensor: Tensor,
): PredictRequest {
  return {
    modelSpec: { name, versionChoice: undefined, signatureName },
    inputs: new Map([[alias, tensorToProto(tensor, "content")]]),
    outputFilter: [],
  };
}
