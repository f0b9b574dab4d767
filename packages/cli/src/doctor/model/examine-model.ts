/** Whether a model's folder can be served, and whether its contract fits it. */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { TENSORFLOW_TYPES } from "@vitrine/convert/graph/element-type";
import { type Inspection, inspectModel } from "@vitrine/convert/inspect";
import type { ModelFacts, TensorFact } from "@vitrine/convert/model-facts";
import type { TensorSpec } from "@vitrine/gateway/prediction-client";
import { findModel, listVersions, versionOf } from "@vitrine/model-server/models/version-folders";
import { ServeError } from "@vitrine/protocol/status";
import { DataType } from "@vitrine/protocol/tensor";
import { type Finding, finding, mend } from "../finding.js";
import { whyNotFitting } from "../fit-as-brought.js";

export interface ModelExamination {
  readonly findings: readonly Finding[];
  /** Of the model's files; undefined: there is no model. */
  readonly modelBytes: number | undefined;
}

/** @param given base path, version folder, or a model's file. */
export async function examineModel(given: string): Promise<ModelExamination> {
  const found = await stat(given).catch(() => undefined);
  if (found === undefined) {
    return only(
      finding("model-not-found", {
        subject: given,
        problem: "it is not there",
        seen: `ls ${given}`,
        mends: [mend("name the folder that holds the model's versions, such as models/clothing-model")],
      }),
    );
  }
  try {
    const layout = found.isDirectory() ? await checkFolder(given) : checkFile(given);
    if (layout.some(({ id }) => id === "model-not-found" || id === "model-not-servable")) {
      return { findings: layout, modelBytes: undefined };
    }
    const inspection = await inspectModel(given);
    return {
      findings: [...layout, ...checkInspection(given, inspection)],
      modelBytes: inspection.source.bytes,
    };
  } catch (error) {
    if (!(error instanceof ServeError)) throw error;
    return only(
      finding("model-unreadable", {
        subject: given,
        problem: error.message,
        seen: `vitrine inspect ${given}`,
        mends: [
          mend(
            "name a model's folder; if it is one, copy the whole of it again: model and contract belong together",
          ),
        ],
      }),
    );
  }
}

function only(one: Finding): ModelExamination {
  return { findings: [one], modelBytes: undefined };
}

const KERAS_FILE = /\.(h5|hdf5|keras)$/i;

function checkFile(file: string): Finding[] {
  const folder = path.join(path.dirname(file), path.basename(file).replace(/\.[^.]+$/, ""), "1");
  if (KERAS_FILE.test(file)) {
    return [
      finding("model-not-servable", {
        subject: file,
        problem: "it is a Keras file",
        seen: "the file's name",
        mends: [mend("convert it into a version folder", ["vitrine", "convert", file, folder])],
      }),
    ];
  }
  const isInVersionFolder = versionOf(path.basename(path.dirname(path.resolve(file)))) !== undefined;
  if (!file.endsWith(".onnx") || isInVersionFolder) return [];
  return [
    finding("model-without-version-folder", {
      subject: file,
      problem: "it is a file alone",
      seen: `ls ${file}`,
      mends: [
        mend("make a version folder", ["mkdir", "-p", folder]),
        mend("and put it there, with config.json and preprocessor_config.json", [
          ...["cp", file, path.join(folder, "model.onnx")],
        ]),
      ],
    }),
  ];
}

async function checkFolder(folder: string): Promise<Finding[]> {
  const names = await readdir(folder);
  const own = await findModel(folder, undefined);
  const isVersionFolder = own !== undefined && versionOf(path.basename(path.resolve(folder))) !== undefined;
  if (isVersionFolder) return [];
  const versions = await listVersions(folder, undefined);
  const moved = mend("make it version 1", [
    "sh",
    "-c",
    `cd ${folder} && mkdir 1 && find . -mindepth 1 -maxdepth 1 ! -name 1 -exec mv {} 1/ ';'`,
  ]);
  if (own !== undefined && versions.size === 0) {
    return [
      finding("model-without-version-folder", {
        subject: folder,
        problem: "it holds a model itself, and no folder named by a number",
        seen: `ls ${folder}: ${names.slice(0, 8).join(", ")}`,
        mends: [moved],
      }),
    ];
  }
  if (own?.kind === "saved-model") {
    return [
      finding("model-not-for-tensorflow-serving", {
        subject: folder,
        problem: "it holds a SavedModel itself: Vitrine serves it as version 1, TensorFlow Serving does not",
        seen: `ls ${folder}: ${names.slice(0, 8).join(", ")}`,
        mends: [moved],
      }),
    ];
  }
  if (versions.size > 0) return [];
  const keras = names.find((name) => KERAS_FILE.test(name));
  if (keras !== undefined) return checkFile(path.join(folder, keras));
  for (const name of names) {
    const below = path.join(folder, name);
    if (!(await stat(below)).isDirectory() || (await findModel(below, undefined)) !== undefined) continue;
    if ((await listVersions(below, undefined)).size === 0) continue;
    return [
      finding("model-not-found", {
        subject: folder,
        problem: `it holds models, and is none itself: ${name} is one`,
        seen: `ls ${folder}: ${names.slice(0, 8).join(", ")}`,
        mends: [mend("name that", ["vitrine", "doctor", "--model", below])],
      }),
    ];
  }
  const named = names.filter((name) => /\d/.test(name));
  return [
    finding("model-not-found", {
      subject: folder,
      problem: `it holds no model and no folder named by a number${named.length === 0 ? "" : ` (${named.slice(0, 3).join(", ")} ${named.length === 1 ? "is" : "are"} none)`}`,
      seen: `ls ${folder}: ${names.slice(0, 8).join(", ") || "empty"}`,
      mends:
        named[0] === undefined
          ? [mend("put each version into a folder of its own: 1/model.onnx, or 1/saved_model.pb")]
          : [
              mend("name the version by a number alone", [
                ...["mv", path.join(folder, named[0]), path.join(folder, "1")],
              ]),
            ],
    }),
  ];
}

function checkInspection(given: string, { source, facts, contract, unsupported }: Inspection): Finding[] {
  const subject = source.path;
  const seen = `vitrine inspect ${given}`;
  const findings: Finding[] = [];
  if (unsupported !== undefined) {
    findings.push(
      finding("model-unreadable", {
        subject,
        problem: unsupported,
        seen,
        mends: [mend("serve it with TensorFlow Serving, which the gateway works with too")],
      }),
    );
  }
  if (contract === undefined) return [...findings, withoutContract(subject, seen, facts)];
  const misfit = whyNotFitting({
    name: path.basename(given),
    version: "1",
    signatureName: "serving_default",
    inputs: facts.inputs.map(specOf),
    outputs: facts.outputs.map(specOf),
    contract,
  });
  if (misfit !== undefined) {
    findings.push(
      finding("contract-mismatch", {
        subject,
        problem: misfit,
        seen: `${seen}, and config.json and preprocessor_config.json beside it`,
        mends: [mend(whatToWrite(facts, contract.labels.length))],
      }),
    );
  }
  const isSameOutput = contract.scoresOutput === undefined || contract.scoresOutput === facts.scores;
  if (facts.scoreKind !== undefined && isSameOutput && facts.scoreKind !== contract.scoreKind) {
    findings.push(
      finding("score-kind-mismatch", {
        subject,
        problem: `the contract says ${contract.scoreKind}, and the graph ends ${facts.scoreKind === "probabilities" ? "in softmax or sigmoid" : "in neither softmax nor sigmoid"}`,
        seen: `${seen}, and config.json`,
        mends: [
          mend(
            `write into config.json: "vitrine": {"score_kind": "${facts.scoreKind}"}, if the graph is right`,
          ),
        ],
      }),
    );
  }
  return findings;
}

function specOf({ name, type, shape }: TensorFact): TensorSpec {
  return { alias: name, dtype: type === undefined ? DataType.DT_INVALID : TENSORFLOW_TYPES[type], shape };
}

function whatToWrite({ classes, pictureSize }: ModelFacts, labels: number): string {
  const parts = [
    classes !== undefined && classes !== labels
      ? `config.json: id2label with ${classes} entries, "0" to "${classes - 1}", in the model's order`
      : undefined,
    pictureSize === undefined
      ? undefined
      : `preprocessor_config.json: "size": {"height": ${pictureSize.height}, "width": ${pictureSize.width}}`,
  ].filter((part) => part !== undefined);
  return parts.length === 0
    ? "make config.json and preprocessor_config.json say what the model was trained with"
    : `write into ${parts.join("; ")}`;
}

function withoutContract(subject: string, seen: string, facts: ModelFacts): Finding {
  const { classes, pictureSize, family, scoreKind } = facts;
  const size =
    pictureSize === undefined
      ? "PIXELS"
      : pictureSize.width === pictureSize.height
        ? `${pictureSize.width}`
        : `${pictureSize.width}x${pictureSize.height}`;
  return finding("contract-missing", {
    subject,
    problem: "neither config.json nor preprocessor_config.json lies beside it",
    seen,
    mends: [
      mend(
        "put both beside it (config.json: id2label, vitrine.score_kind; preprocessor_config.json: size, resample), or tell the gateway",
        [
          ...["vitrine", "gateway", "--preprocess", family ?? "FAMILY", "--size", size],
          ...[
            "--labels",
            `A,B,…${classes === undefined ? "" : ` (${classes})`}`,
            "--score-kind",
            scoreKind ?? "logits",
          ],
        ],
      ),
    ],
  });
}
