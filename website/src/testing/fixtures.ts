import type { InfoResponse, PredictResponse } from "@vitrine/gateway/api";
import type { Item } from "../item.js";
import type { Photo } from "../photo.js";
import type { Say } from "../say.js";
import { en } from "../words/en.js";
import { formatsOf } from "../words/formats.js";

export const info: InfoResponse = {
  model: { name: "clothing-model", version: "2", signature: "serving_default" },
  contract: `sha256:${"0".repeat(64)}`,
  labels: ["dress", "pants", "shirt"],
  score_kind: "logits",
  threshold: 0.5,
  explain: false,
  explain_by: null,
  limits: {
    max_image_bytes: 10 * 1024 * 1024,
    max_image_pixels: 50_000_000,
    max_images: 8,
    max_explain_grid: 0,
    timeout_ms: 20_000,
    media_types: ["image/jpeg", "image/png"],
  },
  picture: { width: 299, height: 299, filter: "nearest", decoder: "pillow", orientation: "ignore" },
  shrink: { keeps_answer: false, least_edge: null },
  feedback: { enabled: false, keep_days: null },
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

export function filePhoto(name = "a.jpg", type = "image/jpeg", id = name): Photo {
  return { kind: "file", id, file: new File(["x"], name, { type }) };
}

export const linkPhoto: Photo = { kind: "link", id: "link", url: "https://shop.example/a.jpg?token=1" };

/** An item of one photo, or of the given ones, as it stands once it is answered. */
export function itemWith(changes: Partial<Item> = {}): Item {
  const photos = changes.photos ?? [filePhoto()];
  return {
    id: "item-1",
    photos,
    shownId: photos[0]?.id ?? "",
    answer: answerWith({}),
    chosenLabel: undefined,
    draft: { words: "", title: undefined },
    isTrial: false,
    ...changes,
  };
}

export const say: Say = { language: "en", words: en, formats: formatsOf("en", en) };
