/** A server that answers as a test says, for loads whose outcome is known. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export interface StubGateway {
  readonly url: string;
  /** Connections that were ever made to it. */
  readonly connections: () => number;
  close(): Promise<void>;
}

/** @param answer is called when the body has been read. */
export async function startStubGateway(
  answer: (response: ServerResponse, request: IncomingMessage) => void,
): Promise<StubGateway> {
  let connections = 0;
  const server = createServer((request, response) => {
    request.resume().once("end", () => answer(response, request));
  });
  server.on("connection", () => connections++);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    connections: () => connections,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
