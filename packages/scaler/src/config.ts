/** The scaler's settings. */
import { drainWaitSetting } from "@vitrine/runtime/lifecycle";
import { logLevelSetting } from "@vitrine/runtime/logger";
import { type Config, setting } from "@vitrine/runtime/settings";
import { z } from "zod";

const port = z.int().min(0).max(65535);

export const scalerSettings = {
  host: setting(z.string().min(1).default("0.0.0.0"), {
    description: "Address to listen on.",
    placeholder: "address",
  }),
  port: setting(port.default(8443), {
    description:
      "HTTPS port of the external metrics API, which Kubernetes' API server asks; 0 picks a free one.",
    placeholder: "port",
  }),
  grpcPort: setting(port.default(9090), {
    description: "gRPC port of KEDA's external scaler; 0 picks a free one.",
    placeholder: "port",
  }),
  adminPort: setting(port.default(8080), {
    description: "HTTP port for /livez, /readyz and /metrics; 0 picks a free one.",
    placeholder: "port",
  }),
  tlsCertFile: setting(z.string().optional(), {
    description:
      "PEM certificate of the HTTPS port, with --tls-key-file. Without both the scaler makes its own at each start, and the APIService must skip its verification.",
    placeholder: "file",
  }),
  tlsKeyFile: setting(z.string().optional(), {
    description: "PEM key of --tls-cert-file.",
    placeholder: "file",
  }),
  requestheaderClientCaFile: setting(z.string().optional(), {
    description:
      "PEM authority of the certificate that Kubernetes' API server shows to the HTTPS port; all others are refused. Without it the cluster's own is taken from ConfigMap kube-system/extension-apiserver-authentication, and followed.",
    placeholder: "file",
  }),
  requestheaderAllowedNames: setting(z.array(z.string().min(1)).default([]), {
    description:
      "With --requestheader-client-ca-file: common names that the certificate may have. None: any name of that authority.",
    placeholder: "names",
  }),
  namespace: setting(z.array(z.string().min(1)).default([]), {
    description:
      "Namespaces whose Services may be asked about, over HTTPS and gRPC. Default: the pod's own. Its network policy must let it reach their pods, too.",
    placeholder: "namespaces",
  }),
  clusterDomain: setting(z.string().min(1).default("cluster.local"), {
    description: "What Service names of this cluster end with: SERVICE.NAMESPACE.svc.DOMAIN is looked up.",
    placeholder: "domain",
  }),
  scrapeTimeoutMs: setting(z.int().min(100).max(60_000).default(2000), {
    description: "Milliseconds in which a pod must have answered /metrics to be counted.",
    placeholder: "milliseconds",
  }),
  drainWaitMs: drainWaitSetting,
  logLevel: logLevelSetting,
};

export type ScalerConfig = Config<typeof scalerSettings>;
