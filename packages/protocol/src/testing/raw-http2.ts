/** A caller that writes HTTP/2 frames by hand, and need not keep the protocol's rules. */
import { connect, type Socket } from "node:net";

/** Source: RFC 9113, 6. */
export const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, continuation: 9 } as const;
export const END_HEADERS = 4;

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** One field, literal and never indexed (RFC 7541, 6.2.3); names and values of at most 16,000 bytes. */
export function field(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0x10]), text(name), text(value)]);
}

function text(value: string): Buffer {
  const { length } = value;
  const prefix =
    length < 127 ? [length] : [127, ((length - 127) % 128) + 128, Math.floor((length - 127) / 128)];
  return Buffer.concat([Buffer.from(prefix), Buffer.from(value, "latin1")]);
}

export function callHead(path: string): Buffer {
  return Buffer.concat(
    Object.entries({
      ...{ ":method": "POST", ":scheme": "http", ":path": path, ":authority": "x" },
      ...{ "content-type": "application/grpc", te: "trailers" },
    }).map(([name, value]) => field(name, value)),
  );
}

/** Connects and says hello. */
export function rawHttp2(port: number): Socket {
  const socket = connect(port, "127.0.0.1");
  // A reset is one way for a connection to end.
  socket.on("error", () => {});
  socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(FRAME.settings, 0, 0)]));
  return socket;
}
