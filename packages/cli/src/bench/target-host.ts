/** Whose machine a load would fall on. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { isPublicAddress } from "@vitrine/gateway/address-guard";

/**
 * Says why a gateway may not be loaded without its owner's word: it has a public address, or a name that cannot be
 * looked up here.
 *
 * @returns undefined for this machine and private networks.
 */
export async function whyNotLoad(gatewayUrl: string): Promise<string | undefined> {
  const host = new URL(gatewayUrl).hostname.replace(/^\[|\]$/g, "");
  let addresses: readonly string[];
  try {
    addresses = isIP(host) > 0 ? [host] : (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (error) {
    return `${host} could not be looked up: ${error instanceof Error ? error.message : error}`;
  }
  const shared = addresses.find(isPublicAddress);
  if (shared === undefined) return undefined;
  const at = shared === host ? "" : ` (${shared})`;
  return `${host}${at} is a public address, and a load may harm who else uses it: give --allow-public-host if it is yours`;
}
