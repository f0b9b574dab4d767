import { describe, expect, it } from "vitest";
import { OPENCV_METHODS, resizeOpencv } from "./resize-opencv.js";
import { formulaPicture, readGolden, sha256 } from "./testing/goldens.js";

const resizes = readGolden("opencv.json");

describe("resizeOpencv", () => {
  it.each(OPENCV_METHODS)("gives each byte of cv2.resize by %s", (method) => {
    const rows = resizes.filter((row) => row[4] === method);
    const differing = rows.filter(([fromWidth, fromHeight, width, height, , sha256Start]) => {
      const { pixels } = resizeOpencv(formulaPicture(fromWidth, fromHeight), width, height, method);
      return sha256(pixels).slice(0, 12) !== sha256Start;
    });

    expect(rows.length).toBe(448);
    expect(differing).toEqual([]);
  });

  it.each(OPENCV_METHODS)("leaves the source as it was by %s", (method) => {
    const picture = formulaPicture(90, 70);
    const before = sha256(picture.pixels);
    resizeOpencv(picture, 45, 35, method);
    resizeOpencv(picture, 45, 100, method);

    expect(sha256(picture.pixels)).toBe(before);
  });
});
