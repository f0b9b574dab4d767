import { expect, test } from "vitest";
import type { FinishedRequest } from "./server-metrics.js";
import { createTensorFlowMetrics } from "./tensorflow-metrics.js";

const answered: FinishedRequest = {
  protocol: "grpc",
  method: "Predict",
  model: "birds",
  version: 1,
  code: "OK",
  durationMs: 0.05,
  run: { queueMs: 0.01, runMs: 0.03 },
  examples: undefined,
};

function linesOf(page: string, start: string): string[] {
  return page.split("\n").filter((line) => line.startsWith(start));
}

test("a prediction is counted under TensorFlow Serving's names, times in microseconds", () => {
  const metrics = createTensorFlowMetrics({ threadPoolName: undefined });
  metrics.requestEnded(answered);
  metrics.requestEnded({ ...answered, code: "INVALID_ARGUMENT", run: undefined });
  const page = metrics.page();
  expect(linesOf(page, ":tensorflow:serving:request_count")).toEqual([
    ':tensorflow:serving:request_count{model_name="birds",status="OK"} 1',
    ':tensorflow:serving:request_count{model_name="birds",status="INVALID_ARGUMENT"} 1',
  ]);
  const latency = linesOf(page, ":tensorflow:serving:request_latency");
  const labels = 'model_name="birds",API="Predict",entrypoint="GRPC"';
  expect(latency.slice(0, 5)).toEqual([
    `:tensorflow:serving:request_latency_bucket{${labels},le="10"} 0`,
    `:tensorflow:serving:request_latency_bucket{${labels},le="18"} 0`,
    `:tensorflow:serving:request_latency_bucket{${labels},le="32.4"} 0`,
    `:tensorflow:serving:request_latency_bucket{${labels},le="58.32"} 1`,
    `:tensorflow:serving:request_latency_bucket{${labels},le="104.976"} 1`,
  ]);
  expect(latency.slice(-3)).toEqual([
    `:tensorflow:serving:request_latency_bucket{${labels},le="+Inf"} 1`,
    `:tensorflow:serving:request_latency_sum{${labels}} 50`,
    `:tensorflow:serving:request_latency_count{${labels}} 1`,
  ]);
  expect(latency).toContain(`:tensorflow:serving:request_latency_bucket{${labels},le="1.47476e+09"} 1`);
  expect(latency).toHaveLength(36);
  expect(linesOf(page, ":tensorflow:serving:runtime_latency_sum")).toEqual([
    ':tensorflow:serving:runtime_latency_sum{model_name="birds",API="Predict",runtime="TF1"} 40',
  ]);
  expect(linesOf(page, "# ")).toContain("# TYPE :tensorflow:serving:request_latency histogram");
});

test("REST counts every route, gRPC the predictions alone", () => {
  const metrics = createTensorFlowMetrics({ threadPoolName: undefined });
  metrics.requestEnded({ ...answered, protocol: "rest", method: "status", run: undefined });
  metrics.requestEnded({ ...answered, protocol: "rest", method: "predict" });
  metrics.requestEnded({ ...answered, method: "GetModelStatus", run: undefined });
  metrics.requestEnded({ ...answered, method: "ModelInfer" });
  const page = metrics.page();
  expect(linesOf(page, ":tensorflow:serving:request_count")).toEqual([
    ':tensorflow:serving:request_count{model_name="birds",status="OK"} 2',
  ]);
  expect(linesOf(page, ":tensorflow:serving:request_latency_count")).toEqual([
    ':tensorflow:serving:request_latency_count{model_name="birds",API="",entrypoint="REST"} 1',
    ':tensorflow:serving:request_latency_count{model_name="birds",API="predict",entrypoint="REST"} 1',
  ]);
});

test("batches are counted where batching is on", () => {
  const metrics = createTensorFlowMetrics({ threadPoolName: "batch_threads" });
  metrics.requestEnded(answered);
  metrics.batchRan([1, 2], 4);
  const page = metrics.page();
  expect(linesOf(page, ":tensorflow:serving:batching_session:wrapped_run_count")).toEqual([
    ":tensorflow:serving:batching_session:wrapped_run_count{} 1",
  ]);
  expect(linesOf(page, ":tensorflow:serving:batching_session:input_batch_size_sum")).toEqual([
    ":tensorflow:serving:batching_session:input_batch_size_sum{} 3",
  ]);
  expect(
    linesOf(
      page,
      ':tensorflow:serving:batching_session:padding_size_bucket{execution_batch_size="4",le="1"}',
    ),
  ).toEqual([':tensorflow:serving:batching_session:padding_size_bucket{execution_batch_size="4",le="1"} 1']);
  expect(page).toContain('queuing_latency_sum{thread_pool_name="batch_threads"} 10');
  expect(createTensorFlowMetrics({ threadPoolName: undefined }).page()).not.toContain("batching_session");
});

test("examples and warm-ups are counted", () => {
  const metrics = createTensorFlowMetrics({ threadPoolName: undefined });
  metrics.requestEnded({ ...answered, method: "Classify", examples: 3 });
  metrics.warmedUp("/models/birds/1", "OK", 2);
  const page = metrics.page();
  expect(page).toContain(':tensorflow:serving:request_example_count_total{model="birds"} 3');
  expect(page).toContain(
    ':tensorflow:serving:model_warmup_latency_sum{model_path="/models/birds/1",status="OK"} 2000',
  );
});
