/** A server of pictures on loopback that answers when the test says so. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import type { AtEnd } from "./vitrine.js";

export interface PictureServer {
  /** `127.0.0.1:PORT`, as --allow-image-host takes it. */
  readonly host: string;
  /** Link of a picture that is answered at once. */
  readonly url: string;
  /** Link of a picture that waits for its release. */
  readonly slowUrl: string;
  /** Resolves when somebody asks for the slow picture; call what it gives to answer. */
  slowAsked(): Promise<() => void>;
  close(): Promise<void>;
}

/** @param file that each link leads to, a JPEG. */
export async function startPictureServer(
  file: string,
  atEnd: AtEnd = onTestFinished,
): Promise<PictureServer> {
  const picture = await readFile(file);
  const answer = (response: ServerResponse): void => {
    response.writeHead(200, { "content-type": "image/jpeg" }).end(picture);
  };
  const server = createServer((request, response) => {
    if (request.url === "/slow.jpg") server.emit("slow", () => answer(response));
    else answer(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  atEnd(() => void close());
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: `http://${host}/picture.jpg`,
    slowUrl: `http://${host}/slow.jpg`,
    async slowAsked() {
      const [release] = await once(server, "slow");
      return release;
    },
    close,
  };
}
