/** What protocol a port speaks, found out by speaking. */
import { once } from "node:events";
import { connect as connectPlain } from "node:net";
import { connect as connectTls } from "node:tls";
import { withDeadline } from "@vitrine/runtime/deadline";
import type { TierQuestion } from "./examine-gateway.js";

export interface Place {
  readonly host: string;
  readonly port: number;
}

/** True when a TLS handshake succeeds, whoever has signed the certificate. */
export async function speaksTls(
  { host, port }: Place,
  { timeoutMs, signal }: TierQuestion,
): Promise<boolean> {
  // The certificate is not believed: the question is only whether there is one.
  const socket = connectTls({ host, port, rejectUnauthorized: false, ALPNProtocols: ["h2", "http/1.1"] });
  try {
    await withDeadline(timeoutMs, signal, (limit) => once(socket, "secureConnect", { signal: limit }));
    return true;
  } catch {
    signal.throwIfAborted();
    return false; // No handshake, for whatever reason: it speaks something else, or nothing.
  } finally {
    socket.destroy();
  }
}

/** Connects and leaves. @returns why it cannot, such as `ECONNREFUSED`; undefined: it can. */
export async function whyNotConnected(
  { host, port }: Place,
  { timeoutMs, signal }: TierQuestion,
): Promise<string | undefined> {
  const socket = connectPlain({ host, port });
  try {
    await withDeadline(timeoutMs, signal, (limit) => once(socket, "connect", { signal: limit }));
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error && error.name === "AbortError") return `no connection within ${timeoutMs} ms`;
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  } finally {
    socket.destroy();
  }
}

/** Asks as HTTP/1.1 does. @returns the answer's body; undefined: it does not speak HTTP/1.1. */
export async function askHttp(
  { host, port }: Place,
  path: string,
  { timeoutMs, signal }: TierQuestion,
): Promise<{ status: number; body: string } | undefined> {
  try {
    const name = host.includes(":") ? `[${host}]` : host;
    return await withDeadline(timeoutMs, signal, async (limit) => {
      const response = await fetch(`http://${name}:${port}${path}`, { signal: limit });
      return { status: response.status, body: await response.text() };
    });
  } catch {
    signal.throwIfAborted();
    return undefined; // It answered in no way that HTTP/1.1 knows, which is the answer.
  }
}
