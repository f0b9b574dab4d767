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
  /** Resolves when somebody asks for the slow picture; call what it gives to answer all who have asked, and who will. */
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
  const waiting: ServerResponse[] = [];
  let isReleased = false;
  const release = (): void => {
    isReleased = true;
    for (const response of waiting.splice(0)) answer(response);
  };
  const server = createServer((request, response) => {
    if (request.url !== "/slow.jpg" || isReleased) {
      answer(response);
      return;
    }
    waiting.push(response);
    server.emit("slow");
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
      await once(server, "slow");
      return release;
    },
    close,
  };
}
