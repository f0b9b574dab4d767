/** /docs: the API on one page, without a request to anybody else; its examples run against this gateway. */
import { createHash } from "node:crypto";
import { httpStatusOf, ServeError } from "@vitrine/protocol/status";
import { GATEWAY_REASON_NAMES, GATEWAY_REASONS, type GatewayReason } from "./reasons.js";
import { inlinePagePolicy } from "./security-headers.js";

export interface DocsPage {
  readonly html: string;
  readonly policy: string;
}

const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1d1b19, #eeebe6); --paper: light-dark(#fbfaf8, #191817);
  --line: light-dark(#d9d4cc, #3a3733); --accent: light-dark(#0b5f5a, #6fd0c6); }
body { margin: 0 auto; max-width: 52rem; padding: 2rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1rem; }
pre, input, button { font-size: .9rem; } pre, code { font-family: ui-monospace, monospace; }
pre { overflow: auto; max-height: 24rem; padding: .75rem; border: 1px solid var(--line); border-radius: .4rem; }
button { padding: .5rem 1.2rem; border: 1px solid var(--accent); border-radius: .4rem; background: none;
  color: var(--accent); font-weight: 600; cursor: pointer; }
label { display: block; margin: .5rem 0; } input[type=url] { box-sizing: border-box; width: 100%; padding: .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; } th, td { text-align: left; vertical-align: top;
  padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); } a { color: var(--accent); }
:target { outline: 2px solid var(--accent); }
`;

/** Runs in the browser. Each example makes a request as its curl line does and shows what came. */
const SCRIPT = `
"use strict";
const byId = (id) => document.getElementById(id);
const drawTrousers = () => new Promise((resolve) => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 400;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#f4f1ec"; pen.fillRect(0, 0, 400, 400);
  pen.fillStyle = "#33507a"; pen.beginPath();
  for (const [x, y] of [[130, 40], [270, 40], [300, 370], [225, 370], [200, 150], [175, 370], [100, 370]]) pen.lineTo(x, y);
  pen.fill();
  canvas.toBlob(resolve, "image/jpeg", 0.9);
});
const chosen = async (id) => byId(id).files.length > 0 ? [...byId(id).files] : [await drawTrousers()];
const examples = {
  url: async () => fetch("/predict?top_k=3", { method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ url: byId("url-input").value }) }),
  form: async () => {
    const form = new FormData();
    for (const file of await chosen("form-input")) form.append("file", file, file.name ?? "trousers.jpg");
    return fetch("/predict?top_k=3", { method: "POST", body: form });
  },
  scores: async () => {
    const [file] = await chosen("scores-input");
    return fetch("/predict?format=scores", { method: "POST", headers: { "content-type": file.type || "image/jpeg" }, body: file });
  },
  explain: async () => {
    const [file] = await chosen("explain-input");
    return fetch("/predict?explain=1&steps=1", { method: "POST", headers: { "content-type": file.type || "image/jpeg" }, body: file });
  },
  info: async () => fetch("/info"),
  ready: async () => fetch("/readyz"),
};
// Pictures inside JSON are cut off, and long lists of numbers written in one line.
const shortened = (_key, value) => typeof value === "string" && value.length > 200 ? value.slice(0, 60) + "…"
  : Array.isArray(value) && value.length > 20 && value.every(Number.isFinite) ? value.map((each) => each.toFixed(2)).join(" ") : value;
for (const [name, run] of Object.entries(examples)) {
  const output = byId(name + "-output");
  byId(name + "-run").addEventListener("click", async () => {
    output.hidden = false;
    output.textContent = "waiting …";
    try {
      const response = await run();
      const text = await response.text();
      const kept = ["server-timing", "x-model-version", "x-contract-digest", "retry-after"]
        .filter((header) => response.headers.has(header)).map((header) => header + ": " + response.headers.get(header));
      const body = /json/.test(response.headers.get("content-type") ?? "") ? JSON.stringify(JSON.parse(text), shortened, 2) : text;
      output.textContent = ["HTTP " + response.status, ...kept, "", body].join("\\n");
    } catch (error) {
      output.textContent = "no answer: " + error.message;
    }
  });
}
for (const code of document.querySelectorAll("pre.curl")) {
  code.textContent = code.textContent.replaceAll("http://localhost:9696", location.origin);
}
`;

interface Example {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly curl: string;
  readonly input?: string;
}

const EXAMPLES: readonly Example[] = [
  {
    id: "url",
    title: "A picture by its address",
    text: "The gateway fetches it, from public addresses only.",
    input: '<label>Address <input type="url" id="url-input" value="http://bit.ly/mlbookcamp-pants"></label>',
    curl: `curl -H 'content-type: application/json' -d '{"url": "http://bit.ly/mlbookcamp-pants"}' 'http://localhost:9696/predict?top_k=3'`,
  },
  {
    id: "form",
    title: "A file, or several photos of one item",
    text: "multipart/form-data with the field “file”, once or repeated. Without a file the example draws trousers.",
    input: '<label>Files <input type="file" id="form-input" accept="image/*" multiple></label>',
    curl: "curl -F file=@front.jpg -F file=@back.jpg 'http://localhost:9696/predict?top_k=3'",
  },
  {
    id: "scores",
    title: "The picture itself, raw scores back",
    text: "The body is the picture; the answer is the model's output for each label and nothing else.",
    input: '<label>File <input type="file" id="scores-input" accept="image/*"></label>',
    curl: "curl -H 'content-type: image/jpeg' --data-binary @photo.jpg 'http://localhost:9696/predict?format=scores'",
  },
  {
    id: "explain",
    title: "Why, and how",
    text: "Where on the picture the evidence lies, and what became of the picture on its way to the probabilities.",
    input: '<label>File <input type="file" id="explain-input" accept="image/*"></label>',
    curl: "curl -F file=@photo.jpg 'http://localhost:9696/predict?explain=1&steps=1'",
  },
  {
    id: "info",
    title: "What is served",
    text: "Model, labels, limits, and how a picture is treated.",
    curl: "curl 'http://localhost:9696/info'",
  },
  {
    id: "ready",
    title: "Ready or not",
    text: "200 when a picture can be answered now, else 503 and why.",
    curl: "curl 'http://localhost:9696/readyz'",
  },
];

/** Makes the page; it is the same until the process ends. */
export function docsPage(version: string): DocsPage {
  const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Vitrine: HTTP API</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
<h1>Vitrine</h1>
<p>HTTP API of the gateway, version ${version}. For programs: <a href="/openapi.json">/openapi.json</a>.</p>
${EXAMPLES.map(exampleHtml).join("\n")}
<h2 id="errors">Errors</h2>
<p>Every answer with a status of 400 or more is <code>application/problem+json</code> with <code>code</code>,
<code>reason</code> and <code>requestId</code>. Programs match on <code>reason</code>.</p>
<table>
<thead><tr><th>reason</th><th>HTTP</th><th>code</th><th>meaning</th></tr></thead>
<tbody>
${GATEWAY_REASON_NAMES.map(reasonHtml).join("\n")}
</tbody>
</table>
<script>${SCRIPT}</script>
</html>
`;
  return { html, policy: inlinePagePolicy({ script: sha256(SCRIPT), style: sha256(STYLE) }) };
}

function exampleHtml({ id, title, text, curl, input = "" }: Example): string {
  return `<section>
<h2>${title}</h2>
<p>${text}</p>
<pre class="curl">${escaped(curl)}</pre>
${input}
<button type="button" id="${id}-run">Run</button>
<pre id="${id}-output" role="status" hidden></pre>
</section>`;
}

function reasonHtml(reason: GatewayReason): string {
  const meaning = GATEWAY_REASONS[reason];
  const error = new ServeError(reason, meaning);
  return `<tr id="${reason}"><td><code>${reason}</code></td><td>${httpStatusOf(error)}</td><td>${error.code}</td><td>${escaped(meaning)}</td></tr>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}
