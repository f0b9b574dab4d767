import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createTcpServer, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { ServeError } from "@vitrine/protocol/status";
import { afterEach, describe, expect, it } from "vitest";
import { createAddressGuard, type LookupAll, parseAllowedHost } from "./address-guard.js";
import { createImageSource, type ImageSource, type ImageSourceOptions } from "./image-source.js";
import { type HttpHost, startHttpHost } from "./testing/http-host.js";

const PICTURE = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 1, 2, 3, 4]);

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function host(answers: Readonly<Record<string, Answer>>): Promise<HttpHost> {
  const started = await startHttpHost((request, response) => {
    const answer = answers[request.url ?? ""];
    if (answer === undefined) response.writeHead(404).end();
    else answer(request, response);
  });
  closers.push(started.close);
  return started;
}

function source(
  allowed: readonly string[],
  options: Partial<ImageSourceOptions> & { lookup?: LookupAll } = {},
): ImageSource {
  const made = createImageSource({
    guard: createAddressGuard({
      allowedHosts: allowed.map(parseAllowedHost),
      ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
    }),
    maxBytes: 1000,
    timeoutMs: 5000,
    idleTimeoutMs: 5000,
    maxRedirects: 3,
    userAgent: "test",
    ...options,
  });
  closers.push(() => made.close());
  return made;
}

async function failure(promise: Promise<unknown>): Promise<ServeError> {
  const error = await promise.then(
    () => new Error("was answered"),
    (reason: unknown) => reason,
  );
  if (error instanceof ServeError) return error;
  throw error;
}

const never = new AbortController().signal;

const picture: Answer = (_request, response) =>
  response.writeHead(200, { "content-type": "image/jpeg" }).end(PICTURE);
const redirect =
  (location: string, status = 302): Answer =>
  (_request, response) =>
    response.writeHead(status, { location }).end("moved");

describe("a picture behind a URL", () => {
  it("comes as the bytes that the host sent, and is counted", async () => {
    const { authority, url } = await host({ "/a.jpg": picture });
    const held: number[] = [];
    const { bytes } = await source([authority]).fetchImage(url("/a.jpg"), never, {
      hold: (count) => held.push(count),
    });
    expect(Buffer.from(bytes ?? [])).toEqual(PICTURE);
    expect(held).toEqual([PICTURE.byteLength]);
  });

  it("is asked for without cookies, credentials, referrer or compression", async () => {
    let headers: IncomingMessage["headers"] = {};
    const { authority, url } = await host({
      "/first": (_request, response) =>
        response.writeHead(302, { location: "/a.jpg", "set-cookie": "session=1" }).end(),
      "/a.jpg": (request, response) => {
        headers = request.headers;
        picture(request, response);
      },
    });
    await source([authority]).fetchImage(url("/first"), never);
    expect(headers).toEqual({
      accept: "image/jpeg, image/png, image/webp, image/gif, */*;q=0.1",
      "accept-encoding": "identity",
      connection: "keep-alive",
      host: authority,
      "user-agent": "test",
    });
  });

  it("connections are used again, and one that the host closed meanwhile is replaced", async () => {
    const sockets = new Set<unknown>();
    let closeNext = false;
    const { authority, url } = await host({
      "/a.jpg": (request, response) => {
        sockets.add(request.socket);
        if (closeNext) {
          closeNext = false;
          request.socket.resetAndDestroy();
        } else picture(request, response);
      },
    });
    const images = source([authority]);
    await images.fetchImage(url("/a.jpg"), never);
    await images.fetchImage(url("/a.jpg"), never);
    expect(sockets.size).toBe(1);
    closeNext = true;
    expect((await images.fetchImage(url("/a.jpg"), never)).bytes).toEqual(PICTURE);
    expect(sockets.size).toBe(2);
  });
});

describe("redirects", () => {
  it.each([301, 302, 303, 307, 308])("%i is followed", async (status) => {
    const { authority, url } = await host({ "/a": redirect("/b", status), "/b": picture });
    expect((await source([authority]).fetchImage(url("/a"), never)).bytes).toEqual(PICTURE);
  });

  it("three are followed, the fourth is not", async () => {
    const { authority, url } = await host({
      "/4": redirect("/3"),
      "/3": redirect("/2"),
      "/2": redirect("/1"),
      "/1": picture,
    });
    await source([authority]).fetchImage(url("/4"), never);
    const error = await failure(source([authority], { maxRedirects: 2 }).fetchImage(url("/4"), never));
    expect(error).toMatchObject({ reason: "IMAGE_URL_FAILED" });
  });

  it.each([
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/",
    "//127.0.0.1/",
    "http://metadata.google.internal/",
    "http://localhost:6379/",
  ])("one to %s is refused", async (location) => {
    const { authority, url } = await host({ "/a": redirect(location) });
    const error = await failure(source([authority]).fetchImage(url("/a"), never));
    expect(error).toMatchObject({ reason: "IMAGE_URL_FORBIDDEN", code: "INVALID_ARGUMENT" });
  });

  it("one from an allowed host to another port of the same machine is refused, and nothing connects there", async () => {
    let reached = false;
    const inner = await host({
      "/secret": (request, response) => {
        reached = true;
        picture(request, response);
      },
    });
    const outer = await host({ "/a": redirect(inner.url("/secret")) });
    const error = await failure(source([outer.authority]).fetchImage(outer.url("/a"), never));
    expect(error.reason).toBe("IMAGE_URL_FORBIDDEN");
    expect(reached).toBe(false);
  });

  it("one to a file is refused", async () => {
    const { authority, url } = await host({ "/a": redirect("file:///etc/passwd") });
    expect((await failure(source([authority]).fetchImage(url("/a"), never))).reason).toBe(
      "IMAGE_URL_INVALID",
    );
  });
});

describe("names", () => {
  it.each(["http", "https"])(
    "one whose address is public when checked and inner when connected to (DNS rebinding) is not asked by %s",
    async (scheme) => {
      let received = "";
      const server = createTcpServer((socket) => {
        socket.setEncoding("latin1").on("data", (text) => {
          received += text;
        });
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      closers.push(() => void server.close());
      const connected = once(server, "connection");
      const { port } = server.address() as { port: number };
      const honest = createAddressGuard({ allowedHosts: [] });
      const made = source([], {
        guard: {
          check: (text) => ({ url: new URL(text), isAllowedHost: false }),
          lookupFor: () => (_host, _options, callback) =>
            callback(null, [{ address: "127.0.0.1", family: 4 }]),
          checkConnected: honest.checkConnected,
        },
      });
      const error = await failure(made.fetchImage(`${scheme}://rebind.example:${port}/secret.jpg`, never));
      expect(error.reason).toBe("IMAGE_URL_FORBIDDEN");
      const [socket] = await connected;
      if (!socket.closed) await once(socket, "close");
      // By https at most the greeting of TLS has left, by http not a byte.
      expect(received).not.toContain("secret");
      if (scheme === "http") expect(received).toBe("");
    },
  );

  it("the name is looked up once for a connection, and the socket goes to that very address", async () => {
    const { port } = await host({ "/a.jpg": picture });
    let questions = 0;
    const lookup: LookupAll = (_host, _options, callback) => {
      questions += 1;
      callback(null, [{ address: "127.0.0.1", family: 4 }]);
    };
    const images = source(["photos.example"], { lookup });
    await images.fetchImage(`http://photos.example:${port}/a.jpg`, never);
    expect(questions).toBe(1);
  });

  it("one that does not exist and one that lies inside are told in the same words", async () => {
    const missing: LookupAll = (_host, _options, callback) =>
      callback(Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" }), []);
    const inside: LookupAll = (_host, _options, callback) =>
      callback(null, [{ address: "10.1.2.3", family: 4 }]);
    const errors = await Promise.all(
      [missing, inside].map((lookup) =>
        failure(source([], { lookup }).fetchImage("http://db.example.com/", never)),
      ),
    );
    expect(errors[0]?.message).toBe(errors[1]?.message);
    expect(errors[0]?.reason).toBe("IMAGE_URL_FORBIDDEN");
  });
});

describe("limits", () => {
  it("a content-length above the limit is refused before the body", async () => {
    const { authority, url } = await host({
      "/a.jpg": (_request, response) => {
        response.writeHead(200, { "content-length": "1001" }).flushHeaders();
      },
    });
    expect((await failure(source([authority]).fetchImage(url("/a.jpg"), never))).reason).toBe(
      "IMAGE_TOO_LARGE",
    );
  });

  it("an endless body is cut off at the limit", async () => {
    let isClosed: () => void = () => {};
    const whenClosed = new Promise<void>((resolve) => {
      isClosed = resolve;
    });
    const { authority, url } = await host({
      "/a.jpg": (_request, response) => {
        response.writeHead(200);
        const chunk = Buffer.alloc(300, 0xff);
        const more = () => {
          while (!response.destroyed && response.write(chunk));
        };
        response.on("drain", more).on("close", () => isClosed());
        more();
      },
    });
    expect((await failure(source([authority]).fetchImage(url("/a.jpg"), never))).reason).toBe(
      "IMAGE_TOO_LARGE",
    );
    await whenClosed;
  });

  it("exactly as many bytes as the limit are taken", async () => {
    const { authority, url } = await host({
      "/a.jpg": (_request, response) => response.end(Buffer.alloc(1000, 1)),
    });
    expect((await source([authority]).fetchImage(url("/a.jpg"), never)).bytes).toHaveLength(1000);
  });

  it("a compressed body is refused, however small", async () => {
    const { authority, url } = await host({
      "/a.jpg": (_request, response) =>
        response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(Buffer.alloc(900))),
    });
    expect((await failure(source([authority]).fetchImage(url("/a.jpg"), never))).reason).toBe(
      "IMAGE_URL_FAILED",
    );
  });

  it("a host that drips is cut off when the time for the picture is up", async () => {
    const { authority, url } = await host({
      "/a.jpg": (_request, response) => {
        response.writeHead(200).write("x");
        const drip = setInterval(() => response.write("x"), 20);
        response.on("close", () => clearInterval(drip));
      },
    });
    const images = source([authority], { timeoutMs: 200, idleTimeoutMs: 1000 });
    expect((await failure(images.fetchImage(url("/a.jpg"), never))).reason).toBe("IMAGE_URL_TIMEOUT");
  });

  it("a host that falls silent is cut off sooner", async () => {
    const { authority, url } = await host({
      "/head": () => {},
      "/body": (_request, response) => void response.writeHead(200).write("x"),
    });
    const images = source([authority], { timeoutMs: 60_000, idleTimeoutMs: 100 });
    for (const path of ["/head", "/body"]) {
      expect((await failure(images.fetchImage(url(path), never))).reason).toBe("IMAGE_URL_TIMEOUT");
    }
  });

  it("the caller's deadline ends the fetch with its own reason", async () => {
    const { authority, url } = await host({ "/a.jpg": () => {} });
    const caller = new AbortController();
    const fetching = failure(source([authority]).fetchImage(url("/a.jpg"), caller.signal));
    caller.abort(new ServeError("DEADLINE_EXCEEDED", "too late"));
    expect((await fetching).reason).toBe("DEADLINE_EXCEEDED");
  });

  it("what `hold` throws ends the fetch", async () => {
    const { authority, url } = await host({ "/a.jpg": picture });
    const fetching = source([authority]).fetchImage(url("/a.jpg"), never, {
      hold: () => {
        throw new ServeError("OVERLOADED", "full");
      },
    });
    expect((await failure(fetching)).reason).toBe("OVERLOADED");
  });
});

describe("answers that are no picture", () => {
  it.each([204, 206, 304, 401, 403, 404, 410, 500, 503])("HTTP status %i", async (status) => {
    const { authority, url } = await host({
      "/a.jpg": (_request, response) => response.writeHead(status).end(),
    });
    const error = await failure(source([authority]).fetchImage(url("/a.jpg"), never));
    expect(error.reason).toBe("IMAGE_URL_FAILED");
    expect(error.message).toContain(String(status));
  });

  it("a web page is named as one", async () => {
    const { authority, url } = await host({
      "/": (_request, response) =>
        response
          .writeHead(200, { "content-type": "text/html; charset=utf-8" })
          .end("\n<!doctype html><title>x"),
    });
    const error = await failure(source([authority]).fetchImage(url("/"), never));
    expect(error.reason).toBe("IMAGE_TYPE_UNSUPPORTED");
    expect(error.message).toContain("web page");
  });

  it("a picture that its host calls a web page is still a picture", async () => {
    const { authority, url } = await host({
      "/a.jpg": (_request, response) => response.writeHead(200, { "content-type": "text/html" }).end(PICTURE),
    });
    expect((await source([authority]).fetchImage(url("/a.jpg"), never)).bytes).toHaveLength(
      PICTURE.byteLength,
    );
  });

  it("an empty body", async () => {
    const { authority, url } = await host({
      "/a.jpg": (_request, response) => response.writeHead(200).end(),
    });
    expect((await failure(source([authority]).fetchImage(url("/a.jpg"), never))).message).toContain("empty");
  });

  it("a body that breaks off", async () => {
    const { authority, url } = await host({
      "/a.jpg": (_request, response) => {
        response.writeHead(200, { "content-length": "500" });
        response.write("half", () => response.destroy());
      },
    });
    expect((await failure(source([authority]).fetchImage(url("/a.jpg"), never))).reason).toBe(
      "IMAGE_URL_FAILED",
    );
  });

  it("a port where nobody listens, without a word about where that is", async () => {
    const { authority, url, close } = await host({});
    await close();
    closers.length = 0;
    const error = await failure(source([authority]).fetchImage(url("/a.jpg"), never));
    expect(error.reason).toBe("IMAGE_URL_FAILED");
    expect(error.message).not.toContain("127.0.0.1");
  });

  it("a host that speaks something else", async () => {
    const server = createTcpServer((socket) => socket.end("SSH-2.0-OpenSSH_9.9\r\n"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => void server.close());
    const { port } = server.address() as { port: number };
    const error = await failure(source([`127.0.0.1:${port}`]).fetchImage(`http://127.0.0.1:${port}/`, never));
    expect(error.message).toContain("did not speak HTTP");
  });

  /** A host that answers every request with the same bytes and waits for what comes. */
  async function rawHost(
    answer: string,
  ): Promise<{ readonly authority: string; readonly whenLeft: Promise<unknown> }> {
    const sockets: Socket[] = [];
    const server = createTcpServer((socket) => {
      sockets.push(socket.on("error", () => {}));
      socket.once("data", () => socket.write(answer));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const whenLeft = once(server, "connection").then(([socket]) => once(socket, "close"));
    return { authority: `127.0.0.1:${(server.address() as { port: number }).port}`, whenLeft };
  }

  it.each([
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n",
  ])("a host that wants to speak another protocol: %j", async (answer) => {
    const { authority, whenLeft } = await rawHost(answer);
    const images = source([authority], { timeoutMs: 2000, idleTimeoutMs: 1000 });
    const error = await failure(images.fetchImage(`http://${authority}/a.jpg`, never));
    expect(error.reason).toMatch(/^IMAGE_URL_(FAILED|TIMEOUT)$/);
    images.close();
    await whenLeft;
  });

  it("a host that only ever says that it goes on", async () => {
    const { authority } = await rawHost("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000));
    const images = source([authority], { timeoutMs: 300, idleTimeoutMs: 200 });
    const error = await failure(images.fetchImage(`http://${authority}/a.jpg`, never));
    expect(error.reason).toBe("IMAGE_URL_TIMEOUT");
  });

  it("a host that has no TLS where https is asked for", async () => {
    const { authority } = await host({ "/a.jpg": picture });
    const error = await failure(source([authority]).fetchImage(`https://${authority}/a.jpg`, never));
    expect(error).toMatchObject({ reason: "IMAGE_URL_FAILED", code: "INVALID_ARGUMENT" });
  });
});
