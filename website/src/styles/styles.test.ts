import { readdir, readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";

/** The colours of each scheme, by the name of their custom property. The dark scheme redefines some of the light. */
async function readSchemes(): Promise<Record<"light" | "dark", ReadonlyMap<string, string>>> {
  const css = await readFile(new URL("base.css", import.meta.url), "utf8");
  const [light, dark] = [...css.matchAll(/:root \{([^}]*)\}/g)].map((block) => {
    const declarations = (block[1] ?? "").matchAll(/--([a-z-]+): (#[0-9a-f]{6});/g);
    return new Map([...declarations].map(([, name = "", colour = ""]) => [name, colour] as const));
  });
  if (light === undefined || dark === undefined) {
    throw new Error("base.css has no :root for each scheme");
  }
  return { light, dark: new Map([...light, ...dark]) };
}

/** Relative luminance of #rrggbb. Source: WCAG 2.2, definition of "relative luminance". */
function luminanceOf(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((offset) => {
    const channel = Number.parseInt(colour.slice(offset, offset + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrastOf(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminanceOf(one), luminanceOf(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const TEXT = [
  ["ink", "ground"],
  ["ink", "paper"],
  ["soft", "ground"],
  ["soft", "paper"],
  ["soft", "well"],
  ["accent", "ground"],
  ["accent", "paper"],
  ["accent-strong", "ground"],
  ["on-accent", "accent"],
  ["on-accent", "accent-strong"],
  ["unsure", "paper"],
  ["fault", "paper"],
  ["fault", "ground"],
] as const;

const SHAPES = [
  ["line", "ground"],
  ["line", "paper"],
  ["accent", "hair"],
] as const;

describe.each(["light", "dark"] as const)("the colours of the %s scheme", (scheme) => {
  it.each(TEXT)("text in %s on %s has a contrast of 4.5:1", async (text, ground) => {
    const colours = (await readSchemes())[scheme];
    expect(contrastOf(colours.get(text) ?? "", colours.get(ground) ?? "")).toBeGreaterThanOrEqual(4.5);
  });

  it.each(SHAPES)("borders and bars in %s on %s have a contrast of 3:1", async (shape, ground) => {
    const colours = (await readSchemes())[scheme];
    expect(contrastOf(colours.get(shape) ?? "", colours.get(ground) ?? "")).toBeGreaterThanOrEqual(3);
  });
});

it("no distance is given by left or right, so that the page turns with its language", async () => {
  for (const name of await readdir(new URL(".", import.meta.url))) {
    if (!name.endsWith(".css")) continue;
    const css = (await readFile(new URL(name, import.meta.url), "utf8")).replaceAll(/\/\*.*?\*\//gs, "");
    const physical = css.match(/(?:^|[\s;{-])(?:left|right|text-align: (?:left|right)|float)\s*:/gm) ?? [];
    expect(physical, name).toEqual([]);
  }
});
