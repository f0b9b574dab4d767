import { describe, expect, it } from "vitest";
import { faultOfKind, firstOfUriList, hostOf, parseLink } from "./photo.js";
import { info } from "./testing/fixtures.js";

const limits = { ...info.limits, media_types: ["image/jpeg", "image/png"] };

describe("parseLink", () => {
  it("takes one http or https address and trims it", () => {
    expect(parseLink("  https://example.com/a.jpg\n")).toBe("https://example.com/a.jpg");
    expect(parseLink("http://example.com")).toBe("http://example.com");
  });

  it.each(["www.shop.example/x.jpg", "WWW.shop.example", "shop.example/x.jpg?y=1", "shop.example:8443/a:b"])(
    "takes %j as what a person types for a web address",
    (text) => expect(parseLink(text)).toBe(`https://${text}`),
  );

  it.each([
    "",
    "a.jpg",
    "and/or",
    "1/2.5",
    "10.0.0.1/a.jpg",
    "me@shop.example/a.jpg",
    "shop.example/a b.jpg",
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

describe("faultOfKind", () => {
  const named = (type: string, name = "a") => ({ type, name });

  it("lets a picture of a kind that is read pass", () => {
    expect(faultOfKind(named("image/png"), limits)).toBeUndefined();
  });

  it("refuses a file of another kind", () => {
    const refused = { reason: "IMAGE_TYPE_UNSUPPORTED" };
    expect(faultOfKind(named("application/pdf"), limits)).toEqual(refused);
    expect(faultOfKind(named("image/tiff"), limits)).toEqual(refused);
  });

  it("leaves a HEIC photo to the browser, some of which can open it", () => {
    expect(faultOfKind(named("image/heic"), limits)).toBeUndefined();
    expect(faultOfKind(named("", "IMG_1.HEIC"), limits)).toBeUndefined();
  });

  it("leaves a file without a declared type to the gateway, which looks at the bytes", () => {
    expect(faultOfKind(named(""), limits)).toBeUndefined();
  });

  it("refuses only what is no picture at all while the limits are unknown", () => {
    expect(faultOfKind(named("image/tiff"), undefined)).toBeUndefined();
    expect(faultOfKind(named("video/mp4"), undefined)).toEqual({ reason: "IMAGE_TYPE_UNSUPPORTED" });
  });
});
