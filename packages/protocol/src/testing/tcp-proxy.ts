import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface TcpProxy {
  readonly port: number;
  /** Number of connections accepted so far. */
  readonly accepted: number;
  /** From now on no byte passes, but no connection closes: what a pulled cable looks like. */
  freeze(): void;
  /** Resets every connection. */
  cut(): void;
  close(): void;
}

/** Stands between a client and a server on loopback. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  let frozen = false;
  const server = createServer((inbound) => {
    accepted++;
    const outbound = connect(targetPort, "127.0.0.1");
    for (const [from, to] of [
      [inbound, outbound],
      [outbound, inbound],
    ] as const) {
      sockets.add(from);
      from.on("data", (chunk) => {
        if (!frozen) to.write(chunk);
      });
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        if (!frozen) to.end();
      });
    }
  });
  server.listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the proxy has no port");
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: address.port,
    get accepted() {
      return accepted;
    },
    freeze: () => {
      frozen = true;
    },
    cut,
    close: () => {
      server.close();
      cut();
    },
  };
}
