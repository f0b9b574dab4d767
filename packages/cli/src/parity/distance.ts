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

/**
 * Fits a straight line to each channel, which finds the right pixels whatever arithmetic came after them.
 *
 * @param isBgr the recorded tensor's first channel is held against our last.
 */
export function fitOf(pixels: ArrayLike<number>, recorded: ArrayLike<number>, isBgr: boolean): Fit {
  const count = recorded.length / 3;
  let [left, all] = [0, 0];
  const channels = [0, 1, 2].map((channel) => {
    const source = isBgr ? 2 - channel : channel;
    let [sumX, sumY] = [0, 0];
    for (let at = 0; at < recorded.length; at += 3) {
      sumX += pixels[at + source] as number;
      sumY += recorded[at + channel] as number;
    }
    const [meanX, meanY] = [sumX / count, sumY / count];
    let [xx, xy, yy] = [0, 0, 0];
    for (let at = 0; at < recorded.length; at += 3) {
      const x = (pixels[at + source] as number) - meanX;
      const y = (recorded[at + channel] as number) - meanY;
      xx += x * x;
      xy += x * y;
      yy += y * y;
    }
    const slope = xx === 0 ? 0 : xy / xx;
    left += Math.max(0, yy - slope * xy);
    all += yy;
    return { slope, start: meanY - slope * meanX };
  });
  return { channels, residual: all === 0 ? 0 : left / all };
}
