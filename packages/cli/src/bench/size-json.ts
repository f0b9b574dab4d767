/** The sizes for a program: the members of `vitrine bench --right-size --format json`. */
import type { SizeFacts } from "./size-report.js";
import type { MeasuredTier, TierSize } from "./sizing.js";

export function sizeJson({ wish, measurement, sizing, pictures }: SizeFacts) {
  const { measured, machine, otherCores, warnings } = measurement;
  return {
    wish: {
      pictures_per_second: wish.picturesPerSecond,
      p95_ms: wish.p95Ms,
      cpu_factor: wish.cpuFactor,
    },
    measured: {
      pictures,
      machine,
      /** Cores' worth of CPU that other programs took; null where the system does not tell. */
      other_cores: otherCores ?? null,
      gateway: tierJson(measured.gateway),
      model_server: tierJson(measured.modelServer),
      most_per_second: measured.mostPerSecond,
      steps: measured.steps.map(({ share, perSecond, p95Ms, failed }) => ({
        share,
        per_second: perSecond,
        p95_ms: p95Ms,
        failed,
      })),
    },
    keeps_p95: sizing.keepsP95,
    share: sizing.share,
    gateway: sizeOf(sizing.gateway),
    model_server: sizeOf(sizing.modelServer),
    warnings,
  };
}

function tierJson({ cpuSecondsPerPicture, idleBytes, peakBytes }: MeasuredTier) {
  return {
    cpu_ms_per_picture: 1000 * cpuSecondsPerPicture,
    idle_bytes: idleBytes,
    peak_bytes: peakBytes,
  };
}

/** In Kubernetes' own units. */
function sizeOf(size: TierSize) {
  return {
    requests: { cpu: `${size.requestMillicores}m`, memory: `${size.requestMebibytes}Mi` },
    limits: { memory: `${size.limitMebibytes}Mi` },
    working_pods: size.workingPods,
    pods: size.pods,
    hpa: {
      min_replicas: size.minReplicas,
      max_replicas: size.maxReplicas,
      average_utilization: size.targetPercent,
    },
    bound_by: size.boundBy,
  };
}
