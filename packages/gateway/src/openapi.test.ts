import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { docsPage } from "./docs-page.js";
import { openApiDocument } from "./openapi.js";

const documentSchema = z.object({
  openapi: z.literal("3.1.0"),
  info: z.object({ version: z.string() }),
  paths: z.record(
    z.string(),
    z.record(z.string(), z.object({ responses: z.record(z.string(), z.unknown()) })),
  ),
  components: z.object({ schemas: z.record(z.string(), z.looseObject({})) }),
});

describe("the OpenAPI document", () => {
  const document = documentSchema.parse(openApiDocument("1.2.3", false));
  const text = JSON.stringify(openApiDocument("1.2.3", false));

  it("names every route for programs", () => {
    expect(Object.keys(document.paths)).toEqual([
      "/predict",
      "/picture",
      "/feedback",
      "/feedback/{id}",
      "/info",
      "/health",
      "/livez",
      "/readyz",
      "/ping",
      "/metrics",
    ]);
    expect(Object.keys(document.paths["/predict"]!.post!.responses)).toEqual(
      "200 400 401 413 415 429 500 501 503 504".split(" "),
    );
  });

  it("defines every schema that it refers to, and refers to every one that it defines", () => {
    const used = [...text.matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name);
    expect(new Set(used)).toEqual(new Set(Object.keys(document.components.schemas)));
  });

  it("takes the schemas from those that the answers are held against", () => {
    expect(document.components.schemas.Problem).toMatchObject({
      type: "object",
      required: ["type", "title", "status", "detail", "code", "reason", "requestId"],
    });
    expect(text).not.toContain("$schema");
  });
});

describe("/docs", () => {
  const { html, policy } = docsPage("1.2.3");

  it("asks nobody else for anything", () => {
    expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain("unsafe");
  });

  it("has one script and one style, and its policy lets exactly these run", () => {
    for (const [tag, directive] of [
      ["script", "script-src"],
      ["style", "style-src"],
    ] as const) {
      const found = [...html.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, "g"))];
      expect(found).toHaveLength(1);
      const hash = createHash("sha256").update(found[0]![1]!).digest("base64");
      expect(policy).toContain(`${directive} 'sha256-${hash}'`);
    }
  });

  it("has a button, an output and a curl line for each example, and the script knows each", () => {
    const ids = [...html.matchAll(/<button type="button" id="(\w+)-run">/g)].map(([, id]) => id!);
    expect(ids).toEqual(["url", "form", "scores", "explain", "info", "ready"]);
    for (const id of ids) {
      expect(html).toContain(`<pre id="${id}-output"`);
      expect(html).toMatch(new RegExp(`\\n  ${id}: async`));
    }
    expect(html.match(/<pre class="curl">curl /g)).toHaveLength(ids.length);
  });
});
