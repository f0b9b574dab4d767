#!/usr/bin/env node
/** Writes the table of docs/converting.md from what the golden suite found; with --check only says whether it is fresh. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ROOT } from "./processes.js";

const BEGIN = "<!-- table: node scripts/converting-docs.js -->\n";
const END = "<!-- end -->";

const read = (name) =>
  JSON.parse(readFileSync(path.join(ROOT, "packages", "convert", "golden", "keras", name), "utf8"));
const toOnnx = read("differences.json");
const toSavedModel = read("saved-model-differences.json");

const figure = (value) => (value === undefined ? "–" : value === 0 ? "0" : value.toExponential(0));

const rows = Object.keys(toOnnx)
  .sort()
  .map((name) => {
    const [model, keras] = name.split(".");
    const found = toSavedModel[name] ?? {};
    return [
      model,
      keras === "keras2" ? "2" : "3",
      figure(toOnnx[name]["model.h5"]),
      figure(toOnnx[name]["model.keras"]),
      figure(found.exported),
      figure(found.vitrine),
      figure(found.tensorflow),
    ];
  });
const head = [
  "model",
  "Keras",
  ".h5 → ONNX",
  ".keras → ONNX",
  "SavedModel → ONNX",
  "h5 → SavedModel",
  "in TensorFlow",
];
// Padded as the formatter pads it.
const widths = head.map((_, column) => Math.max(...[head, ...rows].map((cells) => cells[column].length)));
const row = (cells, fill = " ") =>
  `| ${cells.map((cell, column) => cell.padEnd(widths[column], fill)).join(" | ")} |\n`;
const rule = row(
  head.map(() => ""),
  "-",
);
const table = [row(head), rule, ...rows.map((cells) => row(cells))].join("");

const file = path.join(ROOT, "docs", "converting.md");
const before = readFileSync(file, "utf8");
const start = before.indexOf(BEGIN) + BEGIN.length;
const after = `${before.slice(0, start)}\n${table}\n${before.slice(before.indexOf(END))}`;

if (!process.argv.includes("--check")) writeFileSync(file, after);
else if (before !== after) {
  console.error(
    "docs/converting.md has another table than the goldens gave: run node scripts/converting-docs.js",
  );
  process.exitCode = 1;
}
