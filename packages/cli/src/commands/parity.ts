/** `vitrine parity`: where our tensor of a photo and a recorded one part ways. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { gatewaySettings } from "@vitrine/gateway/config";
import { contractWithFlags } from "@vitrine/gateway/contract-from-flags";
import { type ModelContract, readContract } from "@vitrine/protocol/contract";
import { EXIT_DONE, EXIT_FAILED } from "@vitrine/runtime/lifecycle";
import { type Config, setting, UsageError } from "@vitrine/runtime/settings";
import { z } from "zod";
import { defineCommand } from "../command.js";
import { CommandFailure } from "../command-failure.js";
import type { JsonObject } from "../parity/config-patch.js";
import { readNpy } from "../parity/npy.js";
import { openPhoto } from "../parity/photo-tensors.js";
import { type RecordedTensor, recordedTensor } from "../parity/recorded-tensor.js";
import { reportOf } from "../parity/report.js";
import { findDifference } from "../parity/search.js";
import { SHIPPED_MODEL } from "../shipped.js";

const { preprocess, size, resample, orientation } = gatewaySettings;

export const paritySettings = {
  expect: setting(z.string().min(1), {
    description: "Tensor that training made of the photo, written by np.save; with or without a batch axis.",
    placeholder: "file.npy",
  }),
  contract: setting(z.string().min(1).optional(), {
    description:
      "Folder with config.json and preprocessor_config.json, or a model's base path. Without it and without --preprocess, the clothing model.",
    placeholder: "folder",
  }),
  preprocess,
  size,
  resample,
  orientation,
  format: setting(z.enum(["text", "json"]).default("text"), {
    description: "text for a person, json for a program.",
  }),
  maxImagePixels: gatewaySettings.maxImagePixels,
};

export const parity = defineCommand({
  name: "parity",
  description: `Compares the tensor that Vitrine makes of a photo with the one that training made of it, names the first step at
which they part ways, and says what to set in the contract. Exits with 0 when they are equal, with 1 when they differ.`,
  args: [["<photo>", "the picture, as a file"]],
  examples: [
    ["vitrine parity shirt.jpg --expect shirt.npy", "against the clothing model's contract"],
    ["vitrine parity shirt.jpg --expect shirt.npy --contract models/birds/1", "against another's"],
    [
      "vitrine parity shirt.jpg --expect shirt.npy --preprocess xception --size 299",
      "against flags of the gateway",
    ],
  ],
  settings: paritySettings,
  async run({ config, args }, io) {
    const [photoPath = ""] = args;
    const name = path.basename(config.expect);
    const array = readNpy(await readBytes(config.expect), name);
    const preprocessor = await preprocessorOf(config, recordedTensor(array, "NHWC", name));
    const photo = await openPhoto(await readBytes(photoPath), config.maxImagePixels);
    const plan = photo.planOf(preprocessor);
    if (plan === undefined) throw new CommandFailure("the contract did not describe a picture, see its keys");
    const recorded = recordedTensor(array, plan.layout, name);
    const finding = await findDifference(photo, preprocessor, recorded);
    io.stdout.write(
      config.format === "json"
        ? `${JSON.stringify(finding)}\n`
        : reportOf(finding, { photoPath: path.basename(photoPath), photo, name, recorded }),
    );
    return finding.isEqual ? EXIT_DONE : EXIT_FAILED;
  },
});

/** preprocessor_config.json as the contract's folder and the flags give it. */
async function preprocessorOf(
  { contract, preprocess, size, resample, orientation }: Config<typeof paritySettings>,
  recorded: RecordedTensor,
): Promise<JsonObject> {
  const folder = contract ?? (preprocess === undefined ? SHIPPED_MODEL : undefined);
  const brought = folder === undefined ? undefined : await contractIn(folder);
  const labels = brought === undefined ? ["any"] : undefined;
  const made = contractWithFlags(
    brought,
    { preprocess, size, resample, orientation, labels, scoreKind: undefined },
    { size: { width: recorded.width, height: recorded.height }, isNchw: recorded.layout === "NCHW" },
  );
  return z.record(z.string(), z.unknown()).parse(made.files.preprocessor);
}

/** Of a version folder, or of the newest version in a base path. */
async function contractIn(folder: string): Promise<ModelContract> {
  const own = await readContract(folder);
  if (own !== undefined) return own;
  const versions = await readdir(folder).catch(() => []);
  const [newest] = versions.filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(b) - Number(a));
  const found = newest === undefined ? undefined : await readContract(path.join(folder, newest));
  if (found !== undefined) return found;
  throw new UsageError([
    `--contract was ${folder}, expected a folder with config.json and preprocessor_config.json`,
  ]);
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new CommandFailure(`${file} could not be read: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}
