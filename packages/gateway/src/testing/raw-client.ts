/** A caller that writes HTTP by hand. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface RawClient {
  readonly socket: Socket;
  /** All that came so far. */
  received(): string;
  /** Waits until these words came. */
  until(words: string): Promise<void>;
  /** Resolves with all that came, when the server has closed the connection. */
  readonly closed: Promise<string>;
}

/** Connects to `http://HOST:PORT`. */
export function rawClient(url: string): RawClient {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let received = "";
  socket.setEncoding("latin1").on("data", (text) => {
    received += text;
    socket.emit("more");
  });
  // A reset is one way for a connection to end.
  socket.on("error", () => {});
  const closed = new Promise<string>((resolve) => {
    socket.on("close", () => {
      socket.emit("more");
      resolve(received);
    });
  });
  return {
    socket,
    received: () => received,
    async until(words) {
      while (!received.includes(words)) {
        if (socket.destroyed) throw new Error(`connection was closed before ${words}; it had ${received}`);
        await once(socket, "more");
      }
    },
    closed,
  };
}
