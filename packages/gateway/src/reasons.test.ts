import { readFile } from "node:fs/promises";
import { httpStatusOf, REASONS, type Reason, ServeError } from "@vitrine/protocol/status";
import { beforeAll, describe, expect, it } from "vitest";
import { docsPage } from "./docs-page.js";
import { GATEWAY_REASON_NAMES, GATEWAY_REASONS } from "./reasons.js";

interface Row {
  readonly code: string;
  readonly http: string;
  readonly meaning: string;
}

/** Reason to its row in docs/errors.md. */
const rows = new Map<string, Row>();

beforeAll(async () => {
  const text = await readFile(new URL("../../../docs/errors.md", import.meta.url), "utf8");
  for (const line of text.split("\n")) {
    const [, reason, code, http, meaning] = line.split("|").map((cell) => cell.trim());
    const name = /^`([A-Z_]+)`$/.exec(reason ?? "")?.[1];
    if (name !== undefined) rows.set(name, { code: code!, http: http!, meaning: meaning! });
  }
});

const reasons = Object.keys(REASONS) as Reason[];

describe("docs/errors.md", () => {
  it("lists exactly the reasons of the catalogue, in its order within each table", () => {
    expect([...rows.keys()].sort()).toEqual([...reasons].sort());
    expect([...rows.keys()].filter((reason) => reason in GATEWAY_REASONS)).toEqual(GATEWAY_REASON_NAMES);
  });

  it.each(reasons)("gives %s its code and HTTP status", (reason) => {
    const status = httpStatusOf(new ServeError(reason, ""));
    expect(rows.get(reason)).toMatchObject({ code: REASONS[reason], http: String(status) });
  });

  it.each(GATEWAY_REASON_NAMES)("means by %s what /docs does, where the problem's type leads", (reason) => {
    expect(rows.get(reason)?.meaning).toBe(GATEWAY_REASONS[reason]);
    expect(docsPage("0.0.0").html).toContain(`<tr id="${reason}">`);
  });
});
