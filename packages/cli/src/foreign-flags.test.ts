import { readFile } from "node:fs/promises";
import { serveSettings } from "@vitrine/model-server/config";
import { flagOf } from "@vitrine/runtime/settings";
import { expect, test } from "vitest";
import { IGNORED_FLAGS, REFUSED_FLAGS } from "./foreign-flags.js";

/** Of tensorflow_model_server 2.0 to 2.20. */
const FOREIGN_FLAGS = `port grpc_socket_path rest_api_port rest_api_num_threads rest_api_timeout_in_ms
  rest_api_enable_cors_support model_name model_base_path model_config_file model_config_file_poll_wait_seconds
  file_system_poll_wait_seconds num_load_threads num_unload_threads max_num_load_retries load_retry_interval_micros
  flush_filesystem_caches allow_version_labels_for_unavailable_models enable_batching batching_parameters_file
  enable_per_model_batching_parameters tensorflow_session_parallelism tensorflow_intra_op_parallelism
  tensorflow_inter_op_parallelism tensorflow_session_config_file platform_config_file saved_model_tags
  per_process_gpu_memory_fraction ssl_config_file use_alts_credentials grpc_channel_arguments grpc_max_threads
  enable_model_warmup num_request_iterations_for_warmup monitoring_config_file enable_signature_method_name_check
  remove_unused_fields_from_bundle_metagraph enable_profiler xla_cpu_compilation_enabled xla_gpu_compilation_enabled
  thread_pool_factory_config_file prefer_tflite_model num_tflite_pools num_tflite_interpreters_per_pool
  enable_grpc_healthcheck_service mixed_precision skip_initialize_tpu enable_serialization_as_tensor_content version`
  .split(/\s+/)
  .filter((flag) => flag !== "");

const known = new Set([
  ...Object.keys(serveSettings).map(flagOf),
  ...IGNORED_FLAGS.keys(),
  ...REFUSED_FLAGS.keys(),
]);

test.each(FOREIGN_FLAGS)("--%s is known and documented", async (flag) => {
  // commander has this one by itself.
  if (flag !== "version") expect(known).toContain(flag.replaceAll("_", "-"));
  const page = await readFile(new URL("../../../docs/serving.md", import.meta.url), "utf8");
  expect(page).toContain(`\`${flag}\``);
});

test("no flag is taken without effect that has one", () => {
  const settings = Object.keys(serveSettings).map(flagOf);
  const taken = [...IGNORED_FLAGS.keys(), ...REFUSED_FLAGS.keys()];
  expect(taken.filter((flag) => settings.includes(flag))).toEqual([]);
});
