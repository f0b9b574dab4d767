/** How far two tensors are apart. */

export interface Distance {
  readonly mean: number;
  readonly most: number;
}

export function distanceOf(ours: ArrayLike<number>, recorded: ArrayLike<number>): Distance {
  let [sum, most] = [0, 0];
  for (let at = 0; at < recorded.length; at += 1) {
    const apart = Math.abs((ours[at] as number) - (recorded[at] as number));
    sum += apart;
    if (apart > most) most = apart;
  }
  return { mean: recorded.length === 0 ? 0 : sum / recorded.length, most };
}

export interface Fit {
  /** recorded = pixel * slope + start, in each channel of the recorded tensor. */
  readonly channels: readonly { readonly slope: number; readonly start: number }[];
  /** What of the recorded tensor's variance the fit leaves, 0 to 1. */
  readonly residual: number;
}

/** The fits of a picture's pixels in our order of colours, and with our last channel held against the recorded first. */
export type Fitter = (pixels: ArrayLike<number>) => readonly [straight: Fit, swapped: Fit];

/**
 * Fits a straight line to each channel, which finds the right pixels whatever arithmetic came after them.
 *
 * @param recorded pixels of three samples.
 */
export function fitterTo(recorded: ArrayLike<number>): Fitter {
  const count = recorded.length / 3;
  const means = [0, 0, 0];
  for (let at = 0; at < recorded.length; at += 1) {
    means[at % 3] = (means[at % 3] as number) + (recorded[at] as number) / count;
  }
  const centred = Float64Array.from(recorded, (value, at) => value - (means[at % 3] as number));
  const squares = [0, 0, 0];
  centred.forEach((value, at) => {
    squares[at % 3] = (squares[at % 3] as number) + value * value;
  });
  const all = squares.reduce((sum, square) => sum + square, 0);

  return (pixels) => {
    const lines = [0, 1, 2].map((source) => linesOf(pixels, centred, source));
    const fit = (isSwapped: boolean): Fit => {
      let left = 0;
      const channels = [0, 1, 2].map((channel) => {
        const source = isSwapped ? 2 - channel : channel;
        const { meanX, xx, straight, swapped } = lines[source] as Lines;
        const xy = isSwapped ? swapped : straight;
        const slope = xx === 0 ? 0 : xy / xx;
        left += Math.max(0, (squares[channel] as number) - slope * xy);
        return { slope, start: (means[channel] as number) - slope * meanX };
      });
      return { channels, residual: all === 0 ? 0 : left / all };
    };
    return [fit(false), fit(true)];
  };
}

/** Sums over one channel of the pixels. */
interface Lines {
  readonly meanX: number;
  readonly xx: number;
  /** With the recorded channel of the same place, and with the one of the opposite place. */
  readonly straight: number;
  readonly swapped: number;
}

function linesOf(pixels: ArrayLike<number>, centred: Float64Array, channel: number): Lines {
  const count = centred.length / 3;
  const toOther = 2 - 2 * channel;
  let sum = 0;
  for (let at = channel; at < centred.length; at += 3) sum += pixels[at] as number;
  const meanX = sum / count;
  let [xx, straight, swapped] = [0, 0, 0];
  for (let at = channel; at < centred.length; at += 3) {
    const x = (pixels[at] as number) - meanX;
    xx += x * x;
    straight += x * (centred[at] as number);
    swapped += x * (centred[at + toOther] as number);
  }
  return { meanX, xx, straight, swapped };
}
