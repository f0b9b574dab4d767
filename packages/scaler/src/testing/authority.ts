/** Authorities and the certificates that they issue, made for a test. */
import "reflect-metadata";
import { randomBytes } from "node:crypto";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

export interface KeyPair {
  readonly key: string;
  readonly cert: string;
}

export interface Authority {
  readonly pem: string;
  /** For clients, and for servers on 127.0.0.1. */
  issue(commonName: string): Promise<KeyPair>;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

export async function makeAuthority(commonName: string): Promise<Authority> {
  const facts = () => ({
    serialNumber: randomBytes(16).toString("hex"),
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    signingAlgorithm: ALGORITHM,
  });
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const root = await X509CertificateGenerator.createSelfSigned({
    ...facts(),
    name: `CN=${commonName}`,
    keys,
    extensions: [new BasicConstraintsExtension(true)],
  });
  return {
    pem: root.toString("pem"),
    async issue(name) {
      const own = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
      const certificate = await X509CertificateGenerator.create({
        ...facts(),
        subject: `CN=${name}`,
        issuer: root.subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth, ExtendedKeyUsage.serverAuth]),
          new SubjectAlternativeNameExtension([{ type: "ip", value: "127.0.0.1" }]),
        ],
      });
      const key = await crypto.subtle.exportKey("pkcs8", own.privateKey);
      return { cert: certificate.toString("pem"), key: PemConverter.encode(key, "PRIVATE KEY") };
    },
  };
}
