/** Flags of tensorflow_model_server that `vitrine serve` takes without doing anything, and what a user should know. */

const NO_TENSORFLOW = "sessions run in ONNX Runtime";
const NO_TPU = "there is no support for TPUs";
const NO_TFLITE = "TensorFlow Lite models are not served";

export const IGNORED_FLAGS: ReadonlyMap<string, string> = new Map([
  ["num-unload-threads", "versions are unloaded side by side, each when its requests are answered"],
  ["flush-filesystem-caches", "model files are read once, into the sessions"],
  ["tensorflow-session-config-file", `${NO_TENSORFLOW}: see --intra-op-threads and --workers`],
  ["platform-config-file", `${NO_TENSORFLOW}: see --enable-batching and --device`],
  ["per-process-gpu-memory-fraction", `${NO_TENSORFLOW}: see --device`],
  ["grpc-max-threads", "requests do not take threads; --workers says how many run at once"],
  ["rest-api-num-threads", "requests do not take threads; --workers says how many run at once"],
  ["enable-signature-method-name-check", "Predict takes every signature, whatever its method name"],
  ["remove-unused-fields-from-bundle-metagraph", NO_TENSORFLOW],
  ["enable-profiler", NO_TENSORFLOW],
  ["xla-cpu-compilation-enabled", NO_TENSORFLOW],
  ["xla-gpu-compilation-enabled", NO_TENSORFLOW],
  ["thread-pool-factory-config-file", NO_TENSORFLOW],
  ["prefer-tflite-model", NO_TFLITE],
  ["num-tflite-pools", NO_TFLITE],
  ["num-tflite-interpreters-per-pool", NO_TFLITE],
  ["mixed-precision", "the model is run as it is; convert it to another precision instead"],
  ["skip-initialize-tpu", NO_TPU],
  ["enable-grpc-healthcheck-service", "grpc.health.v1 is always there, and says what is true of each model"],
]);

/** Flags whose meaning is a promise that cannot be kept here: to go on without it would be worse than to stop. */
export const REFUSED_FLAGS: ReadonlyMap<string, string> = new Map([
  ["use-alts-credentials", "ALTS is not supported, expected TLS by --ssl-config-file"],
]);
