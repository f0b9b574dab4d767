/** A certificate for a server whose clients do not verify it, as of an APIService with `insecureSkipTLSVerify`. */
import "reflect-metadata";
import { randomBytes } from "node:crypto";
import { PemConverter, X509CertificateGenerator } from "@peculiar/x509";
import type { ServerTls } from "@vitrine/protocol/grpc/tls";

const DAY_MS = 24 * 60 * 60 * 1000;
/** Longer than a pod lives. */
const LIFETIME_MS = 10 * 365 * DAY_MS;

/** Makes a key (ECDSA, P-256) and a self-signed certificate for it. Both stay in memory. */
export async function makeCertificate(): Promise<ServerTls> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: randomBytes(16).toString("hex"),
    name: "CN=vitrine scaler",
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + LIFETIME_MS),
    signingAlgorithm: algorithm,
    keys,
  });
  const key = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { key: PemConverter.encode(key, "PRIVATE KEY"), cert: certificate.toString("pem") };
}
