/** A finding as text for a person. */
import type { JsonObject } from "./config-patch.js";
import type { Distance } from "./distance.js";
import type { PhotoTensors } from "./photo-tensors.js";
import type { RecordedTensor } from "./recorded-tensor.js";
import type { Change, Finding } from "./search.js";

export interface Subject {
  readonly photoPath: string;
  readonly photo: PhotoTensors;
  /** Of the recorded tensor's file. */
  readonly name: string;
  readonly recorded: RecordedTensor;
}

export function reportOf(finding: Finding, { photoPath, photo, name, recorded }: Subject): string {
  const turned = photo.orientation === 1 ? "" : `, EXIF orientation ${photo.orientation}`;
  const lines = [
    `photo     ${photoPath}: ${photo.format}, ${photo.width}x${photo.height}${turned}`,
    `recorded  ${name}: ${recorded.dtype} [${recorded.shape.join(", ")}], ${recorded.layout}`,
    "",
  ];
  if (finding.isEqual) return `${[...lines, `equal: ${apart(finding.remaining)}`].join("\n")}\n`;
  const { distance, changes, remaining } = finding;
  // What is far from everything that was tried is not described by what happens to be nearest.
  const isNear = finding.isExplained || remaining.mean < recorded.range / 20;
  lines.push(
    distance === undefined ? "different: not of the same size or layout" : `different: ${apart(distance)}`,
  );
  const [first] = changes;
  if (first !== undefined && isNear)
    lines.push(`first to part: ${first.step}`, "", ...table(changes, recorded.range));
  lines.push("", ...(isNear ? ending(finding) : [NOTHING_NEAR]));
  return `${lines.join("\n")}\n`;
}

function apart({ mean, most }: Distance): string {
  return most === 0
    ? "every value is the same"
    : `values are apart by ${short(mean)} on average, ${short(most)} at most`;
}

function table(changes: readonly Change[], range: number): string[] {
  const rows = changes.map(({ step, ours, recorded, without }) => [
    step,
    ours,
    recorded,
    without === undefined
      ? "another shape"
      : `${short(without.mean)} (${percent(without.mean, range)} of the range)`,
  ]);
  const head = ["step", "ours", "recorded", "apart when only this stays"];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function ending({ isExplained, remaining, set }: Finding): string[] {
  const hasKeys = Object.keys(set).length > 0;
  const keys = hasKeys
    ? [
        "Set in preprocessor_config.json (null: remove the key):",
        ...JSON.stringify(set, undefined, 2).split("\n"),
      ]
    : [];
  const flags = flagsOf(set);
  const asFlags = flags === undefined ? [] : [`or, for vitrine gateway: ${flags}`];
  if (isExplained) return ["With that the tensors are equal.", ...keys, ...asFlags];
  return [
    `The nearest that was found is still apart: ${apart(remaining)}.`,
    isSmall(remaining) ? DECODER_HINT : "Is it of this photo, without augmentation?",
    ...keys,
    ...asFlags,
  ];
}

const NOTHING_NEAR =
  "Nothing that was tried comes near it. Is it of this photo, without augmentation, and cut from its middle?";

const DECODER_HINT =
  "So little is left to another decoder (TensorFlow's decode_jpeg is not Pillow's to the bit), or to another version of the library.";

function isSmall({ mean, most }: Distance): boolean {
  return mean < most / 8;
}

/** The same as flags of the gateway; undefined when not all of it has a flag. */
function flagsOf(set: JsonObject): string | undefined {
  const flags: string[] = [];
  const { resample, size, vitrine, ...others } = set;
  if (Object.keys(others).length > 0) return undefined;
  const names = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];
  if (typeof resample === "number") flags.push(`--resample ${names[resample]}`);
  if (typeof size === "object" && size !== null && "height" in size && "width" in size) {
    flags.push(`--size ${size.width}x${size.height}`);
  } else if (size !== undefined) return undefined;
  if (typeof vitrine === "object" && vitrine !== null) {
    const { orientation, ...rest } = { orientation: undefined, ...vitrine };
    if (Object.keys(rest).length > 0) return undefined;
    if (orientation !== undefined) flags.push(`--orientation ${orientation ?? "ignore"}`);
  }
  return flags.length === 0 ? undefined : flags.join(" ");
}

function short(value: number): string {
  return Number(value.toPrecision(3)).toString();
}

function percent(value: number, range: number): string {
  return `${short(range === 0 ? 0 : (100 * value) / range)} %`;
}
