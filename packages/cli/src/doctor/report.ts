/** Findings as text for a person and as JSON for a program. */
import { bySeverity, type Finding } from "./finding.js";

export interface Examination {
  /** What was looked at, such as `this machine` or `cluster kind-vitrine (vitrine)`. */
  readonly examined: readonly string[];
  readonly findings: readonly Finding[];
}

/** The most severe first, each with its mends; a last line that counts them. */
export function reportText({ examined, findings }: Examination): string {
  const blocks = bySeverity(findings).map(findingText);
  return `${[...blocks, summary({ examined, findings })].join("\n")}\n`;
}

function findingText({ id, severity, subject, problem, seen, why, mends }: Finding): string {
  const lines = [`${severity === "fault" ? "FAULT  " : "WARNING"}  ${subject}: ${problem}  [${id}]`];
  lines.push(`  seen  ${seen}`, `  why   ${why}`);
  for (const { does, command, safe } of mends) {
    lines.push(`  mend  ${does}${safe === undefined ? "" : "  (--fix does it)"}`);
    if (command !== undefined) lines.push(`        $ ${command}`);
  }
  return `${lines.join("\n")}\n`;
}

function summary({ examined, findings }: Examination): string {
  const { faults, warnings } = countOf(findings);
  const counts = `${plural(faults, "fault")}, ${plural(warnings, "warning")}`;
  return `${findings.length === 0 ? "nothing wrong" : counts}: looked at ${examined.join("; ")}`;
}

export function countOf(findings: readonly Finding[]): { faults: number; warnings: number } {
  const faults = findings.filter(({ severity }) => severity === "fault").length;
  return { faults, warnings: findings.length - faults };
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** Stable: members are added, never renamed. */
export function reportJson({ examined, findings }: Examination): string {
  const json = {
    examined,
    ...countOf(findings),
    findings: bySeverity(findings).map(({ id, severity, subject, problem, seen, why, mends }) => ({
      id,
      severity,
      subject,
      problem,
      seen,
      why,
      mends: mends.map(({ does, command, safe }) => ({
        does,
        command: command ?? null,
        safe: safe !== undefined,
        undo: safe?.undo ?? null,
      })),
    })),
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}
