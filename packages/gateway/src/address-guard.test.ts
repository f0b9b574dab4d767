import type { LookupAddress } from "node:dns";
import { promisify } from "node:util";
import { ServeError } from "@vitrine/protocol/status";
import { describe, expect, it } from "vitest";
import { createAddressGuard, isPublicAddress, type LookupAll, parseAllowedHost } from "./address-guard.js";

/** URLs that must be refused by what they say alone, before any name is looked up. */
const REFUSED_AT_SIGHT: readonly [url: string, why: string][] = [
  ["http://127.0.0.1/a.jpg", "loopback"],
  ["http://127.1/a.jpg", "loopback in two parts"],
  ["http://127.0.1/a.jpg", "loopback in three parts"],
  ["http://0x7f000001/a.jpg", "loopback in hexadecimal"],
  ["http://0x7f.0.0.1/a.jpg", "loopback, first part in hexadecimal"],
  ["http://2130706433/a.jpg", "loopback as one decimal"],
  ["http://017700000001/a.jpg", "loopback as one octal"],
  ["http://0177.0.0.1/a.jpg", "loopback, first part in octal"],
  ["http://127.0.0.1./a.jpg", "loopback with a final dot"],
  ["http://127。0。0。1/a.jpg", "loopback with ideographic full stops"],
  ["http://①②⑦.0.0.1/a.jpg", "loopback in circled digits"],
  ["http://１２７.0.0.1/a.jpg", "loopback in full-width digits"],
  ["http://%31%32%37.0.0.1/a.jpg", "loopback percent-encoded"],
  ["http:\\\\127.0.0.1\\a.jpg", "loopback with backslashes"],
  ["http:127.0.0.1/a.jpg", "loopback without slashes"],
  ["http://0/a.jpg", "unspecified"],
  ["http://0.0.0.0/a.jpg", "unspecified"],
  ["http://[::]/a.jpg", "unspecified IPv6"],
  ["http://[::1]/a.jpg", "IPv6 loopback"],
  ["http://[0:0:0:0:0:0:0:1]/a.jpg", "IPv6 loopback in full"],
  ["http://[::ffff:127.0.0.1]/a.jpg", "IPv4-mapped loopback"],
  ["http://[::ffff:7f00:1]/a.jpg", "IPv4-mapped loopback in hexadecimal"],
  ["http://[::ffff:0:127.0.0.1]/a.jpg", "IPv4-translated loopback (RFC 6145)"],
  ["http://[::127.0.0.1]/a.jpg", "IPv4-compatible loopback"],
  ["http://[64:ff9b::7f00:1]/a.jpg", "NAT64 of loopback"],
  ["http://168.63.129.16/machine?comp=goalstate", "Azure's settings of its machines"],
  ["http://[::ffff:a83f:8110]/a.jpg", "the same, IPv4-mapped"],
  ["http://100.100.100.200/latest/meta-data/", "Alibaba's metadata"],
  ["http://192.0.0.192/opc/v2/instance/", "Oracle's metadata"],
  ["http://[fd00:ec2::254]/latest/meta-data/", "Amazon's metadata"],
  ["http://[64:ff9b::a9fe:a9fe]/a.jpg", "NAT64 of the metadata address"],
  ["http://[64:ff9b:1::a00:1]/a.jpg", "local-use NAT64"],
  ["http://[2002:7f00:1::]/a.jpg", "6to4 of loopback"],
  ["http://[2002:a00:1::1]/a.jpg", "6to4 of a private address"],
  ["http://[2001:0:7f00:1::]/a.jpg", "Teredo"],
  ["http://[fe80::1]/a.jpg", "IPv6 link-local"],
  ["http://[fc00::1]/a.jpg", "unique local"],
  ["http://[fd00:ec2::254]/latest/meta-data/", "metadata over IPv6"],
  ["http://[fec0::1]/a.jpg", "site-local"],
  ["http://[ff02::1]/a.jpg", "IPv6 multicast"],
  ["http://[2001:db8::1]/a.jpg", "IPv6 documentation"],
  ["http://[3fff::1]/a.jpg", "IPv6 documentation, RFC 9637"],
  ["http://[5f00::1]/a.jpg", "segment routing"],
  ["http://[100::1]/a.jpg", "discard"],
  ["http://[100:0:0:1::1]/a.jpg", "dummy prefix"],
  ["http://[2001:2::1]/a.jpg", "IPv6 benchmarking"],
  ["http://10.0.0.1/a.jpg", "private"],
  ["http://172.16.0.1/a.jpg", "private"],
  ["http://172.31.255.255/a.jpg", "private"],
  ["http://192.168.1.1/a.jpg", "private"],
  ["http://169.254.169.254/latest/meta-data/", "metadata"],
  ["http://0xa9fea9fe/latest/meta-data/", "metadata in hexadecimal"],
  ["http://169.254.170.2/v2/credentials", "container credentials"],
  ["http://100.64.0.1/a.jpg", "carrier-grade NAT"],
  ["http://100.100.100.200/latest/meta-data/", "metadata in carrier-grade NAT"],
  ["http://198.18.0.1/a.jpg", "benchmarking"],
  ["http://192.0.2.1/a.jpg", "documentation"],
  ["http://198.51.100.1/a.jpg", "documentation"],
  ["http://203.0.113.1/a.jpg", "documentation"],
  ["http://192.0.0.192/a.jpg", "protocol assignments"],
  ["http://192.88.99.1/a.jpg", "6to4 relay"],
  ["http://224.0.0.1/a.jpg", "multicast"],
  ["http://240.0.0.1/a.jpg", "reserved"],
  ["http://255.255.255.255/a.jpg", "broadcast"],
  ["http://localhost/a.jpg", "loopback name"],
  ["http://LOCALHOST./a.jpg", "loopback name, other case, final dot"],
  ["http://a.localhost/a.jpg", "below localhost"],
  ["http://printer.local/a.jpg", "multicast DNS"],
  ["http://metadata.google.internal/computeMetadata/v1/", "metadata name"],
  ["http://gateway.default.svc.cluster.local/a.jpg", "cluster name"],
  ["http://gateway.default.svc/a.jpg", "cluster name, short"],
  ["http://router.lan/a.jpg", "home network"],
  ["http://nas.home.arpa/a.jpg", "home network"],
  ["http://tf-serving/a.jpg", "name without a dot"],
  ["http://kubernetes/api", "name without a dot"],
  ["https://example.com:22/a.jpg", "port of SSH"],
  ["http://example.com:6379/a.jpg", "port of Redis"],
  ["http://1.1.1.1:8500/a.jpg", "port of a model server"],
];

/** URLs of which the form itself is wrong. */
const INVALID: readonly [url: string, why: string][] = [
  ["", "empty"],
  ["photo.jpg", "relative"],
  ["//example.com/a.jpg", "without a scheme"],
  ["file:///etc/passwd", "file"],
  ["ftp://example.com/a.jpg", "ftp"],
  ["gopher://example.com:70/_x", "gopher"],
  ["data:image/png;base64,AAAA", "data"],
  ["javascript:alert(1)", "javascript"],
  ["unix:/run/docker.sock", "unix socket"],
  ["http+unix://%2Frun%2Fdocker.sock/images", "unix socket by http"],
  ["http://user:password@example.com/a.jpg", "user and password"],
  ["http://example.com@127.0.0.1/a.jpg", "host in the user's place"],
  ["http://127.0.0.1%2f@example.com/", "user that looks like a host"],
  ["http://[::1%25eth0]/a.jpg", "zone"],
  ["http://exa mple.com/a.jpg", "blank in the host"],
  ["http://256.256.256.256/a.jpg", "no IPv4 address"],
  ["http://1.2.3.4.5/a.jpg", "five parts"],
  ["http:///a.jpg%00", "bytes that make no host"],
  [`http://example.com/${"a".repeat(9000)}`, "too long"],
];

const PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"];

const PASSING = [
  "http://example.com/a.jpg",
  "https://example.com/a.jpg?x=http://127.0.0.1/",
  "https://example.com:8443/a.jpg#fragment",
  "http://8.8.8.8:8080/a.jpg",
  "https://[2606:4700:4700::1111]/a.jpg",
  "https://bücher.example/a.jpg",
  "https://localhost.example.com/a.jpg",
];

const noLookup: LookupAll = () => {
  throw new Error("looked a name up");
};

function answering(addresses: LookupAddress[] | NodeJS.ErrnoException): LookupAll {
  return (_host, _options, callback) => {
    if (Array.isArray(addresses)) callback(null, addresses);
    else callback(addresses, []);
  };
}

function errorOf(run: () => unknown): ServeError {
  try {
    run();
  } catch (error) {
    if (error instanceof ServeError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

const guard = createAddressGuard({ allowedHosts: [], lookup: noLookup });

describe("the URL itself", () => {
  it.each(REFUSED_AT_SIGHT)("%s is refused: %s", (url) => {
    expect(errorOf(() => guard.check(url)).reason).toBe("IMAGE_URL_FORBIDDEN");
  });

  it.each(INVALID)("%s is no picture's address: %s", (url) => {
    expect(errorOf(() => guard.check(url)).reason).toBe("IMAGE_URL_INVALID");
  });

  it.each(PASSING)("%s passes", (url) => {
    expect(guard.check(url).isAllowedHost).toBe(false);
  });

  it("a redirect is read against the URL it came from and checked like any other", () => {
    const { url } = guard.check("https://example.com/a/b.jpg");
    expect(guard.check("../c.jpg", url).url.href).toBe("https://example.com/c.jpg");
    expect(errorOf(() => guard.check("//169.254.169.254/", url)).reason).toBe("IMAGE_URL_FORBIDDEN");
  });

  it("no error names an address", () => {
    for (const [url] of REFUSED_AT_SIGHT) {
      expect(errorOf(() => guard.check(url)).message).not.toMatch(/\d+\.\d+\.\d+|::|local/);
    }
  });
});

describe("the addresses of a name", () => {
  const lookUp = (addresses: LookupAddress[] | NodeJS.ErrnoException, allowed: readonly string[] = []) => {
    const it = createAddressGuard({
      allowedHosts: allowed.map(parseAllowedHost),
      lookup: answering(addresses),
    });
    return promisify(it.lookupFor(it.check("http://photos.example/a.jpg")))("photos.example", { all: true });
  };

  it("public ones are handed to the socket", async () => {
    const addresses = [
      { address: "93.184.216.34", family: 4 },
      { address: "2606:4700:4700::1111", family: 6 },
    ];
    await expect(lookUp(addresses)).resolves.toEqual(addresses);
  });

  it("one that is not public spoils all", async () => {
    const mixed = [
      { address: "93.184.216.34", family: 4 },
      { address: "10.0.0.1", family: 4 },
    ];
    await expect(lookUp(mixed)).rejects.toMatchObject({ reason: "IMAGE_URL_FORBIDDEN" });
  });

  it("an inner name and one that does not exist are refused in the same words", async () => {
    const inner = await lookUp([{ address: "10.0.0.1", family: 4 }]).catch((error: unknown) => error);
    const missing = await lookUp(Object.assign(new Error("ENOTFOUND"), { code: "ENOTFOUND" })).catch(
      (error: unknown) => error,
    );
    expect(inner).toBeInstanceOf(ServeError);
    expect((missing as ServeError).message).toBe((inner as ServeError).message);
    expect((missing as ServeError).reason).toBe((inner as ServeError).reason);
  });

  it("those of an allowed host may be anything", async () => {
    const inner = [{ address: "10.0.0.1", family: 4 }];
    await expect(lookUp(inner, ["photos.example:80"])).resolves.toEqual(inner);
  });
});

describe("the address connected to", () => {
  it.each(PUBLIC)("%s is public", (address) => {
    expect(isPublicAddress(address)).toBe(true);
    expect(() => guard.checkConnected(guard.check("http://example.com/"), address)).not.toThrow();
  });

  it.each(["127.0.0.1", "168.63.129.16", "::1", "::ffff:10.0.0.1", "fe80::1%eth0", "not an address", ""])(
    "%s is not",
    (address) => {
      expect(isPublicAddress(address)).toBe(false);
      expect(errorOf(() => guard.checkConnected(guard.check("http://example.com/"), address)).reason).toBe(
        "IMAGE_URL_FORBIDDEN",
      );
    },
  );

  it("a socket that knows no address is refused", () => {
    expect(errorOf(() => guard.checkConnected(guard.check("http://example.com/"), undefined)).reason).toBe(
      "IMAGE_URL_FORBIDDEN",
    );
  });
});

describe("--allow-image-host", () => {
  it.each([
    ["images.internal", "http://images.internal:9000/a.jpg", true],
    ["images.internal:9000", "http://images.internal:9000/a.jpg", true],
    ["images.internal:9000", "http://images.internal:9001/a.jpg", false],
    ["IMAGES.internal", "http://images.INTERNAL./a.jpg", true],
    ["127.0.0.1:8080", "http://0x7f.1:8080/a.jpg", true],
    ["[::1]:8080", "http://[0:0::1]:8080/a.jpg", true],
    ["images.internal", "http://evil.images.internal/a.jpg", false],
    ["images.internal:443", "https://images.internal/a.jpg", true],
    ["images.internal:443", "http://images.internal/a.jpg", false],
  ])("%s lets %s pass: %s", (host, url, passes) => {
    const open = createAddressGuard({ allowedHosts: [parseAllowedHost(host)], lookup: noLookup });
    if (passes) expect(open.check(url).isAllowedHost).toBe(true);
    else expect(errorOf(() => open.check(url)).reason).toBe("IMAGE_URL_FORBIDDEN");
  });

  it.each(["", "http://a", "a:b", "a:0", "a:70000", "::1", "user@a", "a/b", "a b"])(
    "%j is no host",
    (text) => {
      expect(() => parseAllowedHost(text)).toThrow(/expected HOST, HOST:PORT or \[IPV6\]:PORT/);
    },
  );
});
