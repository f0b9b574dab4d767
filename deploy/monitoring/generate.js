#!/usr/bin/env node
/** Writes gen/dashboard.json and gen/prometheus-rule.yaml; with --check only says whether they are fresh. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { dashboard } from "./dashboard.js";

const folder = import.meta.dirname;
const rules = readFileSync(path.join(folder, "rules.yaml"), "utf8");

/** The operator's object holds the same text, deeper. */
const prometheusRule = `# Generated from rules.yaml by deploy/monitoring/generate.js.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: vitrine
spec:
${rules.slice(rules.indexOf("groups:")).replace(/^(?=.)/gm, "  ")}`;

const products = {
  "dashboard.json": `${JSON.stringify(dashboard, undefined, 2)}\n`,
  "prometheus-rule.yaml": prometheusRule,
};
for (const [name, text] of Object.entries(products)) {
  const file = path.join(folder, "gen", name);
  if (!process.argv.includes("--check")) writeFileSync(file, text);
  else if (readFileSync(file, "utf8") !== text) {
    process.stderr.write(`${file} is not what its source says: run node deploy/monitoring/generate.js\n`);
    process.exitCode = 1;
  }
}
