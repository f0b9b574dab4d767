/** A load's result as a table for a person. */
import type { BenchResult } from "./result.js";
import type { Summary } from "./series.js";

const MEBIBYTE = 1024 * 1024;
const NAME_WIDTH = 16;
const COLUMN_WIDTH = 9;

/** What a reader cannot guess from a stage's name. */
const STAGE_NOTES: Readonly<Record<string, string>> = {
  network: "the way to the gateway and back, HTTP, the upload",
  waiting: "for a thread that decodes, and all between the stages",
  predict: "the model tier and the way there and back",
};

export function reportOf(result: BenchResult): string {
  const { latency_ms: latency, pictures, load } = result;
  const lines = [
    `${result.target}: ${pictures.name}, ${(pictures.mean_bytes / 1000).toFixed(1)} kB each`,
    `${loadText(load)}, ${result.seconds.toFixed(1)} s after the warm-up, on ${result.machine.cores} cores (${result.machine.processor})`,
    "",
    line("per second", result.per_second.toFixed(1)),
    line("answered", String(result.answered)),
    line("failed", failuresText(result)),
    line(
      "bytes",
      `${megabytes(result.sent_bytes_per_second)} out, ${megabytes(result.received_bytes_per_second)} in`,
    ),
  ];
  if (latency !== null) {
    const columns = ["mean", "p50", "p90", "p95", "p99", "max"];
    lines.push("", row("milliseconds", columns), timesRow("answer", latency));
    for (const [stage, times] of Object.entries(result.stages_ms)) {
      const note = STAGE_NOTES[stage];
      lines.push(`${timesRow(`  ${stage}`, times)}${note === undefined ? "" : `   ${note}`}`);
      if (stage === "predict" && result.model_server_ms !== null) {
        const { queue, inference } = result.model_server_ms;
        lines.push(row("    queue", [queue.toFixed(1)]), row("    inference", [inference.toFixed(1)]));
      }
    }
  }
  if (result.tiers !== null) {
    lines.push("", row("", ["CPU ms", "MiB", "most MiB"]));
    const tiers = [
      ["gateway", result.tiers.gateway],
      ["model server", result.tiers.model_server],
    ] as const;
    for (const [name, tier] of tiers) {
      const memory = [tier.resident_bytes, tier.peak_bytes].map((bytes) => (bytes / MEBIBYTE).toFixed(0));
      lines.push(row(name, [tier.cpu_ms_per_picture.toFixed(1), ...memory]));
    }
    lines.push("CPU per picture; the most memory at any time since the start.");
  }
  const { cores, busy_share: busy } = result.loader;
  lines.push(
    "",
    `The loader took ${cores.toFixed(2)} cores and was at work ${Math.round(100 * busy)} % of the time.`,
  );
  for (const warning of result.warnings) lines.push(`Note: ${warning}.`);
  return `${lines.join("\n")}\n`;
}

function loadText(load: BenchResult["load"]): string {
  return load.kind === "closed"
    ? `closed loop, ${load.concurrency} ${load.concurrency === 1 ? "caller" : "callers"}`
    : `open loop, ${load.per_second} per second (${load.arrivals} arrivals)`;
}

function failuresText({ failed, failures, answered }: BenchResult): string {
  if (failed === 0) return "0";
  const reasons = Object.entries(failures).map(([reason, count]) => `${reason} ${count}`);
  return `${failed} of ${failed + answered}: ${reasons.join(", ")}`;
}

function megabytes(bytesPerSecond: number): string {
  return `${(bytesPerSecond / 1e6).toFixed(2)} MB/s`;
}

function line(name: string, text: string): string {
  return `${name.padEnd(NAME_WIDTH)}${text}`;
}

function timesRow(name: string, { mean, p50, p90, p95, p99, max }: Summary): string {
  return row(
    name,
    [mean, p50, p90, p95, p99, max].map((ms) => ms.toFixed(1)),
  );
}

function row(name: string, cells: readonly string[]): string {
  return `${name.padEnd(NAME_WIDTH)}${cells.map((cell) => cell.padStart(COLUMN_WIDTH)).join("")}`;
}
