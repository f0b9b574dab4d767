/** The Grafana dashboard, row by row. Grafana 10 or later; the only input is the Prometheus data source. */

const DATA_SOURCE = { type: "prometheus", uid: "$source" };
const GATEWAY = 'namespace="$namespace"';
const MODEL = 'namespace="$namespace",model=~"$model"';
const WIDTH = 24;

/**
 * @param {string} title
 * @param {string} unit of Grafana: reqps, s, bytes, short, percentunit
 * @param {Record<string, string>} queries expression by legend
 * @param {{ width?: number, stacked?: boolean, description?: string, max?: number }} [options]
 */
function graph(title, unit, queries, { width = 8, stacked = false, description = "", max } = {}) {
  return {
    type: "timeseries",
    title,
    description,
    width,
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        ...(max === undefined ? {} : { max }),
        custom: {
          lineWidth: 1,
          fillOpacity: stacked ? 40 : 5,
          showPoints: "never",
          stacking: { mode: stacked ? "normal" : "none", group: "A" },
        },
      },
      overrides: [],
    },
    options: {
      legend: { displayMode: "list", placement: "bottom", showLegend: true },
      tooltip: { mode: "multi", sort: "desc" },
    },
    targets: targetsOf(queries),
  };
}

/** One number, with colours from a limit on. */
function figure(title, unit, query, { warn, bad, description = "" } = {}) {
  const steps = [{ color: "green", value: null }];
  if (warn !== undefined) steps.push({ color: "orange", value: warn });
  if (bad !== undefined) steps.push({ color: "red", value: bad });
  return {
    type: "stat",
    title,
    description,
    width: 4,
    fieldConfig: { defaults: { unit, thresholds: { mode: "absolute", steps } }, overrides: [] },
    options: {
      colorMode: steps.length > 1 ? "value" : "none",
      graphMode: "area",
      reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
    },
    targets: targetsOf({ "": query }),
  };
}

/** How values spread over time, from a histogram's buckets. */
function heatmap(title, unit, query) {
  return {
    type: "heatmap",
    title,
    description: "",
    width: 12,
    fieldConfig: { defaults: {}, overrides: [] },
    options: {
      calculate: false,
      yAxis: { unit },
      cellGap: 1,
      color: { mode: "scheme", scheme: "Oranges", steps: 64 },
      legend: { show: true },
      tooltip: { mode: "single", yHistogram: false },
    },
    targets: targetsOf({ "{{le}}": query }).map((target) => ({ ...target, format: "heatmap" })),
  };
}

function targetsOf(queries) {
  return Object.entries(queries).map(([legendFormat, expr], index) => ({
    refId: String.fromCharCode(65 + index),
    datasource: DATA_SOURCE,
    expr,
    legendFormat,
    range: true,
  }));
}

const quantile = (q, histogram, selector, by = "le") =>
  `histogram_quantile(${q}, sum by (${by}) (rate(${histogram}_bucket{${selector}}[$__rate_interval])))`;
const rate = (metric, selector, by) => `sum by (${by}) (rate(${metric}{${selector}}[$__rate_interval]))`;
const percentiles = (histogram, selector) =>
  Object.fromEntries([0.5, 0.95, 0.99].map((q) => [`p${q * 100}`, quantile(q, histogram, selector)]));

const PARTS = `${GATEWAY},stage!="total"`;
const PREDICT = `${GATEWAY},route="/predict"`;

const rows = {
  "At a glance": [
    figure("Predictions", "reqps", `sum(rate(vitrine_gateway_requests_total{${PREDICT}}[$__rate_interval]))`),
    figure("Failing (ours)", "percentunit", 'vitrine:predict_failures:ratio_rate5m{namespace="$namespace"}', {
      warn: 0.005,
      bad: 0.05,
      description: "INTERNAL, UNAVAILABLE, DEADLINE_EXCEEDED and RESOURCE_EXHAUSTED; the objective is 0.5 %",
    }),
    figure("p95", "s", 'vitrine:predict_duration_seconds:p95_5m{namespace="$namespace"}', {
      warn: 1,
      bad: 2,
    }),
    figure("Waiting", "short", `sum(vitrine_model_server_waiting_requests{${MODEL}})`, { warn: 8, bad: 32 }),
    figure("Gateways", "short", `count(vitrine_build_info{${GATEWAY},tier="gateway"})`),
    figure("Model servers", "short", `count(vitrine_build_info{${GATEWAY},tier="model-server"})`),
  ],
  Gateway: [
    graph(
      "Requests by route",
      "reqps",
      { "{{route}}": rate("vitrine_gateway_requests_total", GATEWAY, "route") },
      { stacked: true },
    ),
    graph(
      "Predictions that were not OK, by reason",
      "reqps",
      { "{{reason}}": `${rate("vitrine_gateway_requests_total", `${PREDICT},code!="OK"`, "reason")} > 0` },
      { stacked: true, description: "docs/errors.md says what each reason means and whose it is" },
    ),
    graph("Time of a prediction", "s", percentiles("vitrine_gateway_request_duration_seconds", PREDICT)),
    graph(
      "p95 by stage",
      "s",
      { "{{stage}}": quantile(0.95, "vitrine_gateway_stage_duration_seconds", GATEWAY, "le, stage") },
      {
        description:
          "fetch: the link's host; decode and resize: this tier's CPU; predict: the model tier and the way; explain: heatmaps that were asked for",
      },
    ),
    graph(
      "Predictions in each stage",
      "short",
      {
        "{{stage}}": rate("vitrine_gateway_stage_duration_seconds_sum", PARTS, "stage"),
        // What the stages leave of the whole: nobody works on the picture yet.
        "waiting for a worker": `clamp_min(sum(rate(vitrine_gateway_stage_duration_seconds_sum{${GATEWAY},stage="total"}[$__rate_interval])) - sum(rate(vitrine_gateway_stage_duration_seconds_sum{${PARTS}}[$__rate_interval])), 0)`,
      },
      { stacked: true, description: "Seconds of each stage per second: how many are in it at a time" },
    ),
    graph("Requests in flight", "short", {
      "{{pod}}": `sum by (pod) (vitrine_gateway_requests_in_flight{${GATEWAY}})`,
      "holding a permit, {{pod}}": `sum by (pod) (vitrine_gateway_predictions_in_flight{${GATEWAY}})`,
    }),
    graph("Pictures held", "bytes", { "{{pod}}": `sum by (pod) (vitrine_gateway_held_bytes{${GATEWAY}})` }),
    graph("Model servers as the gateways see them", "short", {
      "{{state}}, {{pod}}": `sum by (state, pod) (vitrine_gateway_model_servers{${GATEWAY}})`,
    }),
    graph("Calls made twice", "reqps", {
      "again after UNAVAILABLE": `sum(rate(vitrine_gateway_model_tier_retries_total{${GATEWAY}}[$__rate_interval]))`,
      hedged: `sum(rate(vitrine_gateway_model_tier_hedges_total{${GATEWAY}}[$__rate_interval]))`,
    }),
  ],
  "Model tier": [
    graph(
      "Requests by code",
      "reqps",
      { "{{method}} {{code}}": rate("vitrine_model_server_requests_total", MODEL, "method, code") },
      { stacked: true },
    ),
    graph(
      "Requests by pod",
      "reqps",
      { "{{pod}}": rate("vitrine_model_server_requests_total", `${MODEL},method="Predict"`, "pod") },
      { description: "Even, when the spreading works" },
    ),
    graph("Requests by version", "reqps", {
      "{{model}} {{version}}": rate("vitrine_model_server_requests_total", MODEL, "model, version"),
    }),
    graph("Waiting for a session", "short", {
      "{{pod}}": `sum by (pod) (vitrine_model_server_waiting_requests{${MODEL}})`,
    }),
    graph(
      "Busy sessions",
      "percentunit",
      {
        "{{pod}}": `sum by (pod) (vitrine_model_server_busy_sessions{${MODEL}}) / sum by (pod) (vitrine_model_server_sessions{${MODEL}})`,
      },
      { max: 1 },
    ),
    graph("p95 by stage", "s", {
      "{{stage}}": quantile(0.95, "vitrine_model_server_stage_duration_seconds", MODEL, "le, stage"),
    }),
    heatmap(
      "Rows per run",
      "short",
      `sum by (le) (increase(vitrine_model_server_batch_rows_bucket{${GATEWAY}}[$__rate_interval]))`,
    ),
    graph(
      "Mean rows per run",
      "short",
      {
        rows: `sum(rate(vitrine_model_server_batch_rows_sum{${GATEWAY}}[$__rate_interval])) / sum(rate(vitrine_model_server_batch_rows_count{${GATEWAY}}[$__rate_interval]))`,
      },
      { width: 6 },
    ),
    graph(
      "Session workers replaced",
      "short",
      {
        "{{pod}}": `sum by (pod) (increase(vitrine_model_server_worker_restarts_total{${GATEWAY}}[$__rate_interval]))`,
      },
      { width: 6 },
    ),
  ],
  Processes: [
    graph("CPU", "short", {
      "{{job}} {{pod}}": `sum by (job, pod) (rate(process_cpu_seconds_total{${GATEWAY},job=~"gateway|model-server"}[$__rate_interval]))`,
    }),
    graph("Resident memory", "bytes", {
      "{{job}} {{pod}}": `sum by (job, pod) (process_resident_memory_bytes{${GATEWAY},job=~"gateway|model-server"})`,
    }),
    graph("Event-loop delay, p99", "s", {
      "{{job}} {{pod}}": `max by (job, pod) (nodejs_eventloop_delay_seconds{${GATEWAY},job=~"gateway|model-server",quantile="0.99"})`,
    }),
    graph(
      "Replicas and what the autoscaler wants",
      "short",
      {
        "{{horizontalpodautoscaler}} is": `max by (horizontalpodautoscaler) (kube_horizontalpodautoscaler_status_current_replicas{${GATEWAY}})`,
        "{{horizontalpodautoscaler}} wanted": `max by (horizontalpodautoscaler) (kube_horizontalpodautoscaler_status_desired_replicas{${GATEWAY}})`,
        "{{horizontalpodautoscaler}} at most": `max by (horizontalpodautoscaler) (kube_horizontalpodautoscaler_spec_max_replicas{${GATEWAY}})`,
      },
      { description: "Needs kube-state-metrics" },
    ),
    graph(
      "Memory of the containers, of their limit",
      "percentunit",
      {
        "{{pod}}": `max by (pod) (container_memory_working_set_bytes{${GATEWAY},container=~"gateway|model-server"}) / max by (pod) (kube_pod_container_resource_limits{${GATEWAY},resource="memory",container=~"gateway|model-server"})`,
      },
      { description: "Needs the kubelet's metrics and kube-state-metrics", max: 1 },
    ),
    graph("Builds", "short", {
      "{{tier}} {{version}} on Node {{node}}": `count by (tier, version, node) (vitrine_build_info{${GATEWAY}})`,
    }),
  ],
};

/** Panels side by side, at most 24 columns wide; a row's title before each. */
function laidOut() {
  const panels = [];
  let y = 0;
  for (const [title, members] of Object.entries(rows)) {
    const height = members[0]?.type === "stat" ? 4 : 8;
    panels.push({ type: "row", title, collapsed: false, gridPos: { x: 0, y, w: WIDTH, h: 1 }, panels: [] });
    y += 1;
    let x = 0;
    for (const { width, ...panel } of members) {
      if (x + width > WIDTH) {
        x = 0;
        y += height;
      }
      panels.push({ ...panel, datasource: DATA_SOURCE, gridPos: { x, y, w: width, h: height } });
      x += width;
    }
    y += height;
  }
  return panels.map((panel, index) => ({ id: index + 1, ...panel }));
}

const variable = (name, label, query, more = {}) => ({
  name,
  label,
  type: "query",
  datasource: DATA_SOURCE,
  definition: query,
  query: { query, refId: name },
  refresh: 2,
  sort: 1,
  ...more,
});

export const dashboard = {
  uid: "vitrine",
  title: "Vitrine",
  description:
    "Both tiers: what is asked, what fails and why, where the time goes, what waits. docs/operations.md says what to do.",
  tags: ["vitrine"],
  schemaVersion: 39,
  version: 1,
  editable: true,
  graphTooltip: 1,
  refresh: "30s",
  time: { from: "now-1h", to: "now" },
  timezone: "browser",
  templating: {
    list: [
      { name: "source", label: "Prometheus", type: "datasource", query: "prometheus", refresh: 1 },
      variable("namespace", "Namespace", "label_values(vitrine_build_info, namespace)"),
      variable(
        "model",
        "Model",
        'label_values(vitrine_model_server_sessions{namespace="$namespace"}, model)',
        {
          includeAll: true,
          allValue: ".*",
          multi: true,
          current: { text: "All", value: "$__all" },
        },
      ),
    ],
  },
  annotations: {
    list: [
      {
        name: "Process starts",
        datasource: DATA_SOURCE,
        enable: true,
        iconColor: "blue",
        expr: `changes(process_start_time_seconds{${GATEWAY},job=~"gateway|model-server"}[1m]) > 0`,
        titleFormat: "{{job}} {{pod}} started",
      },
    ],
  },
  links: [],
  panels: laidOut(),
};
