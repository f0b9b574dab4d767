import { describe, expect, it } from "vitest";
import { faultOfFile, firstOfUriList, hostOf, parseLink } from "./photo.js";

const limits = {
  max_image_bytes: 1000,
  max_image_pixels: 1_000_000,
  max_images: 8,
  timeout_ms: 20_000,
  media_types: ["image/jpeg", "image/png"],
};

describe("parseLink", () => {
  it("takes one http or https address and trims it", () => {
    expect(parseLink("  https://example.com/a.jpg\n")).toBe("https://example.com/a.jpg");
    expect(parseLink("http://example.com")).toBe("http://example.com");
  });

  it.each([
    "",
    "a.jpg",
    "ftp://example.com/a",
    "javascript:alert(1)",
    "see https://example.com/a",
    "https://",
  ])("does not take %j", (text) => {
    expect(parseLink(text)).toBeUndefined();
  });
});

describe("firstOfUriList", () => {
  it("skips comments and takes the first address", () => {
    expect(firstOfUriList("# dragged\r\nhttps://example.com/a\r\nhttps://example.com/b\r\n")).toBe(
      "https://example.com/a",
    );
  });

  it("is undefined for an empty list", () => {
    expect(firstOfUriList("")).toBeUndefined();
  });
});

describe("hostOf", () => {
  it("leaves out the query, which may hold secrets", () => {
    expect(hostOf("https://example.com:8080/a?token=1")).toBe("example.com:8080");
  });
});

describe("faultOfFile", () => {
  it("lets a picture within the limits pass", () => {
    expect(faultOfFile({ size: 1000, type: "image/png" }, limits)).toBeUndefined();
  });

  it("refuses a file that is too large or of another kind", () => {
    expect(faultOfFile({ size: 1001, type: "image/png" }, limits)).toEqual({ reason: "IMAGE_TOO_LARGE" });
    expect(faultOfFile({ size: 1, type: "application/pdf" }, limits)).toEqual({
      reason: "IMAGE_TYPE_UNSUPPORTED",
    });
    expect(faultOfFile({ size: 1, type: "image/heic" }, limits)).toEqual({
      reason: "IMAGE_TYPE_UNSUPPORTED",
    });
  });

  it("leaves a file without a declared type to the gateway, which looks at the bytes", () => {
    expect(faultOfFile({ size: 1, type: "" }, limits)).toBeUndefined();
  });

  it("refuses only what is no picture at all while the limits are unknown", () => {
    expect(faultOfFile({ size: 1e9, type: "image/heic" }, undefined)).toBeUndefined();
    expect(faultOfFile({ size: 1, type: "video/mp4" }, undefined)).toEqual({
      reason: "IMAGE_TYPE_UNSUPPORTED",
    });
  });
});
