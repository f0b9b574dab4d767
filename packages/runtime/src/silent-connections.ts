import type { Server } from "node:http";
import type { Socket } from "node:net";

/**
 * Keeps count of the connections of an HTTP server that have not sent a byte. Browsers open such ones ahead
 * of need; Node counts them as active, so that a closing server would wait for its headers timeout.
 *
 * @returns ends them; call it when the server closes.
 */
export function watchSilentConnections(server: Server): () => void {
  const connections = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  return () => {
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
  };
}
