/** Which resize a contract asks for. */
import type { PreprocessorConfig } from "@vitrine/protocol/contract";
import { ServeError } from "@vitrine/protocol/status";
import type { ResizeFilter } from "./pixels/resize.js";
import type { ResizeKernel } from "./pixels/resize-kernel.js";
import { OPENCV_METHODS } from "./pixels/resize-opencv.js";
import { TENSORFLOW_METHODS } from "./pixels/resize-tensorflow.js";

/** By Pillow's number. */
const FILTERS = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"] as const;
const TORCHVISION_FILTERS = ["nearest", "bilinear", "bicubic"] as const;

/**
 * @param backend whose resize it is when `vitrine.resize` does not name a library.
 * @throws {ServeError} MODEL_CONTRACT_MISMATCH when the library has no such method or parameter.
 */
export function planKernel(
  config: PreprocessorConfig,
  backend: "pillow" | "torchvision" | "transforms",
): ResizeKernel {
  const given = config.vitrine.resize;
  const library = given?.library ?? (backend === "torchvision" ? "torchvision" : "pillow");
  const filter: ResizeFilter = FILTERS[config.resample] ?? "bilinear";
  const isPillow = library === "pillow" || library === "pillow-12";
  if (!isPillow && (given?.box !== undefined || given?.reducing_gap !== undefined)) {
    throw mismatch(`vitrine.resize had box or reducing_gap beside library ${library}`, "library pillow");
  }
  if (library !== "tensorflow" && given?.antialias === true) {
    throw mismatch(`vitrine.resize.antialias was true beside library ${library}`, "library tensorflow");
  }
  const method = given?.method;
  switch (library) {
    case "pillow":
    case "pillow-12": {
      const [left, top, right, bottom] = given?.box ?? [0, 0, 1, 1];
      if (right <= left || bottom <= top) {
        throw mismatch(
          `vitrine.resize.box was [${given?.box}]`,
          "left, top, right, bottom of a part with pixels",
        );
      }
      return {
        library: "pillow",
        isRowsFirst: library === "pillow-12",
        filter: oneOf(FILTERS, library, method ?? filter),
        box: given?.box,
        reducingGap: given?.reducing_gap,
      };
    }
    case "torchvision":
      return { library, filter: oneOf(TORCHVISION_FILTERS, library, method ?? filter) };
    case "tensorflow":
      return {
        library,
        method: oneOf(TENSORFLOW_METHODS, library, method ?? "bilinear"),
        antialias: given?.antialias ?? false,
      };
    case "opencv":
      return { library, method: oneOf(OPENCV_METHODS, library, method ?? "linear") };
  }
}

function oneOf<const T extends string>(names: readonly T[], library: string, given: string): T {
  const found = names.find((name) => name === given);
  if (found !== undefined) return found;
  throw mismatch(`the resize method was ${given}`, `one of ${names.join(", ")} for library ${library}`);
}

/** The contract asks for what the model or the library does not have. */
export class PreprocessMismatch extends ServeError {
  /** Begins with the key of `preprocessor_config.json`, or with the model's input, that disagrees. */
  readonly what: string;
  readonly expected: string;

  constructor(what: string, expected: string) {
    super(
      "MODEL_CONTRACT_MISMATCH",
      `preprocessor_config.json does not fit the model: ${what}, expected ${expected}`,
    );
    this.what = what;
    this.expected = expected;
  }
}

export function mismatch(what: string, expected: string): PreprocessMismatch {
  return new PreprocessMismatch(what, expected);
}
