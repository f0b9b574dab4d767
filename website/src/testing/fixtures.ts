import type { InfoResponse, PredictResponse } from "@vitrine/gateway/api";
import type { Photo } from "../photo.js";

export const info: InfoResponse = {
  model: { name: "clothing-model", version: "2", signature: "serving_default" },
  contract: `sha256:${"0".repeat(64)}`,
  labels: ["dress", "pants", "shirt"],
  score_kind: "logits",
  threshold: 0.5,
  explain: false,
  limits: {
    max_image_bytes: 10 * 1024 * 1024,
    max_image_pixels: 50_000_000,
    max_images: 8,
    timeout_ms: 20_000,
    media_types: ["image/jpeg", "image/png"],
  },
  picture: { width: 299, height: 299, filter: "nearest", decoder: "pillow", orientation: "ignore" },
  shrink: { keeps_answer: false, least_edge: null },
};

/** An answer with "pants" first. */
export function answerWith(changes: Partial<PredictResponse>): PredictResponse {
  return {
    predictions: { pants: 0.97, dress: 0.02, shirt: 0.01 },
    top_class: "pants",
    top_probability: 0.97,
    unsure: false,
    top: [
      { label: "pants", probability: 0.97 },
      { label: "dress", probability: 0.02 },
      { label: "shirt", probability: 0.01 },
    ],
    model: { name: "clothing-model", version: "2" },
    contract: info.contract,
    timings: { decode: 10, resize: 2, predict: 40, total: 54.6 },
    ...changes,
  };
}

export function filePhoto(name = "a.jpg", type = "image/jpeg", givenCount = 1): Photo {
  return { kind: "file", file: new File(["x"], name, { type }), previewUrl: "blob:a", givenCount };
}

export const linkPhoto: Photo = { kind: "link", url: "https://shop.example/a.jpg?token=1" };
