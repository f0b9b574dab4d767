import { describe, expect, it } from "vitest";
import { placeOn } from "./center-crop.js";
import { type Resize, resize } from "./resize.js";
import { type ResizeKernel, resizeBy } from "./resize-kernel.js";
import { createSimdResize } from "./resize-simd.js";
import { formulaPicture, type ResizeGolden, readGolden, sha256 } from "./testing/goldens.js";

const rows = readGolden("resizes.json");
const simdResize = createSimdResize();
// The loops are the slower definition of the same: every seventh row holds them, and none is left out of both.
const implementations: readonly { name: string; resizeWith: Resize; every: number }[] =
  simdResize === undefined
    ? [{ name: "the plain loops", resizeWith: resize, every: 1 }]
    : [
        { name: "the SIMD kernels", resizeWith: simdResize, every: 1 },
        { name: "the plain loops", resizeWith: resize, every: 7 },
      ];

/** Of the rows of one kind, those whose bytes differ. A picture serves all rows that follow each other with it. */
function differing(golden: readonly ResizeGolden[], resizeWith: Resize): ResizeGolden[] {
  let picture = formulaPicture(1, 1);
  return golden.filter(({ from, to, filter, box, gap, sha256Start }) => {
    if (picture.width !== from.width || picture.height !== from.height) {
      picture = formulaPicture(from.width, from.height);
    }
    const { pixels } = resizeBy(kernelOf(filter, gap), picture, to, resizeWith, box);
    return sha256(pixels).slice(0, 12) !== sha256Start;
  });
}

const isTorch = ({ filter }: ResizeGolden): boolean => filter.startsWith("torch");
const isPart = ({ box, gap }: ResizeGolden): boolean => box !== undefined || gap !== undefined;
const isWhole = (row: ResizeGolden): boolean => !isTorch(row) && !isPart(row);

function kernelOf(name: ResizeGolden["filter"], reducingGap: number | undefined): ResizeKernel {
  switch (name) {
    case "torch-nearest":
      return { library: "torchvision", filter: "nearest" };
    case "torch-bilinear":
      return { library: "torchvision", filter: "bilinear" };
    case "torch-bicubic":
      return { library: "torchvision", filter: "bicubic" };
    default:
      return { library: "pillow", filter: name, reducingGap };
  }
}

describe.each(implementations)("resize by $name", ({ resizeWith, every }) => {
  it.each([
    ["Pillow's whole resizes", isWhole],
    ["Pillow's resizes of a box or with a reducing_gap", isPart],
    ["torchvision's resizes of uint8 tensors", isTorch],
  ])(
    "gives the bytes of %s",
    (_, isKind) => {
      const kind = rows.filter(isKind).filter((__, index) => index % every === 0);

      expect(kind.length).toBeGreaterThan(400 / every);
      expect(differing(kind, resizeWith)).toEqual([]);
    },
    120_000,
  );

  it("gives the bytes of Pillow 12 when asked for its order", () => {
    const differing12 = readGolden("pillow12.json").filter(({ from, to, filter, sha256Start }) => {
      const kernel = kernelOf(filter, undefined);
      const older = kernel.library === "pillow" ? { ...kernel, isRowsFirst: true } : kernel;
      const picture = formulaPicture(from.width, from.height);
      const { pixels } = resizeBy(older, picture, to, resizeWith);
      return sha256(pixels).slice(0, 12) !== sha256Start;
    });

    expect(differing12).toEqual([]);
  });

  it.each(["nearest", "bilinear", "lanczos"] as const)(
    "gives by %s the window that is cut out of the whole",
    (filter) => {
      const picture = formulaPicture(60, 40);
      for (const [size, window] of [
        [
          { width: 120, height: 80 },
          { x: 30, y: 20, width: 60, height: 40 },
        ],
        [
          { width: 60, height: 40 },
          { x: 5, y: 7, width: 20, height: 33 },
        ],
        [
          { width: 33, height: 90 },
          { x: 0, y: 11, width: 33, height: 50 },
        ],
      ] as const) {
        const whole = resizeWith(picture, { ...size, filter });
        const cut = placeOn(whole, { ...window, x: -window.x, y: -window.y });

        expect(sha256(resizeWith(picture, { ...size, filter, window }).pixels)).toBe(sha256(cut.pixels));
      }
    },
  );

  it("leaves the source as it was and can be called again", () => {
    const picture = formulaPicture(120, 90);
    const before = sha256(picture.pixels);
    const target = { width: 33, height: 44, filter: "bicubic" } as const;

    const first = sha256(resizeWith(picture, target).pixels);
    resizeWith(formulaPicture(500, 700), { width: 256, height: 256, filter: "lanczos" });

    expect(sha256(resizeWith(picture, target).pixels)).toBe(first);
    expect(sha256(picture.pixels)).toBe(before);
  });
});

describe("the resizes", () => {
  it("that are held against Pillow are at least 3000 pairs of sizes and filter, from 1 to 8000 pixels", () => {
    const pairs = rows.filter(isWhole);
    const edges = pairs.flatMap(({ from }) => [from.width, from.height]);

    expect(pairs.length).toBeGreaterThanOrEqual(3000);
    expect([Math.min(...edges), Math.max(...edges)]).toEqual([1, 8000]);
  });
});

describe("the SIMD kernels", () => {
  it("exist on this machine, or the suite above has tested less", () => {
    expect(simdResize).toBeDefined();
  });

  it("agree with the plain loops where a picture takes several stripes and where it needs too much memory", () => {
    for (const [from, to] of [
      [
        [2600, 300],
        [100, 90],
      ],
      [
        [300, 2600],
        [280, 90],
      ],
      [
        [5, 4],
        [6000, 4000],
      ],
    ] as const) {
      const picture = formulaPicture(from[0], from[1]);
      const target = { width: to[0], height: to[1], filter: "bilinear" } as const;
      expect(sha256(simdResize!(picture, target).pixels), `${from} to ${to}`).toBe(
        sha256(resize(picture, target).pixels),
      );
    }
  }, 60_000);
});
