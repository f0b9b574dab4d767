/** Paths of TensorFlow Serving's REST API. */
import { ServeError } from "@vitrine/protocol/status";
import type { ModelChoice } from "../models/model-registry.js";

/** What is asked of a model. */
export type Verb = "status" | "metadata" | "predict" | "classify" | "regress";

export interface Route {
  readonly verb: Verb;
  readonly model: ModelChoice;
}

/** Model, then version or label, then what is asked. TensorFlow Serving matches the query string too: any fails. */
const ROUTE =
  /^\/v1\/models\/(?<name>[^/:?]+)(?:\/versions\/(?<version>\d+)|\/labels\/(?<label>[^/:?]+))?(?:\/(?<metadata>metadata)|:(?<post>predict|classify|regress))?$/i;

/** @throws {ServeError} REQUEST_INVALID `Malformed request: METHOD URL`, as TensorFlow Serving answers all it does not know. */
export function routeOf(method: string, url: string): Route {
  if (/^\/v1\/models\/?$/i.test(url))
    throw new ServeError("REQUEST_INVALID", "Missing model name in request.");
  const groups = ROUTE.exec(url)?.groups;
  const malformed = () => new ServeError("REQUEST_INVALID", `Malformed request: ${method} ${url}`);
  if (groups === undefined) throw malformed();
  const post = groups.post?.toLowerCase();
  if (method !== (post === undefined ? "GET" : "POST")) throw malformed();
  const version = groups.version === undefined ? undefined : Number(groups.version);
  if (version !== undefined && !Number.isSafeInteger(version)) {
    throw new ServeError("REQUEST_INVALID", `Failed to convert version: ${groups.version} to numeric.`);
  }
  const model = {
    name: decode(groups.name ?? "", malformed),
    version,
    label: groups.label === undefined ? undefined : decode(groups.label, malformed),
  };
  if (post === undefined) return { verb: groups.metadata === undefined ? "status" : "metadata", model };
  return { verb: post === "predict" || post === "classify" ? post : "regress", model };
}

function decode(text: string, malformed: () => ServeError): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw malformed();
  }
}

/** For logs and metrics: a word of ours, never the caller's text. */
export function methodOf(url: string): string {
  const groups = ROUTE.exec(url)?.groups;
  if (groups === undefined) return "unknown";
  return groups.post?.toLowerCase() ?? (groups.metadata === undefined ? "status" : "metadata");
}
