import { expect, it } from "vitest";
import { colourOf, hasUnseen, scaleStops } from "./draw.js";

/** Relative luminance of a colour. Source: WCAG 2.2. */
function luminanceOf([red, green, blue]: readonly number[]): number {
  const [r = 0, g = 0, b = 0] = [red, green, blue].map((sample = 0) => {
    const share = sample / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

it("the scale grows lighter from end to end, so that it needs no eye for colours", () => {
  const lights = Array.from({ length: 21 }, (_, index) => luminanceOf(colourOf(index / 20)));
  for (const [index, light] of lights.entries())
    expect(light).toBeGreaterThan(index === 0 ? 0 : (lights[index - 1] ?? 1));
  expect(((lights.at(-1) ?? 0) + 0.05) / ((lights[0] ?? 1) + 0.05)).toBeGreaterThan(7);
});

it("the legend shows the same colours", () => {
  expect(scaleStops(2)).toEqual(["rgb(8 22 66)", "rgb(255 230 60)"]);
  expect(colourOf(2)).toEqual(colourOf(1));
});

it("knows when the model saw less than the photo", () => {
  const map = {
    width: 1,
    height: 1,
    values: [1],
    method: "activation",
    photo: 0,
    orientation: 1,
    flat: false,
  } as const;
  expect(hasUnseen({ ...map, values: [1], area: { x: 0, y: 0, width: 1, height: 1 } })).toBe(false);
  expect(hasUnseen({ ...map, values: [1], area: { x: 0, y: -0.2, width: 1, height: 1.4 } })).toBe(false);
  expect(hasUnseen({ ...map, values: [1], area: { x: 0.1, y: 0, width: 0.8, height: 1 } })).toBe(true);
});
