/** What strangers send, and what they must be told. Each case is one request to a whole gateway. */
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { json } from "node:stream/consumers";
import { crc32, deflateSync } from "node:zlib";

/** Where the attack goes. */
export interface Target {
  /** Of the gateway. */
  readonly url: string;
  /** `127.0.0.1:PORT` of the hostile host, which the gateway may fetch from, and of its sister without HTTP. */
  readonly host: string;
  readonly rawHost: string;
  /** A good photo. */
  readonly photo: Buffer;
  /** The gateway's limits. */
  readonly maxImageBytes: number;
}

export interface Attack {
  readonly name: string;
  /** Reason of the refusal, or `OK` where the bad part is harmless and the picture is good; of several, any. */
  readonly expected: readonly string[];
  /** @returns the reason given. */
  send(target: Target): Promise<string>;
}

async function reasonOf(response: Response): Promise<string> {
  const body: unknown = await response.json();
  if (response.ok) return "OK";
  const isProblem = typeof body === "object" && body !== null && "reason" in body;
  if (!isProblem) throw new Error(`HTTP ${response.status} without a reason`);
  return String(body.reason);
}

const post = (target: Target, body: string | Buffer | FormData, type?: string) =>
  fetch(`${target.url}/predict`, {
    method: "POST",
    body: Buffer.isBuffer(body) ? new Uint8Array(body) : body,
    headers: type === undefined ? {} : { "content-type": type },
  }).then(reasonOf);

const byUrl = (target: Target, url: unknown) => post(target, JSON.stringify({ url }), "application/json");

/** What `GET /picture` says to the same address. */
const shown = async (target: Target, url: string) => {
  const response = await fetch(`${target.url}/picture?url=${encodeURIComponent(url)}`);
  if (response.status !== 200) return reasonOf(response);
  const isOurs = response.headers.get("content-type") === "image/jpeg";
  await response.arrayBuffer();
  return isOurs ? "OK" : `a ${response.headers.get("content-type")}`;
};

/** One address by both ways in that take one. */
const bothWays = (name: string, expected: readonly string[], urlOf: (target: Target) => string): Attack[] => [
  { name, expected, send: (target) => byUrl(target, urlOf(target)) },
  { name: `/picture: ${name}`, expected, send: (target) => shown(target, urlOf(target)) },
];

const refusedUrl = (url: string, ...expected: string[]): Attack[] =>
  bothWays(`url ${url.length > 80 ? `${url.slice(0, 77)}...` : url}`, expected, () => url);

const INVALID = "IMAGE_URL_INVALID";
const FORBIDDEN = "IMAGE_URL_FORBIDDEN";

const URLS: Attack[] = [
  ...[
    "",
    " ",
    "photo.jpg",
    "//example.com/a.jpg",
    "http://",
    "http:///a.jpg",
    "http://[::1",
    "http://exa mple.com/",
    "file:///etc/passwd",
    "ftp://example.com/a.jpg",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "data:image/png;base64,iVBORw0KGgo=",
    "javascript:alert(1)",
    "ws://example.com/",
    "unix:/var/run/docker.sock",
    "http://user:secret@example.com/a.jpg",
    "http://example.com@127.0.0.1/",
  ].flatMap((url) => refusedUrl(url, INVALID, FORBIDDEN)),
  ...[
    "http://127.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://127.0.0.1./",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://%31%32%37.0.0.1/",
    "http://0.0.0.0/",
    "http://0/",
    "http://10.0.0.1/",
    "http://100.64.0.1/",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/machine?comp=goalstate",
    "http://[::ffff:168.63.129.16]/",
    "http://[64:ff9b::a83f:8110]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/v2/credentials",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.0.0.192/",
    "http://192.0.2.1/",
    "http://192.168.1.1/",
    "http://198.18.0.1/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001::1]/",
    "http://[100::1]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fd20:ce::254]/",
    "http://[fe80::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://a.localhost/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://kubernetes.default.svc/",
    "http://printer.local/",
    "http://8.8.8.8:22/",
    "http://8.8.8.8:6379/",
    "http://8.8.8.8:0/",
    "https://8.8.8.8:8500/",
  ].flatMap((url) => refusedUrl(url, FORBIDDEN, INVALID)),
  ...[null, 7, ["http://example.com/"], { href: "x" }, true].map(
    (url): Attack => ({
      name: `url of another type: ${JSON.stringify(url)}`,
      expected: ["BODY_INVALID"],
      send: (target) => byUrl(target, url),
    }),
  ),
  // As a query it is longer than any head may be.
  ...refusedUrl(
    `http://example.com/${"a".repeat(60_000)}`,
    INVALID,
    FORBIDDEN,
    "IMAGE_URL_FAILED",
    "BODY_INVALID",
  ),
  ...refusedUrl(`http://example.com/${"a".repeat(10_000)}`, INVALID, FORBIDDEN),
  ...refusedUrl(`http://example.com/${"a".repeat(200_000)}`, "BODY_INVALID"),
];

const REDIRECTS: Attack[] = [
  ["http://127.0.0.1:1/", FORBIDDEN],
  ["http://169.254.169.254/latest/meta-data/", FORBIDDEN],
  ["http://[::ffff:169.254.169.254]/", FORBIDDEN],
  ["http://2852039166/", FORBIDDEN],
  ["http://localhost/", FORBIDDEN],
  ["//10.0.0.1/", FORBIDDEN],
  ["file:///etc/passwd", INVALID],
  ["data:image/png;base64,iVBORw0KGgo=", INVALID],
  ["http://user:secret@example.com/", INVALID],
  ["http://", INVALID],
].flatMap(([to = "", expected = ""]) =>
  bothWays(`redirect to ${to}`, [expected], ({ host }) => `http://${host}/to?${encodeURIComponent(to)}`),
);

const fromHost = (path: string, ...expected: string[]): Attack[] =>
  bothWays(`host: ${path.slice(1)}`, expected, ({ host }) => `http://${host}${path}`);

const HOSTS: Attack[] = [
  ...fromHost("/endless", "IMAGE_TOO_LARGE"),
  ...fromHost("/endless-header-says-small", "IMAGE_TOO_LARGE"),
  ...fromHost("/drip", "IMAGE_URL_TIMEOUT"),
  ...fromHost("/silent-after-head", "IMAGE_URL_TIMEOUT"),
  ...fromHost("/never", "IMAGE_URL_TIMEOUT"),
  ...fromHost("/gzip-bomb", "IMAGE_URL_FAILED"),
  ...fromHost("/brotli", "IMAGE_URL_FAILED"),
  ...fromHost("/empty", "IMAGE_URL_FAILED"),
  ...fromHost("/cut-off", "IMAGE_URL_FAILED"),
  ...fromHost("/short", "IMAGE_URL_FAILED"),
  ...fromHost("/page", "IMAGE_TYPE_UNSUPPORTED"),
  ...fromHost("/page-as-jpeg", "IMAGE_TYPE_UNSUPPORTED"),
  ...fromHost("/svg", "IMAGE_TYPE_UNSUPPORTED"),
  ...fromHost("/json", "IMAGE_TYPE_UNSUPPORTED"),
  ...fromHost("/many-cookies", "OK"),
  ...fromHost("/great-head", "IMAGE_URL_FAILED"),
  ...fromHost("/partial", "IMAGE_URL_FAILED"),
  ...fromHost("/loop", "IMAGE_URL_FAILED"),
  ...fromHost("/redirect-without-location", "IMAGE_URL_FAILED"),
  ...[204, 304, 401, 404, 418, 500, 503].flatMap((status) =>
    fromHost(`/status/${status}`, "IMAGE_URL_FAILED"),
  ),
  ...["/not-http", "/bad-chunks", "/two-lengths", "/other-protocol", "/endless-head", "/hang-up"].flatMap(
    (path) =>
      bothWays(
        `host without HTTP: ${path.slice(1)}`,
        ["IMAGE_URL_FAILED"],
        ({ rawHost }) => `http://${rawHost}${path}`,
      ),
  ),
];

/** One chunk of a PNG. */
function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.byteLength);
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, crc]);
}

/** @param extra chunks before the pixels. */
function png(width: number, height: number, pixels: Buffer, extra: readonly Buffer[] = []): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    pngChunk("IHDR", header),
    ...extra,
    pngChunk("IDAT", pixels),
    pngChunk("IEND", Buffer.alloc(0)),
  ]);
}

/** The photo with another size in its header (start of frame: FFC0, FFC1 or FFC2). */
function jpegOfSize(photo: Buffer, width: number, height: number): Buffer {
  const changed = Buffer.from(photo);
  for (let at = 2; at + 9 < changed.byteLength; at += 2 + changed.readUInt16BE(at + 2)) {
    const marker = changed[at + 1] ?? 0;
    if (marker < 0xc0 || marker > 0xc2) continue;
    changed.writeUInt16BE(height, at + 5);
    changed.writeUInt16BE(width, at + 7);
    return changed;
  }
  throw new Error("no start of frame");
}

/** The photo with segments of the marker put in after its start. */
function jpegWithSegment(photo: Buffer, marker: number, data: Buffer): Buffer {
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(data.byteLength + 2, 2);
  return Buffer.concat([photo.subarray(0, 2), head, data, photo.subarray(2)]);
}

/** Leaves a picture as a correction. */
const give = (target: Target, picture: Buffer) => {
  const form = new FormData();
  form.append("label", "pants");
  form.append("consent", "yes");
  form.append("file", new Blob([new Uint8Array(picture)]), "../../../etc/passwd");
  return fetch(`${target.url}/feedback`, { method: "POST", body: form }).then(reasonOf);
};

/** One picture by both ways in that take its bytes. */
const upload = (
  name: string,
  make: (target: Target) => Buffer,
  expected: readonly string[],
  type = "image/jpeg",
): Attack[] => [
  { name: `picture: ${name}`, expected, send: (target) => post(target, make(target), type) },
  { name: `/feedback: ${name}`, expected, send: (target) => give(target, make(target)) },
];

const UNSUPPORTED = "IMAGE_TYPE_UNSUPPORTED";
const UNDECODABLE = "IMAGE_UNDECODABLE";
const TOO_MANY_PIXELS = "IMAGE_TOO_MANY_PIXELS";

const gifHeader = (width: number, height: number) => {
  const head = Buffer.from("GIF89a\0\0\0\0\x80\0\0\0\0\0\xff\xff\xff", "latin1");
  head.writeUInt16LE(width, 6);
  head.writeUInt16LE(height, 8);
  return head;
};

/** As long as a picture may be: a head, and one part again and again. */
function filled(bytes: number, head: string, part: string): Buffer {
  const start = Buffer.from(head, "latin1");
  return Buffer.concat([start, Buffer.alloc(bytes - start.byteLength, part, "latin1")]);
}

const PICTURES: Attack[] = [
  ...upload("no bytes", () => Buffer.alloc(0), [UNDECODABLE]),
  ...upload("one byte", () => Buffer.from([0xff]), [UNSUPPORTED]),
  ...upload("zeros", () => Buffer.alloc(100_000), [UNSUPPORTED]),
  ...upload("text", () => Buffer.from("hello"), [UNSUPPORTED]),
  ...upload("a PDF", () => Buffer.from("%PDF-1.7\n"), [UNSUPPORTED]),
  ...upload("a ZIP", () => Buffer.from("PK\x03\x04aaaaaaaaaaaaaaaaaaaa"), [UNSUPPORTED]),
  ...upload("an ELF", () => Buffer.from("\x7fELF\x02\x01\x01"), [UNSUPPORTED]),
  ...upload(
    "an SVG with an entity",
    () =>
      Buffer.from(
        '<?xml version="1.0"?><!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
      ),
    [UNSUPPORTED],
    "image/svg+xml",
  ),
  ...upload(
    "a HEIC",
    () => Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic", "latin1"),
    [UNSUPPORTED],
    "image/heic",
  ),
  ...upload("larger than the limit", ({ maxImageBytes }) => Buffer.alloc(maxImageBytes + 1, 1), [
    "IMAGE_TOO_LARGE",
  ]),
  ...upload("PNG header of 50,000 x 50,000", () => png(50_000, 50_000, deflateSync(Buffer.alloc(1000))), [
    TOO_MANY_PIXELS,
  ]),
  ...upload("PNG header of 2^31 x 2^31", () => png(0x80000000, 0x80000000, deflateSync(Buffer.alloc(10))), [
    TOO_MANY_PIXELS,
    UNDECODABLE,
  ]),
  ...upload("PNG of 0 x 0", () => png(0, 0, deflateSync(Buffer.alloc(10))), [UNDECODABLE]),
  ...upload(
    "PNG bomb: 7,000 x 7,000 in 150 KB",
    () => png(7000, 7000, deflateSync(Buffer.alloc(7000 * 21_001))),
    ["OK"],
  ),
  ...upload("PNG whose pixels inflate to 200 MB", () => png(10, 10, deflateSync(Buffer.alloc(200_000_000))), [
    "OK",
    UNDECODABLE,
  ]),
  ...upload(
    "PNG with an iCCP bomb",
    () =>
      png(1, 1, deflateSync(Buffer.alloc(4)), [
        pngChunk("iCCP", Buffer.concat([Buffer.from("x\0\0"), deflateSync(Buffer.alloc(100_000_000))])),
      ]),
    ["OK", UNDECODABLE],
  ),
  ...upload(
    "PNG with a zTXt bomb",
    () =>
      png(1, 1, deflateSync(Buffer.alloc(4)), [
        pngChunk("zTXt", Buffer.concat([Buffer.from("x\0\0"), deflateSync(Buffer.alloc(100_000_000))])),
      ]),
    ["OK", UNDECODABLE],
  ),
  ...upload(
    "PNG of texts that grow a thousandfold each",
    ({ maxImageBytes }) => {
      const text = pngChunk(
        "zTXt",
        Buffer.concat([Buffer.from("x\0\0"), deflateSync(Buffer.alloc(1_000_000))]),
      );
      const count = Math.floor((maxImageBytes - 1000) / text.byteLength);
      return png(
        1,
        1,
        deflateSync(Buffer.alloc(4)),
        Array.from({ length: count }, () => text),
      );
    },
    ["OK", UNDECODABLE],
  ),
  ...upload("PNG without pixels", () => png(100, 100, Buffer.alloc(0)), [UNDECODABLE]),
  ...upload("JPEG header of 65,000 x 65,000", ({ photo }) => jpegOfSize(photo, 65_000, 65_000), [
    TOO_MANY_PIXELS,
  ]),
  ...upload("JPEG header of 7,000 x 7,000 over a small photo", ({ photo }) => jpegOfSize(photo, 7000, 7000), [
    "OK",
    UNDECODABLE,
  ]),
  ...upload("JPEG of 0 x 0", ({ photo }) => jpegOfSize(photo, 0, 0), [UNDECODABLE]),
  ...upload("JPEG cut in the middle", ({ photo }) => photo.subarray(0, photo.byteLength >> 1), [UNDECODABLE]),
  ...upload("JPEG cut after its start", ({ photo }) => photo.subarray(0, 3), [UNDECODABLE]),
  ...upload(
    "JPEG with an EXIF loop",
    ({ photo }) =>
      jpegWithSegment(
        photo,
        0xe1,
        Buffer.from("Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\x08\0\0\0", "latin1"),
      ),
    ["OK"],
  ),
  ...upload(
    "JPEG with EXIF of noise",
    ({ photo }) =>
      jpegWithSegment(photo, 0xe1, Buffer.concat([Buffer.from("Exif\0\0"), Buffer.alloc(60_000, 0xa5)])),
    ["OK"],
  ),
  ...upload(
    "JPEG with a segment longer than the file",
    ({ photo }) =>
      Buffer.concat([photo.subarray(0, 2), Buffer.from([0xff, 0xe2, 0xff, 0xff]), photo.subarray(2, 300)]),
    [UNDECODABLE],
  ),
  ...upload(
    "JPEG with 20,000 empty segments",
    ({ photo }) =>
      Buffer.concat([
        photo.subarray(0, 2),
        Buffer.concat(Array.from({ length: 20_000 }, () => Buffer.from([0xff, 0xfe, 0, 2]))),
        photo.subarray(2),
      ]),
    ["OK"],
  ),
  ...upload(
    "JPEG of empty segments",
    ({ maxImageBytes }) => filled(maxImageBytes, "\xff\xd8", "\xff\xe1\0\x0aExif\0\0II"),
    [UNDECODABLE],
  ),
  ...upload("JPEG followed by a ZIP", ({ photo }) => Buffer.concat([photo, Buffer.from("PK\x03\x04")]), [
    "OK",
  ]),
  ...upload("PNG called image/jpeg", () => png(8, 8, deflateSync(Buffer.alloc(8 * 25))), ["OK"]),
  ...upload(
    "GIF canvas of 65,535 x 65,535",
    () => Buffer.concat([gifHeader(65_535, 65_535), Buffer.from([0x3b])]),
    [TOO_MANY_PIXELS, UNDECODABLE],
  ),
  ...upload("GIF without a frame", () => Buffer.concat([gifHeader(10, 10), Buffer.from([0x3b])]), [
    UNDECODABLE,
  ]),
  ...upload(
    "GIF frame far outside its canvas",
    () =>
      Buffer.concat([
        gifHeader(10, 10),
        Buffer.from([0x2c, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 2, 2, 0x44, 1, 0, 0x3b]),
      ]),
    [TOO_MANY_PIXELS, UNDECODABLE],
  ),
  ...upload(
    "WebP header alone",
    () => Buffer.from("RIFF\x20\0\0\0WEBPVP8L\x10\0\0\0\x2f\xff\xff\xff\x0f", "latin1"),
    [UNDECODABLE, TOO_MANY_PIXELS],
  ),
  ...upload(
    "WebP of empty chunks",
    ({ maxImageBytes }) => {
      const head = "RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0";
      const file = filled(maxImageBytes, head, "JUNK\0\0\0\0");
      file.writeUInt32LE(maxImageBytes - 8, 4);
      return file;
    },
    [UNDECODABLE],
  ),
  ...upload(
    "AVIF of empty boxes",
    ({ maxImageBytes }) => filled(maxImageBytes, "\0\0\0\x10ftypavif\0\0\0\0", "\0\0\0\x08free"),
    [UNDECODABLE],
  ),
  ...upload(
    "WebP whose size says 4 GB",
    () => Buffer.from("RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff", "latin1"),
    [UNDECODABLE],
  ),
];

const boundary = "x-boundary";
const multipart = (...parts: string[]) =>
  `${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join("")}--${boundary}--\r\n`;
const FORM = `multipart/form-data; boundary=${boundary}`;

const body = (
  name: string,
  text: (target: Target) => string,
  type: string | undefined,
  ...expected: string[]
): Attack => ({
  name: `body: ${name}`,
  expected,
  send: (target) => post(target, text(target), type),
});

const BODIES: Attack[] = [
  body("not JSON", () => "{", "application/json", "BODY_INVALID"),
  body("JSON 50,000 deep", () => "[".repeat(50_000), "application/json", "BODY_INVALID"),
  body(
    "JSON with __proto__",
    () => '{"__proto__": {"url": "http://127.0.0.1/"}}',
    "application/json",
    "BODY_INVALID",
  ),
  body(
    "1,000 urls",
    () => JSON.stringify({ urls: Array.from({ length: 1000 }, () => "http://example.com/") }),
    "application/json",
    "TOO_MANY_IMAGES",
  ),
  body("no urls", () => '{"urls": []}', "application/json", "BODY_INVALID"),
  body("a form without boundary", () => "x", "multipart/form-data", "BODY_INVALID"),
  body(
    "a form that never ends",
    () => `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nabc`,
    FORM,
    "BODY_INVALID",
  ),
  body("a form without parts", () => `--${boundary}--\r\n`, FORM, "BODY_INVALID"),
  body(
    "a form of 10,000 fields",
    () =>
      multipart(
        ...Array.from(
          { length: 10_000 },
          (_, index) => `content-disposition: form-data; name="f${index}"\r\n\r\nx`,
        ),
      ),
    FORM,
    "BODY_INVALID",
  ),
  body(
    "a form with a great field",
    () => multipart(`content-disposition: form-data; name="note"\r\n\r\n${"x".repeat(1_000_000)}`),
    FORM,
    "BODY_INVALID",
  ),
  body(
    "a form part with a great head",
    () =>
      multipart(`content-disposition: form-data; name="file"; filename="${"a".repeat(100_000)}"\r\n\r\nx`),
    FORM,
    "BODY_INVALID",
    UNSUPPORTED,
  ),
  body(
    "a file name that climbs",
    () => multipart('content-disposition: form-data; name="file"; filename="../../../etc/passwd"\r\n\r\nx'),
    FORM,
    UNSUPPORTED,
  ),
  body(
    "50 files",
    () =>
      multipart(
        ...Array.from(
          { length: 50 },
          () => 'content-disposition: form-data; name="file"; filename="a.jpg"\r\n\r\nx',
        ),
      ),
    FORM,
    "TOO_MANY_IMAGES",
  ),
  body("another content-type", () => "x", "text/plain", "BODY_UNSUPPORTED"),
  body("a content-type of 10,000 characters", () => "x", `image/${"a".repeat(10_000)}`, UNSUPPORTED),
  {
    name: "body: chunks without end",
    expected: ["IMAGE_TOO_LARGE"],
    send: ({ url }) => sendEndless(url),
  },
  {
    name: "body: promised and never sent",
    expected: ["BODY_INVALID"],
    send: ({ url }) =>
      sendRaw(
        url,
        "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: image/jpeg\r\ncontent-length: 1000\r\n\r\nabc",
      ),
  },
  {
    name: "head: a line without end",
    expected: ["BODY_INVALID", "ECONNRESET"],
    send: ({ url }) => sendRaw(url, `GET /${"a".repeat(100_000)} HTTP/1.1\r\n`),
  },
  {
    name: "head: two lengths (request smuggling)",
    expected: ["BODY_INVALID"],
    send: ({ url }) =>
      sendRaw(
        url,
        "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      ),
  },
  {
    name: "head: not HTTP",
    expected: ["BODY_INVALID"],
    send: ({ url }) => sendRaw(url, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
  },
];

/** Sends the bytes and reads what comes until the gateway hangs up. */
async function sendRaw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  socket.write(bytes, "latin1");
  let text = "";
  try {
    for await (const chunk of socket) text += String(chunk);
  } catch (error) {
    // Bytes that the gateway did not read make the kernel reset the connection, at times before the answer is read.
    if (text === "") return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
  return /"reason":"(\w+)"/.exec(text)?.[1] ?? `no reason in ${JSON.stringify(text.slice(0, 100))}`;
}

/** Sends until there is an answer, as a client that does not heed it would. */
async function sendEndless(url: string): Promise<string> {
  const chunk = Buffer.alloc(64 * 1024);
  const outgoing = request(`${url}/predict`, { method: "POST", headers: { "content-type": "image/jpeg" } });
  outgoing.on("error", () => {});
  const more = (): void => {
    while (outgoing.writable && outgoing.write(chunk));
  };
  outgoing.on("drain", more);
  more();
  const [response] = await once(outgoing, "response");
  const body = await json(response);
  outgoing.destroy();
  return typeof body === "object" && body !== null && "reason" in body ? String(body.reason) : "no reason";
}

const correction = (
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
) => {
  return async (target: Target) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    form.append("file", new Blob([new Uint8Array(target.photo)]), "a.jpg");
    return reasonOf(await fetch(`${target.url}/feedback`, { method: "POST", body: form, headers }));
  };
};

const CORRECTIONS: Attack[] = [
  ...["../../up", "..", "/etc", "pants/../hat", "pants\0", "PANTS", "", "a".repeat(10_000)].map(
    (label): Attack => ({
      name: `correction under the label ${label.slice(0, 20)}`,
      expected: ["FEEDBACK_LABEL_UNKNOWN"],
      send: correction({ label, consent: "yes" }),
    }),
  ),
  ...["", "no", "true", "YES"].map(
    (consent): Attack => ({
      name: `correction with consent=${consent}`,
      expected: ["FEEDBACK_CONSENT_MISSING"],
      send: correction({ label: "pants", consent }),
    }),
  ),
  {
    name: "correction from another site's page",
    expected: ["FEEDBACK_ORIGIN_FORBIDDEN"],
    send: correction({ label: "pants", consent: "yes" }, { "sec-fetch-site": "cross-site" }),
  },
  ...["..%2f..%2fetc%2fpasswd", ".feedback-x.json", "%00", "A".repeat(22)].map(
    (id): Attack => ({
      name: `correction taken back by the id ${id}`,
      expected: ["FEEDBACK_NOT_FOUND"],
      send: async ({ url }) => reasonOf(await fetch(`${url}/feedback/${id}`, { method: "DELETE" })),
    }),
  ),
];

export const ATTACKS: readonly Attack[] = [
  ...URLS,
  ...REDIRECTS,
  ...HOSTS,
  ...PICTURES,
  ...BODIES,
  ...CORRECTIONS,
];
