/**
 * Which addresses a picture may be fetched from. A gateway stands inside a network that its callers must not
 * reach through it, so only addresses of the public internet pass, and only an address that passed is connected to.
 */
import { type LookupAddress, lookup as systemLookup } from "node:dns";
import type { LookupFunction } from "node:net";
import { ServeError } from "@vitrine/protocol/status";
import ipaddr from "ipaddr.js";

const MAX_URL_CHARACTERS = 8192;

/** Ports that pictures are served on. Any other port of a public host is more likely a service than a picture. */
const PICTURE_PORTS: ReadonlySet<number> = new Set([80, 443, 8080, 8443]);

/** Last labels of names that never lie on the public internet. Sources: RFC 6761, 6762, 7686, 8375, ICANN's `.internal`. */
const INNER_SUFFIXES: readonly string[] = [
  "localhost",
  "local",
  "internal",
  "home.arpa",
  "intranet",
  "lan",
  "corp",
  "home",
  "private",
  "svc",
  "onion",
  "test",
  "invalid",
];

/**
 * An address that IANA calls public, and on which Azure tells its own machines their settings and certificates. Those of other
 * clouds are not public anyway: 169.254.0.0/16, Alibaba's 100.100.100.200, Oracle's 192.0.0.192, Amazon's fd00:ec2::254.
 * Source: Microsoft Learn, "What is IP address 168.63.129.16?".
 */
const AZURE_ADDRESS = "168.63.129.16";

/** One `--allow-image-host HOST[:PORT]`: the guard lets it pass. */
export interface AllowedHost {
  /** As WHATWG URL writes it: lower case, IPv4 in four decimals, IPv6 in brackets. */
  readonly host: string;
  /** undefined: every port. */
  readonly port: number | undefined;
}

/** node:dns' lookup with `all: true`, so that tests can answer as they like. */
export type LookupAll = (
  host: string,
  options: { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** `allowed` hosts of one guard and the way it asks for addresses. */
export interface AddressGuardOptions {
  readonly allowedHosts: readonly AllowedHost[];
  readonly lookup?: LookupAll;
}

/** A URL that passed, and what to give to `net.connect` so that the rest of the rules hold. */
export interface GuardedUrl {
  readonly url: URL;
  readonly isAllowedHost: boolean;
}

export interface AddressGuard {
  /**
   * Checks everything that a URL says about itself: scheme, user, port, name or literal address.
   *
   * @param base of a redirect's `Location`.
   * @throws {ServeError} IMAGE_URL_INVALID or IMAGE_URL_FORBIDDEN.
   */
  check(text: string, base?: URL): GuardedUrl;
  /**
   * The `lookup` for `net.connect`: fails with IMAGE_URL_FORBIDDEN unless every address is public. A name that
   * does not exist fails with the same words, so the answer does not tell which inner names exist.
   */
  lookupFor(guarded: GuardedUrl): LookupFunction;
  /** Checks the address really connected to. @throws {ServeError} IMAGE_URL_FORBIDDEN. */
  checkConnected(guarded: GuardedUrl, remoteAddress: string | undefined): void;
}

/**
 * Reads `HOST`, `HOST:PORT`, `[V6]` or `[V6]:PORT`.
 *
 * @throws {Error} that says what was expected.
 */
export function parseAllowedHost(text: string): AllowedHost {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^\s:/?#@[\]]+)(?::(\d{1,5}))?$/.exec(text.trim());
  const port = match?.[2] === undefined ? undefined : Number(match[2]);
  const url = match?.[1] === undefined ? undefined : urlOf(`http://${match[1]}/`);
  if (url === undefined || (port !== undefined && (port < 1 || port > 65535))) {
    throw new Error(`"${text}" was not a host, expected HOST, HOST:PORT or [IPV6]:PORT`);
  }
  return { host: withoutFinalDot(url.hostname), port };
}

/**
 * True for an address that belongs to the public internet and to no special use.
 *
 * IPv4-mapped and NAT64 (64:ff9b::/96) addresses count as the IPv4 address inside them; 6to4, Teredo and every
 * other transition form are refused, as is everything outside 2000::/3.
 * Source: IANA special-purpose address registries (RFC 6890), as ipaddr.js keeps them.
 */
export function isPublicAddress(text: string): boolean {
  const unscoped = text.split("%", 1)[0] ?? text;
  if (!ipaddr.isValid(unscoped)) return false;
  const address = ipaddr.parse(unscoped);
  if (address instanceof ipaddr.IPv4)
    return address.range() === "unicast" && address.toString() !== AZURE_ADDRESS;
  if (address.isIPv4MappedAddress()) return isPublicAddress(address.toIPv4Address().toString());
  const bytes = address.toByteArray();
  if (isWellKnownNat64(bytes)) return isPublicAddress(bytes.slice(12).join("."));
  return address.range() === "unicast" && ((bytes[0] ?? 0) & 0xe0) === 0x20;
}

/** RFC 6052: 64:ff9b::/96 and the IPv4 address in the last four bytes. */
function isWellKnownNat64(bytes: readonly number[]): boolean {
  const prefix = [0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
  return prefix.every((byte, index) => bytes[index] === byte);
}

export function createAddressGuard(options: AddressGuardOptions): AddressGuard {
  const lookupAll: LookupAll = options.lookup ?? systemLookup;

  function isAllowed(url: URL): boolean {
    const host = withoutFinalDot(url.hostname);
    return options.allowedHosts.some(
      (allowed) => allowed.host === host && (allowed.port === undefined || allowed.port === portOf(url)),
    );
  }

  function check(text: string, base?: URL): GuardedUrl {
    const url = parseUrl(text, base);
    const isAllowedHost = isAllowed(url);
    if (!isAllowedHost) checkPublic(url);
    return { url, isAllowedHost };
  }

  function lookupFor(guarded: GuardedUrl): LookupFunction {
    return (host, lookupOptions, callback) => {
      lookupAll(host, { all: true }, (error, addresses) => {
        const [first] = addresses ?? [];
        if (error !== null || first === undefined) callback(notPublic(error), "", 0);
        else if (!guarded.isAllowedHost && !addresses.every((each) => isPublicAddress(each.address))) {
          callback(notPublic(), "", 0);
        } else if (lookupOptions.all === true) callback(null, addresses);
        else callback(null, first.address, first.family);
      });
    };
  }

  return {
    check,
    lookupFor,
    checkConnected(guarded, remoteAddress) {
      if (guarded.isAllowedHost) return;
      if (remoteAddress === undefined || !isPublicAddress(remoteAddress)) throw notPublic();
    },
  };
}

function parseUrl(text: string, base: URL | undefined): URL {
  if (text.length > MAX_URL_CHARACTERS) {
    throw new ServeError(
      "IMAGE_URL_INVALID",
      `url was ${text.length} characters long, expected at most ${MAX_URL_CHARACTERS}`,
    );
  }
  const url = urlOf(text, base);
  if (url === undefined) {
    throw new ServeError("IMAGE_URL_INVALID", "url was not an absolute URL, expected https://HOST/PATH");
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new ServeError(
      "IMAGE_URL_INVALID",
      `url had the scheme "${url.protocol.slice(0, 20)}", expected http: or https:`,
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw new ServeError("IMAGE_URL_INVALID", "url had a user name or password, expected none");
  }
  return url;
}

function checkPublic(url: URL): void {
  const host = withoutFinalDot(url.hostname);
  const literal = host.startsWith("[") ? host.slice(1, -1) : host;
  const passes = ipaddr.isValid(literal) ? isPublicAddress(literal) : isOuterName(host);
  if (!passes) throw notPublic();
  const port = portOf(url);
  if (!PICTURE_PORTS.has(port)) {
    throw new ServeError(
      "IMAGE_URL_FORBIDDEN",
      `url had the port ${port}, expected one of ${[...PICTURE_PORTS].join(", ")}`,
    );
  }
}

/** A name with a dot whose last labels are not reserved for inner use; a name without a dot is a search-list name. */
function isOuterName(host: string): boolean {
  return (
    host.includes(".") && !INNER_SUFFIXES.some((suffix) => host === suffix || host.endsWith(`.${suffix}`))
  );
}

/** One message for every inner address and name, existing or not. */
function notPublic(cause?: unknown): ServeError {
  return new ServeError(
    "IMAGE_URL_FORBIDDEN",
    "url host was not found on the public internet, expected a public host name or address",
    cause === undefined || cause === null ? {} : { cause },
  );
}

/** Not URL.parse: Node 20.19 may lack it. */
function urlOf(text: string, base?: URL): URL | undefined {
  return URL.canParse(text, base?.href) ? new URL(text, base) : undefined;
}

function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" ? 443 : 80;
}

function withoutFinalDot(host: string): string {
  return host.endsWith(".") ? host.slice(0, -1) : host;
}
