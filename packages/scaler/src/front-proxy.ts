/**
 * Who may ask the external metrics API: Kubernetes' API server alone, which has asked its own rules whether the one it
 * asks for may. It proves itself by a client certificate, as it does to every API server behind it.
 *
 * Source: kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer; k8s.io/apiserver, requestheader.
 */
import { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

/** How the API server is known. */
export interface FrontProxyTrust {
  /** PEM: authorities that its certificate must come from. */
  readonly clientAuthority: string;
  /** Common names that it may have; none means any of that authority. */
  readonly allowedNames: readonly string[];
}

interface Refusal {
  readonly status: 401 | 403;
  readonly message: string;
}

/** @throws {Error} when the authority is no certificate: nobody could be told from anybody. */
export function checkTrust(trust: FrontProxyTrust): FrontProxyTrust {
  new X509Certificate(trust.clientAuthority);
  return trust;
}

/**
 * Judges the other end of a connection whose server asks for a certificate, with the trust's authority.
 *
 * @param trust undefined while it is not known.
 * @returns undefined for the API server.
 */
export function refusalOf(socket: Socket, trust: FrontProxyTrust | undefined): Refusal | undefined {
  const expected = "expected the front-proxy certificate of Kubernetes' API server";
  if (trust === undefined) {
    return { status: 401, message: `the authority of client certificates is not known yet, ${expected}` };
  }
  // A TLS 1.3 session that is taken up again counts as authorized even where no certificate was ever shown.
  const secured = socket instanceof TLSSocket ? socket : undefined;
  const certificate = secured?.getPeerX509Certificate();
  if (certificate === undefined) {
    return { status: 401, message: `no client certificate was shown, ${expected}` };
  }
  if (secured?.authorized !== true) {
    return { status: 401, message: `the client certificate was of another authority, ${expected}` };
  }
  const name: unknown = certificate.toLegacyObject().subject.CN;
  const { allowedNames } = trust;
  if (allowedNames.length === 0 || (typeof name === "string" && allowedNames.includes(name)))
    return undefined;
  return { status: 403, message: `the client certificate was of ${String(name)}, ${expected}` };
}
