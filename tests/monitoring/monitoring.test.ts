/** The rules and the dashboard against the metrics that both tiers really have. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { parser } from "@prometheus-io/lezer-promql";
import { GRPC_STATUS, REASONS } from "@vitrine/protocol/status";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { DRAWING, startVitrine } from "../e2e/vitrine.js";

const ROOT = path.resolve(import.meta.dirname, "../..");
const FOLDER = path.join(ROOT, "deploy/monitoring");
const textOf = (...names: string[]): string => readFileSync(path.join(...names), "utf8");

/** kube-state-metrics, the kubelet, and what Prometheus says of a target itself; they are not ours to check. */
const FOREIGN = /^(kube_|container_|up$)/;
/** `promtool` of Prometheus 2.42 or later: it evaluates the rules, which nothing on npm does. */
const PROMTOOL = process.env.VITRINE_PROMTOOL;
/** What Prometheus adds to each series, from the scrape configuration. */
const TARGET_LABELS = ["namespace", "pod", "job", "le"];

const ruleSchema = z.union([
  z.strictObject({ record: z.string(), expr: z.string() }),
  z.strictObject({
    alert: z.string(),
    expr: z.string(),
    for: z.string().optional(),
    labels: z.strictObject({ severity: z.enum(["critical", "warning", "info"]) }),
    annotations: z.strictObject({ summary: z.string(), runbook: z.string() }),
  }),
]);
const groupsSchema = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), rules: z.array(ruleSchema) })),
});
const ruleTestsSchema = z.strictObject({
  rule_files: z.tuple([z.literal("rules.yaml")]),
  evaluation_interval: z.string(),
  tests: z.array(
    z.strictObject({
      name: z.string().min(1),
      interval: z.string(),
      input_series: z.array(z.strictObject({ series: z.string(), values: z.string() })).min(1),
      promql_expr_test: z.array(z.looseObject({ expr: z.string() })).optional(),
      alert_rule_test: z
        .array(
          z.strictObject({
            alertname: z.string(),
            eval_time: z.string(),
            exp_alerts: z
              .array(
                z.strictObject({
                  exp_labels: z.looseObject({ severity: z.string() }),
                  exp_annotations: z.strictObject({ summary: z.string(), runbook: z.string() }),
                }),
              )
              .optional(),
          }),
        )
        .min(1),
    }),
  ),
});
const { tests: ruleTests } = ruleTestsSchema.parse(parseYaml(textOf(FOLDER, "rules.test.yaml")));
const { groups } = groupsSchema.parse(parseYaml(textOf(FOLDER, "rules.yaml")));
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.flatMap((rule) => ("alert" in rule ? [rule] : []));
const recorded = rules.flatMap((rule) => ("record" in rule ? [rule.record] : []));

const gridSchema = z.strictObject({ x: z.int().min(0), y: z.int().min(0), w: z.int(), h: z.int().min(1) });
const panelSchema = z.looseObject({
  id: z.int().positive(),
  type: z.enum(["row", "timeseries", "stat", "heatmap"]),
  title: z.string().min(1),
  gridPos: gridSchema,
  targets: z.array(z.looseObject({ refId: z.string().length(1), expr: z.string() })).optional(),
});
const dashboardSchema = z.looseObject({
  uid: z.string(),
  title: z.string(),
  schemaVersion: z.int(),
  templating: z.object({
    list: z.array(z.looseObject({ name: z.string(), type: z.string(), query: z.unknown() })),
  }),
  annotations: z.object({ list: z.array(z.looseObject({ expr: z.string() })) }),
  panels: z.array(panelSchema),
});
const dashboard = dashboardSchema.parse(JSON.parse(textOf(FOLDER, "gen/dashboard.json")));

const expressions: [where: string, expression: string][] = [
  ...rules.map((rule): [string, string] => ["record" in rule ? rule.record : rule.alert, rule.expr]),
  ...dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }): [string, string] => [`panel ${title}`, expr]),
  ),
  ...dashboard.annotations.list.map(({ expr }): [string, string] => ["annotation", expr]),
];

interface Selector {
  readonly metric: string;
  readonly matchers: readonly { readonly label: string; readonly op: string; readonly value: string }[];
}

/** The selectors of an expression. @throws where it is no PromQL. */
function selectorsOf(expression: string): Selector[] {
  // Grafana puts a duration there.
  const promql = expression.replaceAll("$__rate_interval", "5m");
  const selectors: Selector[] = [];
  parser.parse(promql).iterate({
    enter(node) {
      const text = promql.slice(node.from, node.to);
      if (node.type.isError) throw new Error(`no PromQL from ${promql.slice(node.from)} on: ${promql}`);
      if (node.name !== "VectorSelector") return;
      const metric = /^[\w:]+/.exec(text)?.[0] ?? "";
      const matchers = [...text.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].map(
        ([, label = "", op = "", value = ""]) => ({ label, op, value }),
      );
      selectors.push({ metric, matchers });
    },
  });
  return selectors;
}

/** Names of series with the label names that each has. */
function seriesIn(page: string): Map<string, Set<string>> {
  const series = new Map<string, Set<string>>();
  for (const line of page.split("\n")) {
    const [, declared = "", kind] = /^# TYPE (\S+) (\w+)$/.exec(line) ?? [];
    const suffixes = kind === "histogram" ? ["_bucket", "_sum", "_count"] : kind === undefined ? [] : [""];
    for (const suffix of suffixes) series.set(declared + suffix, new Set());
    const [, name, labels] = /^(\w+)\{(.*)\} \S+$/.exec(line) ?? [];
    if (name === undefined || labels === undefined) continue;
    for (const [, label = ""] of labels.matchAll(/(\w+)="/g)) series.get(name)?.add(label);
  }
  return series;
}

const series = new Map<string, Set<string>>();
/** What a gateway shows before anybody has asked it for anything, and after a prediction. */
const gatewayPage = { first: "", last: "" };
const ends: (() => void)[] = [];

beforeAll(async () => {
  const atEnd = (end: () => void): void => void ends.push(end);
  const model = path.join(ROOT, "models/clothing-model");
  const free = ["--host=127.0.0.1", "--log-level=info"];
  const server = startVitrine(
    ["serve", `--model-base-path=${model}`, "--port=auto", "--rest-api-port=0", "--admin-port=auto", ...free],
    {},
    atEnd,
  );
  const [, grpc = ""] = await server.says(/grpc:\/\/(\S+)/);
  const [, adminPort] = await server.says(/"adminPort":(\d+)/);
  const gateway = startVitrine(["gateway", `--tf-serving-host=${grpc}`, "--port=0", ...free], {}, atEnd);
  const [, url = ""] = await gateway.says(/^ready (\S+)$/m);
  gatewayPage.first = await (await fetch(`${url}/metrics`)).text();
  const answer = await fetch(`${url}/predict`, {
    method: "POST",
    headers: { "content-type": "image/jpeg" },
    body: readFileSync(DRAWING),
  });
  expect(answer.status).toBe(200);
  for (const address of [url, `http://127.0.0.1:${adminPort}`]) {
    const page = await (await fetch(`${address}/metrics`)).text();
    for (const [name, labels] of seriesIn(page)) series.set(name, labels);
    if (address === url) gatewayPage.last = page;
  }
});
afterAll(() => {
  for (const end of ends) end();
});

describe("the expressions of rules and dashboard", () => {
  it.each(expressions)("%s is PromQL over series that there are", (_, expression) => {
    const selectors = selectorsOf(expression);
    expect(selectors.length).toBeGreaterThan(0);
    for (const { metric, matchers } of selectors) {
      if (FOREIGN.test(metric) || recorded.includes(metric)) continue;
      expect([...series.keys()]).toContain(metric);
      const labels = [...(series.get(metric) ?? []), ...TARGET_LABELS];
      for (const { label } of matchers) expect(labels, `${metric} by ${label}`).toContain(label);
    }
  });

  it.each(expressions)("%s asks for values that its labels can have", (_, expression) => {
    const tiers = ["gateway", "model-server"];
    const known: Readonly<Record<string, readonly string[]>> = {
      code: ["OK", ...Object.keys(GRPC_STATUS)],
      reason: ["OK", ...Object.keys(REASONS)],
      stage: ["fetch", "decode", "resize", "predict", "total", "queue", "inference"],
      state: ["ready", "out"],
      route: ["/predict", "/readyz"],
      method: ["Predict"],
      quantile: ["0.5", "0.9", "0.99", "1"],
      tier: tiers,
      job: [...tiers, "scaler"],
      container: tiers,
      horizontalpodautoscaler: [...tiers, "keda-hpa-model-server"],
      job_name: ["bulk", "bulk-merge"],
    };
    for (const { label, op, value } of selectorsOf(expression).flatMap(({ matchers }) => matchers)) {
      const values = known[label];
      if (values === undefined) continue;
      const wanted = op.includes("~") ? value.split("|") : [value];
      for (const one of wanted) {
        const pattern = new RegExp(`^${op.includes("~") ? one : one.replaceAll(/[.*]/g, "\\$&")}$`);
        expect(
          values.some((candidate) => pattern.test(candidate)),
          `${label}${op}"${one}"`,
        ).toBe(true);
      }
    }
  });

  it("uses no recorded series that is not recorded", () => {
    const used = expressions.flatMap(([, text]) => selectorsOf(text).map(({ metric }) => metric));
    expect(used.filter((metric) => metric.includes(":") && !recorded.includes(metric))).toEqual([]);
    expect(recorded.filter((metric) => !used.includes(metric))).toEqual([]);
  });
});

describe("the alerts", () => {
  const runbooks = textOf(ROOT, "docs/operations.md");

  it.each(alerts)("$alert has a paragraph in the runbook, and the runbook none without an alert", (alert) => {
    expect(alert.annotations.runbook).toBe(`docs/operations.md#${alert.alert.toLowerCase()}`);
    expect(runbooks).toMatch(new RegExp(`^### ${alert.alert}$`, "m"));
    const headings = [...runbooks.matchAll(/^### (Vitrine\w+)$/gm)].map(([, name]) => name);
    expect(headings).toEqual(alerts.map((other) => other.alert));
  });

  it.each(alerts)("$alert names only labels that its expression leaves", ({ expr, annotations }) => {
    const by = [...expr.matchAll(/\b(?:by|on|group_left) \(([^)]*)\)/g)].flatMap(([, names = ""]) =>
      names.split(/,\s*/),
    );
    const kept =
      by.length === 0 || !/\b(sum|max|count) by/.test(expr)
        ? [...TARGET_LABELS, "horizontalpodautoscaler"]
        : by;
    const left = expr.startsWith("vitrine_build_info") ? TARGET_LABELS : kept;
    const named = [...annotations.summary.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label);
    for (const label of named) expect(left).toContain(label);
  });

  it.each(alerts)(
    "$alert has series that make it fire, and a moment at which they do not yet or no more",
    ({ alert }) => {
      const expectations = ruleTests
        .flatMap((one) => one.alert_rule_test)
        .filter((one) => one.alertname === alert);
      expect(expectations.some((one) => (one.exp_alerts ?? []).length > 0)).toBe(true);
      expect(expectations.some((one) => one.exp_alerts === undefined)).toBe(true);
      const severities = expectations
        .flatMap((one) => one.exp_alerts ?? [])
        .map((one) => one.exp_labels.severity);
      expect(new Set(severities)).toEqual(
        new Set([alerts.find((one) => one.alert === alert)?.labels.severity]),
      );
    },
  );

  it("have tests of alerts that there are", () => {
    const names = new Set(alerts.map(({ alert }) => alert));
    const tested = ruleTests.flatMap((one) => one.alert_rule_test.map(({ alertname }) => alertname));
    expect(tested.filter((name) => !names.has(name))).toEqual([]);
  });

  it.runIf(PROMTOOL !== undefined)("fire and keep quiet as their tests say, with promtool", () => {
    for (const args of [
      ["check", "rules", "rules.yaml"],
      ["test", "rules", "rules.test.yaml"],
    ]) {
      const { status, stdout, stderr } = spawnSync(PROMTOOL ?? "", args, { cwd: FOLDER });
      expect([status, `${stdout}${stderr}`]).toEqual([0, expect.stringContaining("SUCCESS")]);
    }
  });

  it("count failures that a gateway shows from its start: the first value of a series is no increase", () => {
    const counted = expressions
      .flatMap(([, text]) => selectorsOf(text))
      .filter(({ metric }) => metric === "vitrine_gateway_requests_total")
      .flatMap(({ matchers }) => matchers)
      .filter(({ label, op, value }) => label === "reason" && op.startsWith("=") && !value.includes("*"));
    for (const { value } of counted) {
      for (const reason of value.split("|")) {
        expect(gatewayPage.first).toMatch(
          new RegExp(
            `^vitrine_gateway_requests_total\\{route="/predict",code="\\w+",reason="${reason}"\\} 0$`,
            "m",
          ),
        );
      }
    }
    expect(counted.length).toBeGreaterThan(0);
  });

  it("ask for a percentile against a bound of its histogram, which no interpolation moves over it", () => {
    const slow = alerts.find(({ alert }) => alert === "VitrineSlow");
    const [, seconds] = /p95_5m > (\d+)/.exec(slow?.expr ?? "") ?? [];
    expect(gatewayPage.last).toMatch(
      new RegExp(`vitrine_gateway_request_duration_seconds_bucket{le="${seconds}",`),
    );
  });

  it("burn by the arithmetic of the objective: the budget of 30 days in 2 days, and in 5", () => {
    const budgetDays = (factor: number): number => 30 / factor;
    const factorOf = (name: string): number => {
      const rule = alerts.find(({ alert }) => alert === name);
      const [, factor, budget] = /> ([\d.]+) \* ([\d.]+) and/.exec(rule?.expr ?? "") ?? [];
      expect(budget).toBe("0.005");
      return Number(factor);
    };
    expect(budgetDays(factorOf("VitrineFailsFast"))).toBeCloseTo(2.08, 1);
    expect(budgetDays(factorOf("VitrineFailsSlowly"))).toBe(5);
  });
});

describe("the dashboard", () => {
  it("lays its panels out side by side, none over another", () => {
    const taken = new Set<string>();
    for (const { gridPos, title } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x},${y}`), title).toBe(false);
          taken.add(`${x},${y}`);
        }
      }
    }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });

  it("asks for variables that it has", () => {
    const names = dashboard.templating.list.map(({ name }) => name);
    const text = JSON.stringify(dashboard);
    const used = new Set([...text.matchAll(/\$(\w+)/g)].map(([, name]) => name));
    expect([...used].filter((name = "") => !name.startsWith("__")).sort()).toEqual([...names].sort());
  });
});

it("what is generated is fresh", () => {
  const { status, stderr } = spawnSync(process.execPath, [path.join(FOLDER, "generate.js"), "--check"]);
  expect([status, stderr.toString()]).toEqual([0, ""]);
});

it("the scrape configurations name the port and the labels that the pods have", () => {
  for (const [tier, folder] of [
    ["gateway", "base"],
    ["model-server", "base"],
    ["scaler", "components/scaler"],
  ] as const) {
    const [deployment] = textOf(ROOT, `deploy/k8s/${folder}/${tier}.yaml`)
      .split(/^---$/m)
      .map((document) => parseYaml(document))
      .filter(({ kind }) => kind === "Deployment");
    const { metadata, spec } = deployment.spec.template;
    const [container] = spec.containers;
    const admin = container.ports.find(({ name }: { name: string }) => name === "admin");
    expect(metadata.annotations["prometheus.io/port"]).toBe(String(admin.containerPort));
    expect(metadata.labels["app.kubernetes.io/name"]).toBe(tier);
    expect(textOf(FOLDER, "pod-monitors.yaml")).toContain(`app.kubernetes.io/name: ${tier}`);
    expect(container.name).toBe(tier);
  }
});
