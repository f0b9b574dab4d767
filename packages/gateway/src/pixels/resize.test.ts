import { describe, expect, it } from "vitest";
import { resize } from "./resize.js";
import { createSimdResize } from "./resize-simd.js";
import { FILTER_OF_NUMBER, formulaPicture, readGolden, sha256 } from "./testing/goldens.js";

const simdResize = createSimdResize();
const implementations = [
  { name: "the plain loops", resizeWith: resize },
  ...(simdResize === undefined ? [] : [{ name: "the SIMD kernels", resizeWith: simdResize }]),
];

describe.each(implementations)("resize by $name", ({ resizeWith }) => {
  it.each(readGolden("resizes.json"))(
    "gives Pillow's pixels from $from to $to with every filter",
    (golden) => {
      const picture = formulaPicture(...golden.from);
      const [width, height] = golden.to;

      const hashes = Object.keys(golden.sha256Start).map((number) => {
        const filter = FILTER_OF_NUMBER[number]!;
        return [number, sha256(resizeWith(picture, { width, height, filter }).pixels).slice(0, 16)];
      });

      expect(Object.fromEntries(hashes)).toEqual(golden.sha256Start);
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
