/** HandleReloadConfigRequest over gRPC: a whole new list of models. */
import type { ModelServerConfig } from "@vitrine/protocol/gen/tensorflow_serving/config/model_server_config";
import type { GrpcServer } from "@vitrine/protocol/grpc/server";
import { RELOAD_CONFIG } from "@vitrine/protocol/services";
import { ServeError } from "@vitrine/protocol/status";
import type { RequestLog } from "../request-log.js";

export interface ReloadServiceParts {
  readonly log: RequestLog;
  /** Returns when the new models are available. The signal ends the wait, not what was begun. */
  reloadConfig(config: ModelServerConfig, signal: AbortSignal): Promise<void>;
}

/** Errors go out as the call's status, which is all that clients see of them. */
export function addReloadService(server: GrpcServer, { log, reloadConfig }: ReloadServiceParts): void {
  server.unary(RELOAD_CONFIG, ({ config }, { metadata, signal }) =>
    log.record(
      { protocol: "grpc", method: "HandleReloadConfigRequest", requestId: metadata.get("x-request-id") },
      async () => {
        if (config === undefined) throw new ServeError("MODEL_CONFIG_INVALID", "the request had no config");
        await reloadConfig(config, signal);
        return { status: { errorCode: 0, errorMessage: "" } };
      },
    ),
  );
}
