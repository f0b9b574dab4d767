/** An export of Hugging Face's, as it lies on disk: no version folder, no keys of ours, every size open. */
import { fileURLToPath } from "node:url";
import { predictResponseSchema } from "@vitrine/gateway/api";
import { expect, test } from "vitest";
import { startUp } from "./vitrine.js";

const EXPORT = fileURLToPath(new URL("hugging-face-export", import.meta.url));

/** 48 x 40 pixels of pure red. */
const RED = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAADAAAAAoCAIAAAA35e4mAAAAMklEQVR42u3OAQ0AAAgDoGv/zlrDTUhATW7pCAkJCQkJCQkJCQkJCQkJCQkJCQkJPQotMscBTzuxpZQAAAAASUVORK5CYII=",
  "base64",
);

test("an export is served as it is, channels first", async () => {
  const up = await startUp([EXPORT, "--log-level=warn"]);
  const response = await fetch(`${up.url}/predict`, {
    method: "POST",
    body: RED,
    headers: { "content-type": "image/png" },
  });
  const answer = predictResponseSchema.parse(await response.json());
  // Means of 1 and -1, which is (255 / 255 - 0.5) / 0.5 and (0 - 0.5) / 0.5, through softmax.
  expect(answer.predictions.red).toBeCloseTo(1 / (1 + Math.exp(-2)), 5);
  expect(answer.model).toEqual({ name: "hugging-face-export", version: "1" });
  // Zeros of the contract's size warmed it.
  expect(up.stderr()).not.toContain("warm-up");
});
