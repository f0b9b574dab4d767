/** A resize of any of the libraries that training uses, by name. */
import { placeOn } from "./center-crop.js";
import { pickPixels, positions } from "./pick-pixels.js";
import { reduce, reductionOf } from "./reduce.js";
import type { Resize, ResizeBox, ResizeFilter, ResizeWindow } from "./resize.js";
import { type OpencvMethod, resizeOpencv } from "./resize-opencv.js";
import { resizeTensorflow, resizeTensorflowNearest, type TensorflowMethod } from "./resize-tensorflow.js";
import type { FloatPicture, RgbPicture } from "./rgb-picture.js";
import type { Size } from "./target-size.js";

export type ResizeKernel =
  | {
      readonly library: "pillow";
      readonly filter: ResizeFilter;
      /** As version 12 and older: rows before columns for every shape. */
      readonly isRowsFirst?: boolean | undefined;
      /** What of the source is resized. */
      readonly box?: ResizeBox | undefined;
      /** Image.resize's parameter: the picture is shrunk by whole factors first. */
      readonly reducingGap?: number | undefined;
    }
  | { readonly library: "torchvision"; readonly filter: "nearest" | "bilinear" | "bicubic" }
  | { readonly library: "tensorflow"; readonly method: TensorflowMethod; readonly antialias: boolean }
  | { readonly library: "opencv"; readonly method: OpencvMethod };

/** Whether the samples that come out need not be whole. */
export function isFloatKernel(kernel: ResizeKernel): boolean {
  return kernel.library === "tensorflow" && kernel.method !== "nearest";
}

/**
 * Whether every pixel of a larger picture has its part in the result, so that another picture of the same scene gives nearly
 * the same; the others pick single pixels.
 */
export function isAveraging(kernel: ResizeKernel): boolean {
  switch (kernel.library) {
    case "pillow":
    case "torchvision":
      return kernel.filter !== "nearest";
    case "tensorflow":
      return kernel.method === "area" || (kernel.antialias && kernel.method !== "nearest");
    case "opencv":
      return kernel.method === "area";
  }
}

/** Whether only the wanted window of the target is worked out; else all of it, and the window is cut out. */
export function isWindowed(kernel: ResizeKernel): boolean {
  return kernel.library === "pillow" || (kernel.library === "torchvision" && kernel.filter !== "nearest");
}

/** What the filter or method is called where it comes from. */
export function kernelName(kernel: ResizeKernel): ResizeFilter | TensorflowMethod | OpencvMethod {
  return "filter" in kernel ? kernel.filter : kernel.method;
}

/**
 * @param resize Pillow's convolution, plain or by SIMD.
 * @param box    of the picture, in its pixels; for Pillow's resize only.
 * @param window of the target that is wanted.
 */
export function resizeBy(
  kernel: ResizeKernel,
  picture: RgbPicture,
  { width, height }: Size,
  resize: Resize,
  box?: ResizeBox,
  window?: ResizeWindow,
): RgbPicture | FloatPicture {
  switch (kernel.library) {
    case "pillow": {
      const { filter, reducingGap, isRowsFirst } = kernel;
      const reduction = reductionOf(picture, width, height, filter, box, reducingGap);
      if (reduction === undefined)
        return resize(picture, { width, height, filter, box, window, isRowsFirst });
      const { boxAfter } = reduction;
      return resize(reduce(picture, reduction), {
        width,
        height,
        filter,
        box: boxAfter,
        window,
        isRowsFirst,
      });
    }
    case "torchvision":
      return kernel.filter === "nearest"
        ? cut(resizeTorchvisionNearest(picture, width, height), window)
        : resize(picture, { width, height, filter: kernel.filter, weights: "int16", window });
    case "tensorflow":
      return kernel.method === "nearest"
        ? cut(resizeTensorflowNearest(picture, width, height), window)
        : cut(resizeTensorflow(picture, width, height, kernel.method, kernel.antialias), window);
    case "opencv":
      return cut(resizeOpencv(picture, width, height, kernel.method), window);
  }
}

function cut<Picture extends RgbPicture | FloatPicture>(picture: Picture, window: ResizeWindow | undefined) {
  return window === undefined ? picture : placeOn(picture, { ...window, x: -window.x, y: -window.y });
}

/**
 * `interpolate(mode="nearest-exact")`, which Hugging Face's tensor processors use for NEAREST: float32 positions (ATen's
 * UpSample.h).
 */
function resizeTorchvisionNearest(picture: RgbPicture, width: number, height: number): RgbPicture {
  const at = (from: number, to: number): Int32Array => {
    const scale = Math.fround(from / to);
    return positions(from, to, (index) => Math.fround((index + 0.5) * scale));
  };
  return pickPixels(picture, at(picture.width, width), at(picture.height, height));
}
