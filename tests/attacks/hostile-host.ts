/** A host of pictures that does everything a host should not, by path. */
import { once } from "node:events";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createRawServer, type Socket } from "node:net";
import { gzipSync } from "node:zlib";

export interface HostileHost {
  /** `127.0.0.1:PORT` of the HTTP server. */
  readonly authority: string;
  /** Of the server that speaks no proper HTTP. */
  readonly rawAuthority: string;
  close(): Promise<void>;
}

const MEBIBYTE = 1024 * 1024;
const JPEG = { "content-type": "image/jpeg" };

/** @param photo a good picture. */
export async function startHostileHost(photo: Buffer): Promise<HostileHost> {
  const endless = Buffer.alloc(64 * 1024, 0xff);
  const bomb = gzipSync(Buffer.alloc(64 * MEBIBYTE));
  const answers: Readonly<Record<string, RequestListener>> = {
    "/photo.jpg": (_request, response) => void response.writeHead(200, JPEG).end(photo),
    "/endless": (_request, response) => pour(response.writeHead(200, JPEG), endless),
    "/endless-header-says-small": (_request, response) =>
      void response.writeHead(200, { ...JPEG, "content-length": "100000000000" }).write(photo),
    "/drip": (_request, response) => drip(response.writeHead(200, JPEG), photo),
    "/silent-after-head": (_request, response) => response.writeHead(200, JPEG).flushHeaders(),
    "/never": () => {},
    "/gzip-bomb": (_request, response) =>
      void response.writeHead(200, { ...JPEG, "content-encoding": "gzip" }).end(bomb),
    "/brotli": (_request, response) =>
      void response.writeHead(200, { ...JPEG, "content-encoding": "br" }).end(photo),
    "/empty": (_request, response) => void response.writeHead(200, JPEG).end(),
    "/cut-off": (_request, response) => {
      response.writeHead(200, { ...JPEG, "content-length": String(photo.byteLength) });
      response.write(photo.subarray(0, 200), () => response.destroy());
    },
    "/short": (_request, response) => {
      response.writeHead(200, { ...JPEG, "content-length": String(photo.byteLength + 1000) });
      response.write(photo, () => response.destroy());
    },
    "/page": (_request, response) =>
      void response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>x</title>"),
    "/page-as-jpeg": (_request, response) => void response.writeHead(200, JPEG).end("<!doctype html>"),
    "/svg": (_request, response) =>
      void response
        .writeHead(200, { "content-type": "image/svg+xml" })
        .end('<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
    "/json": (_request, response) =>
      void response.writeHead(200, { "content-type": "application/json" }).end("{}"),
    "/many-cookies": (_request, response) =>
      void response
        .writeHead(200, { ...JPEG, "set-cookie": Array.from({ length: 20 }, (_, i) => `c${i}=1`) })
        .end(photo),
    "/great-head": (_request, response) =>
      void response.writeHead(200, { ...JPEG, "x-great": "x".repeat(200_000) }).end(photo),
    "/partial": (_request, response) => void response.writeHead(206, JPEG).end(photo.subarray(0, 100)),
    "/loop": (_request, response) => void response.writeHead(302, { location: "/loop" }).end(),
    "/redirect-without-location": (_request, response) => void response.writeHead(302).end(),
  };
  const server = createServer((request, response) => {
    response.on("error", () => {});
    const path = request.url ?? "/";
    const target = /^\/to\?(.*)$/.exec(path)?.[1];
    const status = /^\/status\/(\d{3})$/.exec(path)?.[1];
    if (target !== undefined) response.writeHead(302, { location: decodeURIComponent(target) }).end();
    else if (status !== undefined) response.writeHead(Number(status)).end("no");
    else (answers[path] ?? notFound)(request, response);
  });
  const raw = createRawServer((socket) => answerRaw(socket));
  server.listen(0, "127.0.0.1");
  raw.listen(0, "127.0.0.1");
  await Promise.all([once(server, "listening"), once(raw, "listening")]);
  return {
    authority: authorityOf(server.address()),
    rawAuthority: authorityOf(raw.address()),
    async close() {
      server.close();
      server.closeAllConnections();
      raw.close();
      await once(server, "close");
    },
  };
}

function notFound(_request: unknown, response: ServerResponse): void {
  response.writeHead(404).end();
}

function authorityOf(address: ReturnType<ReturnType<typeof createRawServer>["address"]>): string {
  if (address === null || typeof address === "string") throw new Error("no port");
  return `127.0.0.1:${address.port}`;
}

/** As fast as it is read, without end. */
function pour(response: ServerResponse, chunk: Buffer): void {
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on("drain", more);
  more();
}

/** A byte at a time, often enough that no time-out of silence sees it. */
function drip(response: ServerResponse, bytes: Buffer): void {
  let at = 0;
  const timer = setInterval(() => {
    if (response.destroyed || at === bytes.byteLength) clearInterval(timer);
    else response.write(bytes.subarray(at, ++at));
  }, 100);
  response.on("close", () => clearInterval(timer));
}

/** What is said depends on the path asked for. */
function answerRaw(socket: Socket): void {
  socket.on("error", () => {});
  socket.once("data", (head) => {
    const path = /^GET (\S+)/.exec(head.toString("latin1"))?.[1];
    if (path === "/not-http") socket.end("220 mail.example ESMTP\r\n");
    else if (path === "/bad-chunks")
      socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZZ\r\nno\r\n");
    else if (path === "/two-lengths")
      socket.end("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!");
    else if (path === "/other-protocol")
      socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n");
    else if (path === "/endless-head") {
      socket.write("HTTP/1.1 200 OK\r\n");
      const more = (): void => {
        while (!socket.destroyed && socket.write(`x-more: ${"y".repeat(1000)}\r\n`));
      };
      socket.on("drain", more);
      more();
    } else socket.destroy();
  });
}
