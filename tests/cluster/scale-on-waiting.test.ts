/** The model tier scaled on its requests in flight, by the cluster's own autoscaler and `vitrine scaler`. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import {
  bringUp,
  GATEWAY_URL,
  inNamespace,
  kubectl,
  NAMESPACE,
  settled,
  tryKubectl,
  waitForReplicas,
} from "./cluster.js";
import { PHOTO } from "./photo.js";
import { underSteadyLoad } from "./steady-load.js";

const METRIC = "vitrine_model_server_requests_in_flight";
const SELECTOR = encodeURIComponent("service=model-server,port=8502");
const VALUE_PATH = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${NAMESPACE}/${METRIC}?labelSelector=${SELECTOR}`;

const valueListSchema = z.object({
  kind: z.literal("ExternalMetricValueList"),
  items: z.tuple([z.object({ value: z.string() })]),
});

const autoscalerSchema = z.object({
  status: z.object({
    currentMetrics: z.array(z.object({ type: z.string() }).loose()),
    conditions: z.array(z.object({ type: z.string(), status: z.string() }).loose()),
  }),
});

beforeAll(async () => {
  await bringUp();
  await waitForReplicas("model-server", (replicas) => replicas === 2, 240_000);
  await kubectl("apply", "--kustomize=deploy/k8s/overlays/scale-on-waiting");
  // Only what is new here may scale: the CPU alone would do it, too, on a machine that is small enough.
  const waiting = { name: METRIC, selector: { matchLabels: { service: "model-server", port: "8502" } } };
  const target = { type: "AverageValue", averageValue: "1" };
  await inNamespace(
    "patch",
    "horizontalpodautoscaler/model-server",
    "--type=merge",
    "--patch",
    JSON.stringify({ spec: { metrics: [{ type: "External", external: { metric: waiting, target } }] } }),
  );
  await inNamespace("rollout", "status", "deployment/scaler", "--timeout=240s");
  await kubectl(
    "wait",
    "--for=condition=Available",
    "apiservice/v1beta1.external.metrics.k8s.io",
    "--timeout=60s",
  );
});

afterAll(async () => {
  await tryKubectl("delete", "apiservice/v1beta1.external.metrics.k8s.io");
  await tryKubectl(
    "delete",
    "clusterrole,clusterrolebinding",
    "vitrine-external-metrics-reader",
    `vitrine-scaler-authentication-reader:${NAMESPACE}`,
  );
  await tryKubectl(
    `--namespace=${NAMESPACE}`,
    "delete",
    "deployment,service,serviceaccount,poddisruptionbudget,networkpolicy",
    "--selector=app.kubernetes.io/name=scaler",
  );
  await tryKubectl(
    `--namespace=${NAMESPACE}`,
    "delete",
    "networkpolicy",
    "scaler",
    "model-server-from-scaler",
  );
  await tryKubectl(`--namespace=${NAMESPACE}`, "delete", "serviceaccount", "scaler");
  await bringUp();
});

it("the API server hands the number on, which is 0 while nobody asks", async () => {
  const { items } = valueListSchema.parse(JSON.parse(await kubectl("get", "--raw", VALUE_PATH)));
  expect(items[0].value).toBe("0");
});

it("more model servers while requests are in flight, two again after them", async () => {
  const callers = { url: GATEWAY_URL, photo: PHOTO, keepingCallers: 8, newCallers: 0, pauseMs: 0 };
  let up: unknown;
  let answer = "";
  const { failures } = await underSteadyLoad("on requests in flight", callers, async () => {
    up = await waitForReplicas("model-server", (replicas) => replicas > 2, 180_000);
    answer = await inNamespace("get", "horizontalpodautoscaler/model-server", "--output=json");
    await settled("model-server");
  });
  const down = await waitForReplicas("model-server", (replicas) => replicas === 2, 240_000);
  process.stderr.write(`up ${JSON.stringify(up)}, down ${JSON.stringify(down)}\n`);
  const { status } = autoscalerSchema.parse(JSON.parse(answer));
  expect(status.currentMetrics.map(({ type }) => type)).toEqual(["External"]);
  expect(status.conditions).toContainEqual(
    expect.objectContaining({ type: "ScalingActive", status: "True" }),
  );
  expect(failures).toEqual([]);
}, 600_000);
