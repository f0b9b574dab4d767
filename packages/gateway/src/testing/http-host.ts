/** A host of pictures on a real socket, which answers as a test says. */
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";

export interface HttpHost {
  /** `127.0.0.1:PORT` */
  readonly authority: string;
  readonly port: number;
  url(path: string): string;
  close(): Promise<void>;
}

export async function startHttpHost(listener: RequestListener): Promise<HttpHost> {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const authority = `127.0.0.1:${address.port}`;
  return {
    authority,
    port: address.port,
    url: (path) => `http://${authority}${path}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
