/** Whether the tier answers: what gRPC health checks, /livez and /readyz say. */
import { HealthCheckResponse_ServingStatus as ServingStatus } from "@vitrine/protocol/gen/grpc/health/v1/health";
import type { ModelRegistry } from "./models/model-registry.js";

/**
 * Names that stand for the whole server: the empty one, TensorFlow Serving's unqualified ones, and the full names
 * that clients and probes expect.
 */
const SERVER_NAMES: ReadonlySet<string> = new Set([
  "",
  "ModelService",
  "PredictionService",
  "tensorflow.serving.ModelService",
  "tensorflow.serving.PredictionService",
  "inference.GRPCInferenceService",
]);

export class Health {
  readonly #registry: ModelRegistry;
  readonly #waiters = new Set<() => void>();
  #draining = false;

  constructor(registry: ModelRegistry) {
    this.#registry = registry;
    registry.onChange(() => this.#changed());
  }

  /** True once {@link drain} was called. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Every model that is awaited has a version that answers, and the tier takes new work. */
  get isReady(): boolean {
    const { names } = this.#registry;
    return !this.#draining && names.length > 0 && this.#registry.unavailable().length === 0;
  }

  /** Why {@link isReady} is false, for an operator; undefined when it is true. */
  get whyNotReady(): string | undefined {
    if (this.isReady) return undefined;
    if (this.#draining) return "draining";
    const missing = this.#registry.unavailable();
    return missing.length === 0 ? "no model is configured yet" : missing.join("\n");
  }

  /**
   * Status of the server or of a model by its name; SERVICE_UNKNOWN for anything else.
   *
   * Source: grpc/health/v1/health.proto.
   */
  statusOf(service: string): ServingStatus {
    if (SERVER_NAMES.has(service)) {
      return this.isReady ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
    }
    if (!this.#registry.names.includes(service)) return ServingStatus.SERVICE_UNKNOWN;
    const serves = !this.#draining && this.#registry.isAvailable(service);
    return serves ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  }

  /** The status, then each change of it, until the signal aborts or the tier drains. */
  async *watch(service: string, signal: AbortSignal): AsyncGenerator<ServingStatus> {
    let told: ServingStatus | undefined;
    while (!signal.aborted) {
      const status = this.statusOf(service);
      if (status !== told) {
        told = status;
        yield status;
      } else if (this.#draining) {
        return;
      } else {
        await this.#nextChange(signal);
      }
    }
  }

  /** Says NOT_SERVING from here on and lets the watches end. */
  drain(): void {
    this.#draining = true;
    this.#changed();
  }

  #changed(): void {
    for (const wake of [...this.#waiters]) wake();
  }

  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiters.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiters.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }
}
