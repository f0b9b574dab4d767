/** The sizes as patches of deploy/k8s, for an overlay of one's own. */

import type { SizeFacts } from "./size-report.js";
import { POD_BOUNDS, type TierSize } from "./sizing.js";

/** A kustomization.yaml without its `resources`, which name the overlay to be changed. */
export function sizePatch({ wish, measurement, sizing, pictures }: SizeFacts): string {
  const { machine, warnings } = measurement;
  return [
    `# By vitrine bench --right-size: ${wish.picturesPerSecond} pictures per second at the busiest time, p95 within ${wish.p95Ms} ms${sizing.keepsP95 ? "" : " (NOT kept)"}.`,
    `# Measured on ${machine.cores} cores (${machine.processor}) with ${pictures}; CPU factor ${wish.cpuFactor}.`,
    ...warnings.map((warning) => `# Note: ${warning}.`),
    "apiVersion: kustomize.config.k8s.io/v1beta1",
    "kind: Kustomization",
    "resources:",
    "  # The overlay that these sizes are for.",
    "  - ../production",
    "patches:",
    ...tierPatches("gateway", sizing.gateway, [
      ["PREPROCESS_WORKERS", POD_BOUNDS.workers],
      ["MAX_HELD_BYTES", POD_BOUNDS.maxHeldBytes],
      ["MAX_IMAGE_PIXELS", POD_BOUNDS.maxImagePixels],
    ]),
    ...tierPatches("model-server", sizing.modelServer, [["WORKERS", POD_BOUNDS.workers]]),
    "",
  ].join("\n");
}

function tierPatches(
  name: string,
  size: TierSize,
  environment: readonly (readonly [string, number])[],
): string[] {
  return [
    "  - patch: |",
    ...indent([
      "apiVersion: apps/v1",
      "kind: Deployment",
      "metadata:",
      `  name: ${name}`,
      "  namespace: vitrine",
      "spec:",
      "  template:",
      "    spec:",
      "      containers:",
      `        - name: ${name}`,
      "          # The memory limit counts on these.",
      "          env:",
      ...environment.flatMap(([variable, value]) => [
        `            - name: ${variable}`,
        `              value: "${value}"`,
      ]),
      "          resources:",
      "            requests:",
      `              cpu: ${size.requestMillicores}m`,
      `              memory: ${size.requestMebibytes}Mi`,
      "            # No limit of CPU, unless a rule of the cluster demands one:",
      `            # cpu: ${size.limitMillicores}m`,
      "            limits:",
      `              memory: ${size.limitMebibytes}Mi`,
    ]),
    // Single values: other metrics of the autoscaler, as of an overlay that scales on waiting requests, stay.
    "  - target:",
    "      kind: HorizontalPodAutoscaler",
    `      name: ${name}`,
    `    # ${size.pods} under the wanted load: ${size.workingPods} at work and one to spare.`,
    "    patch: |",
    ...indent([
      ...replacement("/spec/minReplicas", size.minReplicas),
      ...replacement("/spec/maxReplicas", size.maxReplicas),
      ...replacement("/spec/metrics/0/resource/target/averageUtilization", size.targetPercent),
    ]),
  ];
}

function replacement(pointer: string, value: number): string[] {
  return ["- op: replace", `  path: ${pointer}`, `  value: ${value}`];
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `      ${line}`);
}
