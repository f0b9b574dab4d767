import Fastify from "fastify";
import { describe, expect, it } from "vitest";
import { addHostCheck, type HostNameOptions } from "./host-names.js";
import { asServeError } from "./problem.js";

async function answerTo(host: string, options: Partial<HostNameOptions> = {}): Promise<string> {
  const app = Fastify();
  addHostCheck(app, { listensOn: "127.0.0.1", allowedHosts: [], hasTrustedProxy: false, ...options });
  app.setErrorHandler((error, _request, reply) => reply.send(asServeError(error).reason));
  app.get("/", () => "OK");
  const { body } = await app.inject({ url: "/", headers: { host } });
  await app.close();
  return body;
}

describe("a gateway on loopback", () => {
  it.each([
    "localhost:9696",
    "LOCALHOST",
    "localhost.",
    "shop.localhost:9696",
    "127.0.0.1:9696",
    "10.0.0.7",
    "[::1]:9696",
    "gateway:9696",
  ])("answers to %s", async (host) => {
    expect(await answerTo(host)).toBe("OK");
  });

  it.each([
    "evil.example",
    "evil.example:9696",
    "evil.example.",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "a.b@127.0.0.1.nip.io",
    "evil.example:port",
    " ",
  ])("does not answer to %j, which may be anybody's", async (host) => {
    expect(await answerTo(host)).toBe("HOST_FORBIDDEN");
  });

  it("answers to names that it is given, whatever their port", async () => {
    expect(await answerTo("Photos.Example:80", { allowedHosts: ["photos.example"] })).toBe("OK");
    expect(await answerTo("evil.example", { allowedHosts: ["photos.example"] })).toBe("HOST_FORBIDDEN");
    expect(await answerTo("evil.example", { allowedHosts: ["*"] })).toBe("OK");
  });

  it("leaves names to the proxy before it", async () => {
    expect(await answerTo("photos.example", { hasTrustedProxy: true })).toBe("OK");
  });

  it.each(["127.0.0.2", "::1", "localhost", "::ffff:127.0.0.1"])(
    "is one that listens on %s",
    async (address) => {
      expect(await answerTo("evil.example", { listensOn: address })).toBe("HOST_FORBIDDEN");
    },
  );
});

describe("a gateway that others can reach", () => {
  it.each(["0.0.0.0", "::", "10.0.0.1"])("on %s answers to every name", async (listensOn) => {
    expect(await answerTo("photos.example", { listensOn })).toBe("OK");
  });
});
