/**
 * A user of the course keeps the model and the flags, and changes the programs: the SavedModel that Keras wrote behind
 * `vitrine serve`, `vitrine gateway --preprocess xception` in front of it, and the scores that Keras gives for the photo
 * (course/scores.json, made by course/generate.py).
 */
import { cpSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openGolden } from "../../packages/convert/src/testing/golden.js";
import { type AtEnd, DRAWING, startVitrine } from "./vitrine.js";

const LABELS = [
  "dress",
  "hat",
  "longsleeve",
  "outwear",
  "pants",
  "shirt",
  "shoes",
  "shorts",
  "skirt",
  "t-shirt",
];
const SCORES: Record<string, number> = JSON.parse(
  readFileSync(new URL("course/scores.json", import.meta.url), "utf8"),
);
/** Of the range of the scores, 4.4. */
const TOLERANCE = 1e-4 * 4.4;

const ends: (() => void)[] = [];
const atEnd: AtEnd = (end) => ends.push(end);
let folder: string;
let url: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "vitrine-course-"));
  const golden = openGolden("course.keras2");
  cpSync(path.join(golden.folder, "saved-model"), path.join(folder, "models/clothing-model/1"), {
    recursive: true,
  });
  golden.remove();
  const server = startVitrine(
    ["serve", "--port=auto", "--rest_api_port=0", "--host=127.0.0.1"],
    { MODEL_NAME: "clothing-model", MODEL_BASE_PATH: path.join(folder, "models") },
    atEnd,
  );
  const [, grpc = ""] = await server.says(/grpc:\/\/(\S+)/);
  const gateway = startVitrine(
    [
      ...[
        "gateway",
        "--host=127.0.0.1",
        "--port=0",
        "--preprocess=xception",
        "--size=75",
        "--resample=nearest",
      ],
      ...["--orientation=ignore", "--score-kind=logits", `--labels=${LABELS.join(",")}`],
    ],
    { TF_SERVING_HOST: grpc },
    atEnd,
  );
  [, url = ""] = await gateway.says(/^ready (\S+)$/m);
});

afterAll(async () => {
  for (const end of ends) end();
  await rm(folder, { recursive: true, force: true });
});

async function predict(query = ""): Promise<{ response: Response; text: string }> {
  const body = new Uint8Array(await readFile(DRAWING));
  const headers = { "content-type": "image/jpeg" };
  const response = await fetch(`${url}/predict${query}`, { method: "POST", headers, body });
  return { response, text: await response.text() };
}

describe("the course's gateway", () => {
  it("is answered with its own map: ten labels in their order, raw scores, nothing else", async () => {
    const { response, text } = await predict("?format=scores");
    expect(response.headers.get("content-type")).toMatch(/^application\/json/);
    const scores: unknown = JSON.parse(text);
    expect(Object.keys(scores as object)).toEqual(LABELS);
    for (const [label, score] of Object.entries(scores as Record<string, number>)) {
      expect(Math.abs(score - (SCORES[label] ?? Number.NaN)), label).toBeLessThan(TOLERANCE);
    }
    // Each value as JSON writes a float, the object without spaces or anything beside it.
    expect(text).toMatch(/^\{("[a-z-]+":-?\d+(\.\d+)?(e-?\d+)?,?){10}\}$/);
  });
});

describe("the workshop's service", () => {
  it("is answered with its three members, with probabilities where it had scores", async () => {
    const answer = JSON.parse((await predict()).text);
    const exponents = LABELS.map((label) => Math.exp(SCORES[label] ?? Number.NaN));
    const sum = exponents.reduce((total, each) => total + each, 0);
    expect(Object.keys(answer).slice(0, 3)).toEqual(["predictions", "top_class", "top_probability"]);
    expect(Object.keys(answer.predictions)).toEqual(LABELS);
    expect(answer.top_class).toBe("pants");
    expect(answer.top_probability).toBeCloseTo((exponents[LABELS.indexOf("pants")] ?? 0) / sum, 4);
  });

  it("has its health route", async () => {
    const response = await fetch(`${url}/health`);
    expect(await response.json()).toEqual({ status: "healthy" });
  });
});
