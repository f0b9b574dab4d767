/** TensorFlow's ScaleAndTranslate (scale_and_translate_op.cc, sampling_kernels.h) in its float32. */
import type { FloatPicture, RgbPicture } from "./rgb-picture.js";
import { sinf } from "./sinf.js";

export type SamplingKernel =
  | "triangle"
  | "keyscubic"
  | "lanczos3"
  | "lanczos5"
  | "gaussian"
  | "mitchellcubic";

const { fround } = Math;
const PI = fround(Math.PI);

interface Kernel {
  readonly radius: number;
  /** @param x at least 0, float32; the result is rounded to float32 by the caller. */
  weight(x: number): number;
}

const KERNELS: Readonly<Record<SamplingKernel, Kernel>> = {
  triangle: { radius: 1, weight: (x) => (x < 1 ? 1 - x : 0) },
  keyscubic: {
    radius: 2,
    weight(x) {
      if (x >= 2) return 0;
      if (x >= 1) return fround(f(f(f(f(-0.5 * x) + 2.5) * x) - 4) * x) + 2;
      return fround(f(f(f(1.5 * x) - 2.5) * x) * x) + 1;
    },
  },
  mitchellcubic: {
    radius: 2,
    weight(x) {
      if (x >= 2) return 0;
      if (x >= 1) {
        return f(f(f(f(f(f(-7 / 18) * x) + 2) * x) - f(10 / 3)) * x) + f(16 / 9);
      }
      return f(f(f(f(f(7 / 6) * x) - 2) * x) * x) + f(8 / 9);
    },
  },
  lanczos3: lanczos(3),
  lanczos5: lanczos(5),
  // Its deviation is 0.5; the exponent is a float64, as is its divisor.
  gaussian: { radius: 1.5, weight: (x) => (x >= 1.5 ? 0 : Math.exp(f(-x * x) / 0.5)) },
};

function f(value: number): number {
  return fround(value);
}

function lanczos(radius: number): Kernel {
  return {
    radius,
    weight(x) {
      if (x > radius) return 0;
      if (x <= 1e-3) return 1;
      const angle = f(PI * x);
      const product = f(f(radius * sinf(angle)) * sinf(f(angle / radius)));
      return product / f(f(f(PI * PI) * x) * x);
    },
  };
}

interface Spans {
  readonly starts: Int32Array;
  /** `stride` per target pixel. */
  readonly weights: Float32Array;
  readonly stride: number;
}

/** `ComputeSpansCore`. */
function spansOf(kernel: Kernel, from: number, to: number, antialias: boolean): Spans {
  const inverse = f(1 / f(to / from));
  const stretch = antialias ? Math.max(inverse, 1) : 1;
  const stride = Math.min(2 * Math.ceil(f(kernel.radius * stretch)) + 1, from);
  const starts = new Int32Array(to);
  const weights = new Float32Array(to * stride);
  const perStretch = f(1 / stretch);
  const reach = f(kernel.radius * stretch);
  const clamp = (at: number): number => Math.min(Math.max(at, 0), from - 1);
  for (let target = 0; target < to; target += 1) {
    const centre = f(f(target + 0.5) * inverse);
    if (centre > from) continue;
    const start = clamp(Math.ceil(f(f(centre - reach) - 0.5)));
    const end = clamp(Math.floor(f(f(centre + reach) - 0.5))) + 1;
    let sum = 0;
    for (let at = start; at < end; at += 1) {
      const position = f(f(at + 0.5) - centre);
      const weight = f(kernel.weight(Math.abs(f(position * perStretch))));
      weights[target * stride + at - start] = weight;
      sum = f(sum + weight);
    }
    starts[target] = start;
    const row = weights.subarray(target * stride, target * stride + end - start);
    if (Math.abs(sum) < LEAST_SUM) row.fill(0);
    else {
      const perSum = f(1 / sum);
      for (let tap = 0; tap < row.length; tap += 1) row[tap] = (row[tap] as number) * perSum;
    }
  }
  return { starts, weights, stride };
}

/** Below it the weights count as none: 1000 times float32's least normal number. */
const LEAST_SUM = 1000 * 2 ** -126;

/** `GatherSpans`: columns first, then rows. */
export function gatherSpans(
  picture: RgbPicture,
  width: number,
  height: number,
  kernelName: SamplingKernel,
  antialias: boolean,
): FloatPicture {
  const kernel = KERNELS[kernelName];
  const rows = spansOf(kernel, picture.width, width, antialias);
  const columns = spansOf(kernel, picture.height, height, antialias);
  const rowSamples = 3 * picture.width;
  const line = new Float32Array(rowSamples);
  const pixels = new Float32Array(3 * width * height);
  let to = 0;
  for (let y = 0; y < height; y += 1) {
    line.fill(0);
    const first = columns.starts[y] as number;
    const taps = Math.min(columns.stride, picture.height - first);
    for (let tap = 0; tap < taps; tap += 1) {
      const weight = columns.weights[y * columns.stride + tap] as number;
      let from = (first + tap) * rowSamples;
      for (let at = 0; at < rowSamples; at += 1, from += 1) {
        line[at] = (line[at] as number) + f(weight * (picture.pixels[from] as number));
      }
    }
    for (let x = 0; x < width; x += 1, to += 3) {
      const start = rows.starts[x] as number;
      const count = Math.min(rows.stride, picture.width - start);
      let [red, green, blue] = [0, 0, 0];
      for (let tap = 0; tap < count; tap += 1) {
        const weight = rows.weights[x * rows.stride + tap] as number;
        const at = 3 * (start + tap);
        red = f(red + f(weight * (line[at] as number)));
        green = f(green + f(weight * (line[at + 1] as number)));
        blue = f(blue + f(weight * (line[at + 2] as number)));
      }
      pixels[to] = red;
      pixels[to + 1] = green;
      pixels[to + 2] = blue;
    }
  }
  return { width, height, pixels };
}
