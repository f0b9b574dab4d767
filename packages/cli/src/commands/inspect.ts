/** `vitrine inspect`: what a model takes and gives, without running it. */

import { ServeError } from "@vitrine/protocol/status";
import { EXIT_DONE, EXIT_FAILED } from "@vitrine/runtime/lifecycle";
import { setting, UsageError } from "@vitrine/runtime/settings";
import { z } from "zod";
import { defineCommand } from "../command.js";
import { CommandFailure } from "../command-failure.js";
import { spellWithDashes } from "../spell-with-dashes.js";

export const inspectSettings = {
  dir: setting(z.string().min(1).optional(), {
    description: "The model, as saved_model_cli spells it; the same as PATH.",
    placeholder: "folder",
  }),
  all: setting(z.boolean().default(false), {
    description:
      "Of a SavedModel: all signatures, operators and functions, as saved_model_cli show prints them.",
  }),
  tagSet: setting(z.string().optional(), {
    description:
      "Of a SavedModel: the signatures under these tags (a comma list), as saved_model_cli prints them.",
    placeholder: "tags",
  }),
  signatureDef: setting(z.string().optional(), {
    description: "Of a SavedModel: this signature, with --tag-set as saved_model_cli prints it.",
    placeholder: "key",
  }),
  listOps: setting(z.boolean().default(false), {
    description: "With --tag-set: the operators, too.",
  }),
  json: setting(z.boolean().default(false), { description: "The summary as JSON." }),
};

export const inspect = defineCommand({
  name: "inspect",
  description: `Says what a model takes and gives: .h5, .keras, .onnx, a SavedModel's folder, or a folder of versions. With
--all or --tag-set the text is that of saved_model_cli show.`,
  args: [["[path]", "the model's file or folder"]],
  examples: [
    ["vitrine inspect xception.h5", "inputs, outputs, classes, a contract to begin with"],
    ["vitrine inspect clothing-model/1 --all", "what saved_model_cli show --all prints"],
    ["vitrine inspect --dir M --tag_set serve --signature_def serving_default", "one signature"],
    ["vitrine inspect model.onnx --json", "for a program"],
  ],
  settings: inspectSettings,
  spell: (argv) => argv.map((argument) => spellWithDashes(inspectSettings, argument)),
  async run({ config, args }, io) {
    const target = args[0] ?? config.dir;
    if (target === undefined || (args[0] !== undefined && config.dir !== undefined)) {
      throw new UsageError(["the model was not named once, expected PATH or --dir PATH"]);
    }
    const { all, tagSet, signatureDef, listOps } = config;
    const tags = tagSet?.split(",").filter((tag) => tag !== "");
    if (!config.json && (all || tagSet !== undefined || (listOps && signatureDef === undefined))) {
      const { showSavedModel } = await import("@vitrine/convert/saved-model-text");
      const otherFormat = await otherFormatAt(target);
      if (otherFormat !== undefined) {
        throw new CommandFailure(
          `${target} was no SavedModel (${otherFormat}), and --all, --tag-set and --list-ops show SavedModels: leave them out, or convert it first with vitrine convert`,
        );
      }
      try {
        await showSavedModel(target, { all, tagSet, signatureDef, listOps }, (text) => io.stdout.write(text));
        return EXIT_DONE;
      } catch (error) {
        if (!(error instanceof ServeError)) throw error;
        io.stderr.write(`vitrine inspect: ${error.message}\n`);
        return EXIT_FAILED;
      }
    }
    const { inspectModel } = await import("@vitrine/convert/inspect");
    const { inspectionJson, inspectionText } = await import("@vitrine/convert/inspection-text");
    const inspection = await inspectModel(target, { tags, signature: signatureDef });
    io.stdout.write(config.json ? inspectionJson(inspection) : inspectionText(inspection));
    return EXIT_DONE;
  },
});

/** What a path holds that is no SavedModel; undefined also where it holds nothing, which saved_model_cli has words for. */
async function otherFormatAt(target: string): Promise<string | undefined> {
  const { FORMAT_NAMES, findSource } = await import("@vitrine/convert/model-source");
  try {
    const { format } = await findSource(target);
    return format === "saved-model" ? undefined : FORMAT_NAMES[format];
  } catch (error) {
    if (error instanceof ServeError) return undefined;
    throw error;
  }
}
