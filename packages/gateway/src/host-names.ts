/**
 * Names under which a gateway is asked that only its own machine can reach.
 *
 * A page of any site may have the name of that site lead to 127.0.0.1 once it is loaded (DNS rebinding): to the browser it
 * is then the gateway's own page, and may read answers, leave corrections and have pictures fetched. The browser names the
 * site in `Host` all the same.
 */
import { ServeError } from "@vitrine/protocol/status";
import type { FastifyInstance } from "fastify";
import ipaddr from "ipaddr.js";

export interface HostNameOptions {
  /** Address that the gateway listens on. Where others can reach it, every name is its own. */
  readonly listensOn: string;
  /** Further names in lower case, without port; `*` is every one. */
  readonly allowedHosts: readonly string[];
  /** A proxy stands before it: then names are the proxy's business. */
  readonly hasTrustedProxy: boolean;
}

/** Adds the check to every route. Call it before the routes are added. */
export function addHostCheck(app: FastifyInstance, options: HostNameOptions): void {
  const { listensOn, allowedHosts, hasTrustedProxy } = options;
  if (!isLoopback(listensOn) || hasTrustedProxy || allowedHosts.includes("*")) return;
  app.addHook("onRequest", async ({ headers: { host } }) => {
    if (host === undefined || isOwnName(host, allowedHosts)) return;
    throw new ServeError(
      "HOST_FORBIDDEN",
      `host was "${host.slice(0, 100)}", expected localhost, an address, or a name that --allowed-host (ALLOWED_HOSTS) gives`,
    );
  });
}

function isLoopback(host: string): boolean {
  if (host === "localhost") return true;
  return ipaddr.isValid(host) && ipaddr.process(host).range() === "loopback";
}

/**
 * Whether nobody else can have the name: `localhost`, an address, or one without a dot, such as a container's or one of
 * `/etc/hosts`, which no public zone has.
 *
 * @param host as a browser sends it, perhaps with a port.
 */
function isOwnName(host: string, allowedHosts: readonly string[]): boolean {
  const url = `http://${host}`;
  if (!URL.canParse(url)) return false;
  const name = new URL(url).hostname.replace(/\.$/, "");
  const isAddress = name.startsWith("[") || ipaddr.IPv4.isValid(name);
  return isAddress || !name.includes(".") || name.endsWith(".localhost") || allowedHosts.includes(name);
}
