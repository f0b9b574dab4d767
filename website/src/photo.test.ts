import { describe, expect, it } from "vitest";
import { faultOfKind, hostOf, isHeic, linksOf, parseLink } from "./photo.js";
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

describe("linksOf", () => {
  it("skips comments, takes every link in its order, and counts the other addresses", () => {
    expect(
      linksOf("# dragged\r\nhttps://example.com/a\r\nftp://example.com/\r\nwww.example.com\r\n"),
    ).toEqual({
      links: ["https://example.com/a", "https://www.example.com"],
      others: 1,
    });
  });

  it("finds nothing in an empty list", () => {
    expect(linksOf("")).toEqual({ links: [], others: 0 });
  });
});

describe("hostOf", () => {
  it("leaves out the query, which may hold secrets", () => {
    expect(hostOf("https://example.com:8080/a?token=1")).toBe("example.com:8080");
  });
});

describe("faultOfKind", () => {
  const named = (type: string) => ({ type });

  it("lets a picture of a kind that is read pass", () => {
    expect(faultOfKind(named("image/png"), limits)).toBeUndefined();
  });

  it("refuses a file of another kind", () => {
    const refused = { reason: "IMAGE_TYPE_UNSUPPORTED" };
    expect(faultOfKind(named("application/pdf"), limits)).toEqual(refused);
    expect(faultOfKind(named("image/tiff"), limits)).toEqual(refused);
  });

  it("leaves a file without a declared type to the gateway, which looks at the bytes", () => {
    expect(faultOfKind(named(""), limits)).toBeUndefined();
  });

  it("refuses only what is no picture at all while the limits are unknown", () => {
    expect(faultOfKind(named("image/tiff"), undefined)).toBeUndefined();
    expect(faultOfKind(named("video/mp4"), undefined)).toEqual({ reason: "IMAGE_TYPE_UNSUPPORTED" });
  });
});

describe("isHeic", () => {
  const fileOf = (text: string) => new Blob([Uint8Array.from(text, (letter) => letter.charCodeAt(0))]);

  it.each([
    ["\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf", true],
    ["\0\0\0\x1cftypmif1\0\0\0\0mif1heic", true],
    ["\0\0\0\x1cftyphevc\0\0\0\0", true],
    ["\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", false],
    ["\0\0\0\x1cftypavif\0\0\0\0", false],
    ["\0\0\0\x1cftypisom\0\0\0\0", false],
    ["\xff\xd8\xff\xe0", false],
    ["", false],
  ])("of a file that begins with %j is %j, whatever it is called", async (start, expected) => {
    expect(await isHeic(fileOf(start))).toBe(expected);
  });
});
