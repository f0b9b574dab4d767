/**
 * The first of the two GOAWAYs with which gRPC's servers end a connection: "open no more calls", refusing none.
 *
 * nghttp2 takes no new stream once it has written any GOAWAY of Node's (its `nghttp2_submit_shutdown_notice` is out of
 * reach), so this one is written past it: 17 bytes to the file descriptor of the socket, between two frames. Node hands
 * whole frames to the socket in one write, so when nothing of that write is left to send, the stream stands between frames.
 */
import { writeSync } from "node:fs";
import type { ServerHttp2Session } from "node:http2";

/** Length 8, type GOAWAY, no flags, stream 0; last stream 2^31-1, NO_ERROR. Source: RFC 9113, 6.8. */
const NOTICE = Uint8Array.of(0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0);

/**
 * @returns `busy` when something is still to be written; `impossible` with TLS, whose records only its own layer can
 *   write, and where sockets have no file descriptor (Windows).
 */
export function announceGoaway(session: ServerHttp2Session): "announced" | "busy" | "impossible" {
  // A session whose peer has just left has no socket any more, whatever its type says.
  const socket: unknown = session.socket;
  if (session.encrypted || typeof socket !== "object" || socket === null) return "impossible";
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null) return "impossible";
  const fd: unknown = Reflect.get(handle, "fd");
  const unsentBytes: unknown = Reflect.get(handle, "writeQueueSize");
  if (typeof fd !== "number" || fd < 0 || typeof unsentBytes !== "number") return "impossible";
  if (unsentBytes > 0) return "busy";
  try {
    if (writeSync(fd, NOTICE) === NOTICE.byteLength) return "announced";
  } catch {
    // The socket takes nothing now (EAGAIN), or is gone.
    return "busy";
  }
  // Half a frame makes all that follows noise.
  session.destroy();
  return "impossible";
}
