/** Rules of accessibility that a machine can check. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { AxeResults, RunOptions } from "axe-core";
import type { Page } from "playwright-core";
import { expect } from "vitest";

const SCRIPT = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Holds that axe finds nothing on the page as it stands, by the rules of WCAG 2.2 AA and by its own best practices. */
export async function expectAccessible(page: Page): Promise<void> {
  // By the debugger, as the page's policy lets no foreign script in.
  await page.evaluate(await readFile(SCRIPT, "utf8"));
  const { violations } = await page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: { run(root: Document, options: RunOptions): Promise<AxeResults> };
    };
    // The one rule of WCAG 2.2, which axe leaves out unless it is named.
    return await axe.run(document, { rules: { "target-size": { enabled: true } } });
  });
  expect(
    violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`),
  ).toEqual([]);
}
