/**
 * How the API server is known, as the cluster says it: the ConfigMap `kube-system/extension-apiserver-authentication`,
 * read and watched with the pod's own account.
 */
import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { withDeadline } from "@vitrine/runtime/deadline";
import { z } from "zod";
import { checkTrust, type FrontProxyTrust } from "./front-proxy.js";

/** Where a pod finds the API and what it needs to ask it. */
export interface ClusterAccess {
  readonly url: string;
  /** Holds `token`, `ca.crt` and `namespace`. */
  readonly folder: string;
}

/** Source: kubernetes.io/docs/tasks/run-application/access-api-from-pod. */
export const POD_ACCESS: ClusterAccess = {
  url: "https://kubernetes.default.svc",
  folder: "/var/run/secrets/kubernetes.io/serviceaccount",
};

interface TrustListener {
  /** Told of the ConfigMap as it is, each time that it was read or has changed. */
  found(trust: FrontProxyTrust): void;
  /** It could not be read; it is tried again. What was found before goes on to count. */
  failed(error: unknown): void;
}

const NAME = "extension-apiserver-authentication";
const PATH = `/api/v1/namespaces/kube-system/configmaps?fieldSelector=metadata.name%3D${NAME}`;

/** The API server ends a watch after this, and a new one begins with a look. */
const WATCH_SECONDS = 300;
/** What an answer may take beyond that: an API server whose node has died says nothing at all. */
const ANSWER_MS = 15_000;
/** Between a watch that ended, or a failure, and the next look. */
const PAUSE_MS = 5000;
/** Above what etcd takes for one object. */
const MOST_BYTES = 4 * 1024 * 1024;

const configMapSchema = z.object({ data: z.record(z.string(), z.string()).default({}) });
const listSchema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  items: z.array(configMapSchema),
});
const eventSchema = z.object({ type: z.string(), object: z.unknown() });
const namesSchema = z.array(z.string());

/** Follows the ConfigMap until it is closed. Its listener is told of the first look later than the return. */
export function followClusterTrust(
  access: ClusterAccess,
  listener: TrustListener,
): { close(): Promise<void> } {
  const ending = new AbortController();
  const { signal } = ending;

  async function look(limit: AbortSignal): Promise<string> {
    const response = await get(access, PATH, limit);
    let text = "";
    for await (const piece of textOf(response)) text += piece;
    const { metadata, items } = listSchema.parse(JSON.parse(text));
    const [found] = items;
    if (found === undefined) throw new Error(`ConfigMap kube-system/${NAME} was not there`);
    listener.found(trustOf(found.data));
    return metadata.resourceVersion;
  }

  async function watchFrom(version: string, limit: AbortSignal): Promise<void> {
    const query = `&watch=true&timeoutSeconds=${WATCH_SECONDS}&resourceVersion=${encodeURIComponent(version)}`;
    const response = await get(access, PATH + query, limit);
    let rest = "";
    for await (const piece of textOf(response)) {
      const lines = (rest + piece).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const { type, object } = eventSchema.parse(JSON.parse(line));
        // DELETED, and ERROR when the version is too old to go on from: another look says what is there.
        if (type !== "ADDED" && type !== "MODIFIED") return;
        listener.found(trustOf(configMapSchema.parse(object).data));
      }
    }
  }

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      try {
        const version = await withDeadline(ANSWER_MS, signal, look);
        await withDeadline(WATCH_SECONDS * 1000 + ANSWER_MS, signal, (limit) => watchFrom(version, limit));
      } catch (error) {
        if (!signal.aborted) listener.failed(error);
      }
      await delay(PAUSE_MS, undefined, { signal }).catch(() => {}); // Only by its end.
    }
  }

  const followed = follow();
  return {
    async close() {
      ending.abort();
      await followed;
    },
  };
}

/** @throws {Error} for a cluster whose API server is set up for nobody behind it. */
function trustOf(data: Readonly<Record<string, string>>): FrontProxyTrust {
  const clientAuthority = data["requestheader-client-ca-file"];
  if (clientAuthority === undefined) {
    throw new Error(
      `ConfigMap kube-system/${NAME} had no requestheader-client-ca-file, expected an API server with aggregation`,
    );
  }
  const allowedNames = namesSchema.parse(JSON.parse(data["requestheader-allowed-names"] ?? "[]"));
  return checkTrust({ clientAuthority, allowedNames });
}

/** The files are read each time: the kubelet renews the token within the hour. */
async function get(
  { url, folder }: ClusterAccess,
  target: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const token = await readFile(path.join(folder, "token"), "utf8");
  const ca = await readFile(path.join(folder, "ca.crt"), "utf8");
  const headers = { authorization: `Bearer ${token.trim()}`, accept: "application/json" };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(new URL(target, url), { headers, signal, agent: false, ca })
      .on("response", resolve)
      .on("error", reject)
      .end();
  });
  if (response.statusCode === 200) return response;
  response.destroy();
  throw new Error(
    `the API server answered ${response.statusCode} about ConfigMap kube-system/${NAME}, expected 200: ` +
      "the account must be allowed to get, list and watch it",
  );
}

async function* textOf(response: IncomingMessage): AsyncGenerator<string> {
  let length = 0;
  response.setEncoding("utf8");
  for await (const piece of response) {
    const text = String(piece);
    length += text.length;
    if (length > MOST_BYTES)
      throw new Error(`the API server's answer was longer than ${MOST_BYTES} characters`);
    yield text;
  }
}
