/**
 * TensorFlow Serving's configuration files as schemas: which fields they have, by their names in its protos
 * (tensorflow_serving/config/*.proto, tensorflow_serving/servables/tensorflow/session_bundle_config.proto).
 */
import {
  anyMessage,
  bool,
  enumeration,
  int64,
  mapOf,
  message,
  optional,
  repeated,
  text,
  uint32,
  wrapped,
} from "./text-proto/text-proto-schema.js";

const servableVersionPolicy = message(
  "ServableVersionPolicy",
  {
    latest: optional(message("Latest", { num_versions: optional(uint32) })),
    all: optional(message("All", {})),
    specific: optional(message("Specific", { versions: repeated(int64) })),
  },
  [["latest", "all", "specific"]],
);

const modelConfig = message("ModelConfig", {
  name: optional(text),
  base_path: optional(text),
  model_type: optional(enumeration({ MODEL_TYPE_UNSPECIFIED: 0, TENSORFLOW: 1, OTHER: 2 })),
  model_platform: optional(text),
  model_version_policy: optional(servableVersionPolicy),
  version_labels: mapOf(text, int64),
  logging_config: optional(anyMessage),
  logging_configs: repeated(anyMessage),
});

/** `--model_config_file`. */
export const modelServerConfigSchema = message(
  "ModelServerConfig",
  {
    model_config_list: optional(message("ModelConfigList", { config: repeated(modelConfig) })),
    custom_model_config: optional(anyMessage),
  },
  [["model_config_list", "custom_model_config"]],
);

/** `--batching_parameters_file`, and `batching_params.pbtxt` in a version's folder. */
export const batchingParametersSchema = message("BatchingParameters", {
  max_batch_size: optional(wrapped(int64, 0)),
  batch_timeout_micros: optional(wrapped(int64, 0)),
  max_enqueued_batches: optional(wrapped(int64, 0)),
  num_batch_threads: optional(wrapped(int64, 0)),
  thread_pool_name: optional(wrapped(text, "")),
  allowed_batch_sizes: repeated(int64),
  pad_variable_length_inputs: optional(bool),
  enable_large_batch_splitting: optional(wrapped(bool, false)),
  max_execution_batch_size: optional(wrapped(int64, 0)),
  mixed_priority_batching_policy: optional(anyMessage),
});

/** `--monitoring_config_file`. */
export const monitoringConfigSchema = message("MonitoringConfig", {
  prometheus_config: optional(message("PrometheusConfig", { enable: optional(bool), path: optional(text) })),
});

/** `--ssl_config_file`. Keys and certificates are PEM texts, not paths. */
export const sslConfigSchema = message("SSLConfig", {
  server_key: optional(text),
  server_cert: optional(text),
  custom_ca: optional(text),
  client_verify: optional(bool),
});
