/** Which device sessions run on, and whether its part of ONNX Runtime is installed. */
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { UsageError } from "@vitrine/runtime/settings";

export type Device = { readonly kind: "cpu" } | { readonly kind: "cuda"; readonly id: number };

export const DEVICE_PATTERN = /^(cpu|cuda(:\d+)?)$/;

/** @param text matches {@link DEVICE_PATTERN}. */
export function parseDevice(text: string): Device {
  const [kind, id = "0"] = text.split(":");
  return kind === "cuda" ? { kind, id: Number(id) } : { kind: "cpu" };
}

/** What ONNX Runtime loads for CUDA; npm's package does not hold it, for its size. */
const CUDA_LIBRARY = "libonnxruntime_providers_cuda.so";

/**
 * Checks that the parts of ONNX Runtime that the device needs are there. Whether the machine has a GPU and CUDA's own
 * libraries shows when the first session is made.
 *
 * @param libraryFolder where onnxruntime-node has its native libraries.
 * @throws {UsageError}
 */
export function checkDevice(device: Device, libraryFolder: string = onnxRuntimeLibraries()): void {
  if (device.kind === "cpu" || existsSync(path.join(libraryFolder, CUDA_LIBRARY))) return;
  const here = `${process.platform}/${process.arch}`;
  const remedy =
    here === "linux/x64"
      ? "run `ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node --ignore-scripts=false`, which fetches it from NuGet; it needs CUDA 12 and cuDNN 9"
      : `ONNX Runtime for Node has one for linux/x64 alone, and this is ${here}`;
  throw new UsageError([
    `--device was cuda:${device.id}, expected cpu: the CUDA build of ONNX Runtime is not installed (no ${CUDA_LIBRARY}): ${remedy}`,
  ]);
}

function onnxRuntimeLibraries(): string {
  const script = createRequire(import.meta.url).resolve("onnxruntime-node");
  const bin = path.join(path.dirname(script), "..", "bin");
  const napi = readdirSync(bin).find((name) => name.startsWith("napi-")) ?? "";
  return path.join(bin, napi, process.platform, process.arch);
}
