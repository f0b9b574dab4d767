/** TLS of gRPC on both sides: which certificates are shown and which are believed. Versions from TLS 1.2, ALPN `h2`. */
import { isIP } from "node:net";
import type { ConnectionOptions, SecureContextOptions } from "node:tls";

/** What a server shows and asks for. All texts are PEM. */
export interface ServerTls {
  readonly key: string;
  /** The server's certificate, then those between it and the root. */
  readonly cert: string;
  /** Authorities that clients' certificates must come from; without it those that Node knows. */
  readonly clientAuthority?: string | undefined;
  /** Refuse clients without a certificate of that authority (mutual TLS). Default false: none is asked for. */
  readonly verifyClient?: boolean | undefined;
}

/** What a client believes and shows. All texts are PEM. */
export interface ClientTls {
  /** Authorities that the server's certificate must come from; without it those that Node knows. */
  readonly authority?: string | undefined;
  /** The client's own certificate and key, for servers that verify clients. */
  readonly key?: string | undefined;
  readonly cert?: string | undefined;
  /** The name that the server's certificate must have, where it is not the one connected to. */
  readonly serverName?: string | undefined;
}

/** How long a client may take for its TLS handshake. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

/** What a changed certificate may change: all but whether clients are verified. */
export function serverContextOf({ key, cert, clientAuthority }: ServerTls): SecureContextOptions {
  return { key, cert, ...(clientAuthority === undefined ? {} : { ca: clientAuthority }) };
}

/** Options of `http2.createSecureServer`. */
export function secureServerOptions(tls: ServerTls) {
  const verifies = tls.verifyClient === true;
  return {
    ...serverContextOf(tls),
    requestCert: verifies,
    rejectUnauthorized: verifies,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    allowHTTP1: false,
  };
}

/** Options of `tls.connect`. */
export function secureConnectOptions(
  host: string,
  port: number,
  { authority, key, cert, serverName }: ClientTls,
): ConnectionOptions {
  // An address is no name to ask for in the handshake; the certificate must list it all the same.
  const name = serverName ?? (isIP(host) === 0 ? host : undefined);
  return {
    host,
    port,
    ALPNProtocols: ["h2"],
    ...(name === undefined ? {} : { servername: name }),
    ...(authority === undefined ? {} : { ca: authority }),
    ...(key === undefined ? {} : { key }),
    ...(cert === undefined ? {} : { cert }),
  };
}
