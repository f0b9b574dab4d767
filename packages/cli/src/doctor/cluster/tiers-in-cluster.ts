/** Which containers are gateways and which are model servers, whoever made their images. */
import type { Container, Workload } from "./objects.js";

/** The model tier's address as a container's settings have it. */
export interface ModelHost {
  readonly host: string;
  readonly port: number;
}

/** Value of a setting: its flag, else its environment variable; undefined where neither names it. */
export function settingOf(
  { command, args, env }: Container,
  flag: string,
  variable: string,
): string | undefined {
  const words = [...command, ...args];
  for (const [index, word] of words.entries()) {
    if (word === flag) return words[index + 1];
    if (word.startsWith(`${flag}=`)) return word.slice(flag.length + 1);
  }
  return env.find(({ name }) => name === variable)?.value;
}

/** Every address of `TF_SERVING_HOST`; empty: the container is no gateway. */
export function modelHostsOf(container: Container): ModelHost[] {
  const value = settingOf(container, "--tf-serving-host", "TF_SERVING_HOST");
  return (value ?? "").split(",").flatMap((text) => {
    const [, host, port] = /^\s*([^\s:]+)(?::(\d+))?\s*$/.exec(text) ?? [];
    return host === undefined ? [] : [{ host, port: Number(port ?? 8500) }];
  });
}

export function isGateway(container: Container): boolean {
  return modelHostsOf(container).length > 0;
}

const GRPC_PORT = 8500;

export function isModelServer(container: Container): boolean {
  if (isGateway(container)) return false;
  const basePath = settingOf(container, "--model-base-path", "MODEL_BASE_PATH");
  const flag = container.args.some((word) => word.startsWith("--model_base_path"));
  return (
    basePath !== undefined || flag || container.ports.some(({ containerPort }) => containerPort === GRPC_PORT)
  );
}

/** True for images of Vitrine, whose settings and probes are known. */
export function isVitrine({ image }: Container): boolean {
  return /(^|\/)vitrine[/-]/.test(image);
}

export function isGatewayWorkload({ spec }: Workload): boolean {
  return spec.template.spec.containers.some(isGateway);
}

export function isModelWorkload({ spec }: Workload): boolean {
  return spec.template.spec.containers.some(isModelServer);
}

/** True when a container of the workload has the port, by name or number. */
export function hasPort({ spec }: Workload, port: number | string): boolean {
  return spec.template.spec.containers.some(({ ports }) =>
    ports.some(({ name, containerPort }) => name === port || containerPort === port),
  );
}

/** Of both tiers, where nothing else is set. */
const DEFAULT_PORTS: ReadonlySet<number> = new Set([9696, GRPC_PORT, 8501]);

/**
 * False only where a container of Vitrine surely does not listen: the number is no default, is declared nowhere and
 * stands in no setting, and no setting of a port comes from where it is not seen. The scaler has other defaults.
 */
export function mayListenAt(
  { command, args, env, envFrom, ports, ...rest }: Container,
  port: number,
): boolean {
  const words = [...command, ...args];
  const isHidden =
    envFrom.length > 0 ||
    words.some((word) => word === "scaler" || /^--config\b/.test(word)) ||
    env.some(({ name, value }) => value === undefined && /PORT$/.test(name));
  const mentions = [
    ...words,
    ...env.map(({ value = "" }) => value),
    `${rest.readinessProbe?.httpGet?.port ?? ""}`,
  ];
  return (
    isHidden ||
    DEFAULT_PORTS.has(port) ||
    ports.some(({ containerPort }) => containerPort === port) ||
    mentions.some((text) => new RegExp(`(^|\\D)${port}(\\D|$)`).test(text))
  );
}
