/** The heat map as pixels. */
import { type Heatmap, turnOf } from "./place.js";

/**
 * From no evidence to the strongest: red, green, blue and how much is covered, 0 to 255. Dark blue to yellow, by lightness as well as by
 * colour, so that it reads the same to people who see few colours or none; what speaks for the answer stays the clearest.
 */
const SCALE = [
  [8, 22, 66, 205],
  [46, 66, 120, 185],
  [110, 110, 122, 150],
  [188, 170, 92, 130],
  [255, 230, 60, 150],
] as const;

/** Longer edge of the canvas, in its pixels: the map is coarse, and the screen smooths it. */
const CANVAS_EDGE = 640;

export function colourOf(value: number): readonly [red: number, green: number, blue: number, alpha: number] {
  const at = Math.min(1, Math.max(0, value)) * (SCALE.length - 1);
  const from = SCALE[Math.floor(at)] ?? SCALE[0];
  const to = SCALE[Math.ceil(at)] ?? from;
  const part = at - Math.floor(at);
  const mixed = (index: 0 | 1 | 2 | 3) => Math.round(from[index] + part * (to[index] - from[index]));
  return [mixed(0), mixed(1), mixed(2), mixed(3)];
}

/** The colours of the scale, for its legend: `stops` of them, opaque. */
export function scaleStops(stops: number): string[] {
  return Array.from({ length: stops }, (_, index) => {
    const [red, green, blue] = colourOf(index / (stops - 1));
    return `rgb(${red} ${green} ${blue})`;
  });
}

/** True when the model saw less than the whole picture. */
export function hasUnseen({ area }: Heatmap): boolean {
  const slack = 0.005;
  return (
    area.x > slack || area.y > slack || area.x + area.width < 1 - slack || area.y + area.height < 1 - slack
  );
}

/**
 * Draws the map where it lies on the upright picture; what the model does not see is hatched.
 *
 * @param size of the upright picture; only its proportions count.
 */
export function drawHeatmap(
  canvas: HTMLCanvasElement,
  heatmap: Heatmap,
  size: { readonly width: number; readonly height: number },
): void {
  const scale = CANVAS_EDGE / Math.max(size.width, size.height);
  canvas.width = Math.max(1, Math.round(size.width * scale));
  canvas.height = Math.max(1, Math.round(size.height * scale));
  const context = canvas.getContext("2d");
  const fields = fieldsOf(heatmap);
  if (context === null || fields === undefined) return;
  const { area, orientation } = heatmap;
  if (hasUnseen(heatmap)) hatch(context);
  const [a, b, c, d, e, f] = turnOf(orientation);
  const { width, height } = canvas;
  // From shares of the stored picture to pixels of the canvas.
  context.setTransform(a * width, b * height, c * width, d * height, e * width, f * height);
  context.clearRect(area.x, area.y, area.width, area.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(fields, area.x, area.y, area.width, area.height);
  context.resetTransform();
}

/** One pixel for each value. */
function fieldsOf({ width, height, values }: Heatmap): HTMLCanvasElement | undefined {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (context === null) return undefined;
  const image = context.createImageData(width, height);
  for (const [index, value] of values.entries()) image.data.set(colourOf(value), 4 * index);
  context.putImageData(image, 0, 0);
  return canvas;
}

function hatch(context: CanvasRenderingContext2D): void {
  const { width, height } = context.canvas;
  context.fillStyle = "rgb(0 0 0 / 0.55)";
  context.fillRect(0, 0, width, height);
  context.strokeStyle = "rgb(255 255 255 / 0.45)";
  context.lineWidth = 2;
  context.beginPath();
  for (let x = -height; x < width; x += 14) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.stroke();
}
