/** `vitrine convert`: a trained model into what servers load. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { ConvertReport, ConvertRequest } from "@vitrine/convert/convert";
import { gatewaySettings } from "@vitrine/gateway/config";
import { contractWithFlags } from "@vitrine/gateway/contract-from-flags";
import { type ModelContract, readContract } from "@vitrine/protocol/contract";
import { EXIT_DONE } from "@vitrine/runtime/lifecycle";
import { type Config, setting, UsageError } from "@vitrine/runtime/settings";
import { z } from "zod";
import { defineCommand } from "../command.js";
import { CommandFailure } from "../command-failure.js";
import { spellWithDashes } from "../spell-with-dashes.js";

const { contract, preprocess, size, resample, orientation, labels, scoreKind } = gatewaySettings;

export const convertSettings = {
  to: setting(z.enum(["savedmodel", "onnx"]).optional(), {
    description:
      "Format to write. Default: onnx when DST ends in .onnx or a SavedModel is read, else savedmodel.",
    placeholder: "format",
  }),
  overwrite: setting(z.boolean().default(false), { description: "Replace what is at DST." }),
  inputDtype: setting(z.enum(["uint8"]).optional(), {
    description: "uint8: pixels go in, and the contract's arithmetic becomes part of the model.",
    placeholder: "type",
  }),
  inputLayout: setting(z.enum(["nhwc", "nchw"]).optional(), {
    description: "Order of the axes of the pictures that go in. Default: the source's own.",
    placeholder: "order",
  }),
  opset: setting(z.int().min(1).optional(), {
    description: "Operator set of an ONNX model. Lower it for older runtimes.",
    placeholder: "number",
  }),
  tagSet: setting(z.string().optional(), {
    description: "Tags of the graph in a SavedModel that is read (a comma list); default serve.",
    placeholder: "tags",
  }),
  signatureDef: setting(z.string().min(1).optional(), {
    description: "Signature of a SavedModel that is read; default serving_default.",
    placeholder: "key",
  }),
  verify: setting(z.array(z.string().min(1)).length(2, "IN.npy and OUT.npy").optional(), {
    description:
      "IN.npy OUT.npy: an input, and what the source gave for it elsewhere; compared with what was written.",
    placeholder: "in.npy out.npy",
  }),
  tolerance: setting(z.number().positive().max(1).optional(), {
    description:
      "Largest difference allowed, as a part of the range of the outputs; default 0.0001, and 0.1 against records of quantised models.",
    placeholder: "part",
  }),
  contract: setting(contract.schema, {
    description: "Folder with config.json and preprocessor_config.json to put beside the model.",
    placeholder: "folder",
  }),
  preprocess,
  size,
  resample,
  orientation,
  labels,
  scoreKind,
};

type ConvertConfig = Config<typeof convertSettings>;

export const convert = defineCommand({
  name: "convert",
  description: `Converts SRC (.h5, .keras, .onnx, or a SavedModel's folder) to DST: a .onnx file, or a version folder with a
SavedModel or model.onnx. A DST that holds version folders gets the next version. What was written is read back and run
before it takes its place; a conversion that fails leaves nothing.`,
  args: [["<paths...>", "SRC DST"]],
  examples: [
    ["vitrine convert xception.h5 clothing-model/1", "a SavedModel, with the names that TensorFlow gives"],
    ["vitrine convert model.keras model.onnx --opset 17", "one ONNX file"],
    [
      "vitrine convert xception.h5 clothing-model --preprocess xception --labels dress,hat,… --input-dtype uint8",
      "with a contract, taking pixels",
    ],
    ["vitrine convert xception.h5 m/1 --verify in.npy out.npy", "compared with what Keras gave"],
  ],
  settings: convertSettings,
  spell: spelled,
  async run({ config, args }, io) {
    const [source, destination, ...others] = args;
    if (source === undefined || destination === undefined || others.length > 0) {
      throw new UsageError([`${args.length} paths were given, expected two: SRC DST`]);
    }
    const recorded = config.verify === undefined ? undefined : await readRecords(config.verify);
    const given = config.contract === undefined ? undefined : await readGiven(config.contract);
    const { convertModel } = await import("@vitrine/convert/convert");
    const report = await convertModel(
      {
        source,
        destination,
        to: config.to,
        inputDtype: config.inputDtype,
        inputLayout:
          config.inputLayout === undefined ? undefined : config.inputLayout === "nchw" ? "NCHW" : "NHWC",
        opset: config.opset,
        tags: config.tagSet?.split(",").filter((tag) => tag !== ""),
        signature: config.signatureDef,
        overwrite: config.overwrite,
        contract: contractRule(config, given),
        recorded,
        tolerance: config.tolerance,
      },
      { say: (line) => io.stderr.write(`${line}\n`), signal: io.signal },
    );
    const { bytesText } = await import("@vitrine/convert/inspection-text");
    io.stdout.write(reportText(report, bytesText));
    return EXIT_DONE;
  },
});

/** `--tag_set` as `--tag-set`, and the two files of `--verify` as two flags. */
function spelled(argv: readonly string[]): string[] {
  const words = argv.map((argument) => spellWithDashes(convertSettings, argument));
  const at = words.indexOf("--verify");
  const second = words[at + 2];
  if (at < 0 || second === undefined || second.startsWith("--")) return words;
  return [...words.slice(0, at + 2), "--verify", ...words.slice(at + 2)];
}

/** The contract of the flags over the given one, over that of the source. */
function contractRule(config: ConvertConfig, given: ModelContract | undefined): ConvertRequest["contract"] {
  return (brought, facts) => {
    const flags = {
      preprocess: config.preprocess,
      size: config.size,
      resample: config.resample,
      orientation: config.orientation,
      labels: config.labels,
      scoreKind: config.scoreKind,
    };
    const base = given ?? brought;
    const isGiven = Object.values(flags).some((flag) => flag !== undefined);
    if (!isGiven) return base;
    return contractWithFlags(
      base,
      // The last operator says what the outputs are, unless someone knows better.
      { ...flags, scoreKind: flags.scoreKind ?? (base === undefined ? facts.scoreKind : undefined) },
      { size: facts.pictureSize, isNchw: facts.inputs.some(({ layout }) => layout === "NCHW") },
    );
  };
}

async function readGiven(folder: string): Promise<ModelContract> {
  const found = await readContract(folder);
  if (found !== undefined) return found;
  throw new CommandFailure(
    `--contract ${folder} held no config.json, expected it and preprocessor_config.json`,
  );
}

async function readRecords(files: readonly string[]): Promise<ConvertRequest["recorded"]> {
  const { readNpy } = await import("@vitrine/convert/npy");
  const [input, output] = await Promise.all(
    files.map(async (file) => {
      const bytes = await readFile(file).catch((cause: Error) => {
        throw new CommandFailure(`--verify ${file} could not be read: ${cause.message}`);
      });
      return readNpy(bytes, file);
    }),
  );
  if (input === undefined || output === undefined) throw new UsageError(["--verify takes IN.npy OUT.npy"]);
  return { input, output };
}

function reportText(
  { source, target, facts, contract: placed, readBack, recorded, digest }: ConvertReport,
  bytesText: (bytes: number) => string,
): string {
  const tensors = (list: typeof facts.inputs): string =>
    list.map(({ name, type, shape }) => `${name} ${type} [${shape?.join(", ") ?? "any rank"}]`).join("; ");
  const kind = {
    "onnx-file": "ONNX file",
    "onnx-folder": "version folder with model.onnx",
    "saved-model": "SavedModel",
  };
  const lines = [
    ["read", `${source.path}, ${bytesText(source.bytes)}, sha256 ${digest.slice(0, 12)}…`],
    ["wrote", `${shortPath(target.path)}, ${kind[target.kind]}`],
    ["input", tensors(facts.inputs)],
    ["output", tensors(facts.outputs)],
    ["contract", contractText(placed, target.kind)],
    ["read back", `largest difference ${differenceText(readBack)}`],
    [
      "source",
      recorded === undefined
        ? "not verified against the source; --verify IN.npy OUT.npy does"
        : `verified: largest difference ${differenceText(recorded)}`,
    ],
    ["next", nextText(target.path, target.kind, placed !== undefined)],
  ];
  return lines.map(([label = "", text = ""]) => `${label.padEnd(9)}  ${text}\n`).join("");
}

function contractText(placed: ModelContract | undefined, kind: string): string {
  if (placed === undefined) return "none; --preprocess, --size and --labels make one";
  if (kind === "onnx-file") return "not written: it goes into a version folder, not beside a single file";
  return `${placed.labels.length} labels, ${placed.scoreKind}, ${placed.digest.slice(0, 19)}…`;
}

function differenceText({ largest, relative, tolerance }: ConvertReport["readBack"]): string {
  return `${largest.toPrecision(3)}, ${relative.toPrecision(2)} of the outputs' range (allowed ${tolerance})`;
}

/** The command that uses what was written. */
function nextText(place: string, kind: string, hasContract: boolean): string {
  const short = shortPath(place);
  if (kind === "onnx-file") return `vitrine inspect ${short}`;
  const base = /^\d+$/.test(path.basename(place)) ? path.dirname(short) : short;
  return hasContract ? `vitrine up ${base}` : `vitrine serve --model-base-path ${base}`;
}

/** From the working directory, where the path lies below it. */
function shortPath(place: string): string {
  const shown = path.relative(process.cwd(), place);
  return shown === "" || shown.startsWith("..") ? place : shown;
}
