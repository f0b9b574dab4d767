/** Asks the external metrics API as the API server does. */
import { X509Certificate } from "node:crypto";
import { request as httpsRequest } from "node:https";
import { TLSSocket } from "node:tls";
import type { KeyPair } from "./authority.js";

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  /** Of the server, which is not verified. */
  readonly certificate: X509Certificate;
}

export function ask(port: number, path: string, client: KeyPair | undefined): Promise<Answer> {
  const options = { host: "127.0.0.1", port, path, rejectUnauthorized: false, agent: false, ...client };
  return new Promise((resolve, reject) => {
    const request = httpsRequest(options, (response) => {
      const { socket } = response;
      if (!(socket instanceof TLSSocket)) return reject(new Error("the answer came without TLS"));
      const certificate = new X509Certificate(socket.getPeerCertificate().raw);
      let text = "";
      response.setEncoding("utf8").on("data", (piece) => {
        text += piece;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text), certificate }),
      );
    });
    request.on("error", reject).end();
  });
}
