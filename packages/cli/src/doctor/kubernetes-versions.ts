/** Until when each minor version of Kubernetes is looked after, by its makers and by Amazon EKS. */

/** The day on which the dates below were looked up. */
export const KUBERNETES_VERSIONS_AS_OF = "2026-11-21";

/** What Amazon asks for one cluster's control plane, in US dollars an hour. */
export const EKS_PRICE_PER_HOUR = { standard: 0.1, extended: 0.6 } as const;

export interface KubernetesVersion {
  /** Such as `1.36`. */
  readonly minor: string;
  /** The makers give no fixes after this day, YYYY-MM-DD. */
  readonly endOfLife: string;
  /** Undefined: Amazon does not offer the version on the day of this table, or never did. */
  readonly eks: EksSupport | undefined;
}

export interface EksSupport {
  /** Last day at the standard price; from the next on extended support is paid for. */
  readonly standardUntil: string;
  /** From this day on Amazon moves the cluster to the next version by itself. */
  readonly extendedUntil: string;
}

function version(
  minor: string,
  endOfLife: string,
  standardUntil?: string,
  extendedUntil?: string,
): KubernetesVersion {
  const eks =
    standardUntil === undefined || extendedUntil === undefined ? undefined : { standardUntil, extendedUntil };
  return { minor, endOfLife, eks };
}

/**
 * Oldest first.
 *
 * Sources: kubernetes.io/releases (end of life per minor version), and the calendar of Amazon EKS in its user
 * guide, "Understand the Kubernetes version lifecycle on EKS".
 */
export const KUBERNETES_VERSIONS: readonly KubernetesVersion[] = [
  version("1.21", "2022-06-28", "2023-02-16", "2024-07-15"),
  version("1.22", "2022-12-08", "2023-06-04", "2024-09-01"),
  version("1.23", "2023-02-28", "2023-10-11", "2024-10-11"),
  version("1.24", "2023-07-28", "2024-01-31", "2025-01-31"),
  version("1.25", "2023-10-28", "2024-05-01", "2025-05-01"),
  version("1.26", "2024-02-28", "2024-06-11", "2025-06-11"),
  version("1.27", "2024-07-16", "2024-07-24", "2025-07-24"),
  version("1.28", "2024-10-22", "2024-11-26", "2025-11-26"),
  version("1.29", "2025-02-28", "2025-03-23", "2026-03-23"),
  version("1.30", "2025-07-15", "2025-07-23", "2026-07-23"),
  version("1.31", "2025-11-11", "2025-11-26", "2026-11-26"),
  version("1.32", "2026-02-28", "2026-03-23", "2027-03-23"),
  version("1.33", "2026-06-28", "2026-07-29", "2027-07-29"),
  version("1.34", "2026-10-27", "2026-12-02", "2027-12-02"),
  version("1.35", "2027-02-28", "2027-03-27", "2028-03-27"),
  version("1.36", "2027-06-28", "2027-08-02", "2028-08-02"),
  version("1.37", "2027-10-28"),
];

/** The table's row of a version such as `v1.33.13` or `1.33.5-eks-1a2b3c4`; undefined: it has none. */
export function kubernetesVersion(text: string): KubernetesVersion | undefined {
  const minor = /^v?(\d+\.\d+)/.exec(text)?.[1];
  return KUBERNETES_VERSIONS.find((row) => row.minor === minor);
}
