import type { ScalerConfig } from "../config.js";

/** A scaler on free ports of this machine that says nothing; who may ask, and of what, is for each test. */
export const TEST_CONFIG: ScalerConfig = {
  host: "127.0.0.1",
  port: 0,
  grpcPort: 0,
  adminPort: 0,
  tlsCertFile: undefined,
  tlsKeyFile: undefined,
  requestheaderClientCaFile: undefined,
  requestheaderAllowedNames: [],
  namespace: [],
  clusterDomain: "cluster.local",
  scrapeTimeoutMs: 1000,
  drainWaitMs: 0,
  logLevel: "silent",
};
