/**
 * Every JSON body of the gateway, as schemas. openapi.ts publishes them, the tests hold the answers against
 * them, and the website takes its types from here.
 */
import { z } from "zod";

/** Values of `?format=`. */
export const RESPONSE_FORMATS = ["predictions", "scores"] as const;

export type ResponseFormat = (typeof RESPONSE_FORMATS)[number];

/** How a heat map was made. */
export const HEATMAP_METHODS = ["activation", "occlusion"] as const;

const probability = z.number().min(0).max(1);

/** Body of `POST /predict` with `content-type: application/json`. Members that it does not name are ignored. */
export const predictRequestSchema = z.union([
  z.object({
    url: z.string().describe("http or https address of one picture"),
    urls: z.never().optional(),
  }),
  z.object({
    urls: z.array(z.string()).min(1).describe("addresses of several photos of one item"),
    url: z.never().optional(),
  }),
]);

const labelledProbabilitySchema = z.object({ label: z.string(), probability });

const modelSchema = z.object({
  name: z.string(),
  version: z.string().describe("decimal digits; a string because versions are 64-bit"),
});

const photoIndex = z
  .int()
  .min(0)
  .describe("which photo of the item, from 0 on: the one that speaks for `top_class` most");

const areaSchema = z
  .object({ x: z.number(), y: z.number(), width: z.number().positive(), height: z.number().positive() })
  .describe(
    "what of the picture the model sees, in shares of the picture's width and height, from its upper left corner; below 0 or beyond 1 where the model's input is padded",
  );

const exifOrientation = z.int().min(1).max(8);

const heatmapSchema = z.object({
  width: z.int().positive(),
  height: z.int().positive(),
  values: z.array(z.number().min(0).max(1)).describe("row-major, width x height values; the strongest is 1"),
  method: z
    .enum(HEATMAP_METHODS)
    .describe("activation: the model's own map; occlusion: parts of the picture were hidden, one by one"),
  photo: photoIndex,
  area: areaSchema,
  orientation: exifOrientation.describe(
    "how picture and map are still to be turned to be upright, as EXIF counts; other than 1 only where the contract ignores EXIF",
  ),
  flat: z.boolean().describe("no part stands out; all values are 0"),
  drop: probability
    .optional()
    .describe("of an occlusion: how much the probability of `top_class` fell at most when a part was hidden"),
});

const stepsSchema = z.object({
  photo: photoIndex,
  original: z.object({
    format: z.string().describe("jpeg, png, webp, …"),
    bytes: z.int(),
    width: z.int().describe("as stored"),
    height: z.int(),
    orientation: exifOrientation.describe("of the file's EXIF tag; 1: as stored, or no tag"),
  }),
  upright: z.object({
    width: z.int(),
    height: z.int(),
    used: z.boolean().describe("false: the contract takes pixels as they are stored"),
  }),
  input: z.object({
    name: z.string().describe("of the model's input"),
    dtype: z.enum(["uint8", "float32"]),
    layout: z.enum(["NHWC", "NCHW"]),
    width: z.int(),
    height: z.int(),
    area: areaSchema,
    channels: z
      .array(
        z.object({
          colour: z.enum(["red", "green", "blue"]),
          min: z.number(),
          max: z.number(),
          mean: z.number(),
        }),
      )
      .describe(
        "range of the tensor's values, channel by channel in the tensor's order; of every so-many-th pixel where the input is wider or higher than 1024",
      ),
    picture: z
      .string()
      .describe("what the model sees, as a `data:` URL of a PNG; at most 1024 pixels wide and high"),
    picture_is_exact: z
      .boolean()
      .describe("the PNG shows every value of the tensor; false: rounded to 8 bits, or made smaller"),
  }),
  scores: z.record(z.string(), z.number()).describe("the model's raw output of each label"),
  temperature: z.number().positive().describe("what logits are divided by before softmax"),
  probabilities: z.record(z.string(), probability).describe("of that photo alone"),
});

export const predictResponseSchema = z.object({
  predictions: z
    .record(z.string(), probability)
    .describe("probability of every label, in the model's label order; they sum to 1"),
  top_class: z.string().describe("label of the greatest probability"),
  top_probability: probability,
  unsure: z.boolean().describe("top_probability is below the threshold of the model's contract"),
  top: z
    .array(labelledProbabilitySchema)
    .optional()
    .describe("the `top_k` most probable labels, best first; only when asked for"),
  photos: z
    .array(z.object({ top_class: z.string(), top_probability: probability }))
    .optional()
    .describe("each photo by itself, in the order sent; only when several were sent"),
  heatmap: heatmapSchema
    .optional()
    .describe("where the evidence for `top_class` lies; only with `explain=1`"),
  steps: stepsSchema
    .optional()
    .describe("the steps of one photo from file to probabilities; only with `steps=1`"),
  model: modelSchema,
  contract: z.string().describe("digest of the model's contract, `sha256:` and 64 hex digits"),
  timings: z
    .object({
      fetch: z.number().optional().describe("fetching the pictures from their URLs"),
      decode: z.number(),
      resize: z.number(),
      predict: z.number().describe("the model tier and the way there and back"),
      explain: z.number().optional().describe("what `explain` and `steps` took on top"),
      total: z.number(),
    })
    .describe("milliseconds; of several photos, their sum"),
});

/** Answer with `?format=scores`: the model's raw output of each label, in label order. */
export const scoresResponseSchema = z.record(z.string(), z.number());

export const infoResponseSchema = z.object({
  model: modelSchema.extend({ signature: z.string() }),
  contract: z.string().describe("digest of the model's contract"),
  labels: z.array(z.string()).describe("in the order of the model's output"),
  score_kind: z.enum(["logits", "probabilities"]).describe("what `?format=scores` answers"),
  threshold: probability.nullable().describe("`unsure` is true below it; null: the contract names none"),
  explain: z.boolean().describe("`?explain=1` is answered"),
  explain_by: z
    .enum(HEATMAP_METHODS)
    .nullable()
    .describe("what `?explain=1` is answered by; null: it is not"),
  limits: z.object({
    max_image_bytes: z.int(),
    max_image_pixels: z.int(),
    max_images: z.int().describe("photos of one item in one request"),
    max_explain_grid: z.int().describe("greatest `explain_grid`; 0: nothing is explained by occlusion"),
    timeout_ms: z.int(),
    media_types: z.array(z.string()).describe("kinds of picture that are decoded"),
  }),
  picture: z.object({
    width: z.int().nullable().describe("of the model's input; null: of any size"),
    height: z.int().nullable(),
    filter: z
      .string()
      .describe("of the resize, named as the library calls it that the contract names; bilinear for one"),
    decoder: z
      .enum(["pillow", "tensorflow"])
      .describe(
        "whose JPEG decoder the model was trained on. The pixels are its own, with tensorflow but for rare kinds of JPEG, which are up to 6 steps of 255 apart at usual qualities",
      ),
    orientation: z
      .enum(["exif", "ignore"])
      .describe("exif: turned upright as the EXIF tag says; ignore: pixels as they are stored"),
  }),
  shrink: z
    .object({
      keeps_answer: z
        .boolean()
        .describe(
          "the resize averages, so a shrunk picture gives nearly the original's tensor, and its top label but for near ties; docs/http-api.md says what is promised",
        ),
      least_edge: z.int().nullable().describe("shorter edge, in pixels, to shrink to at most"),
    })
    .describe("whether a client may shrink a picture to save upload time"),
  feedback: z
    .object({
      enabled: z.boolean().describe("`POST /feedback` keeps corrections here"),
      keep_days: z.int().nullable().describe("after so many days they are removed; null: none are kept"),
    })
    .describe("whether pictures and right labels are kept, from those who agree to it"),
});

/** Answer of `POST /feedback`. */
export const feedbackResponseSchema = z.object({
  id: z.string().describe("takes the correction back: DELETE /feedback/ID; nobody else knows it"),
  label: z.string(),
  pictures: z.int().positive().describe("photos that are kept; the same one twice counts once"),
  stored_at: z.iso.datetime(),
  delete_after: z.iso.datetime().describe("when the gateway removes it by itself"),
  withdraw: z.string().describe("path and query to send DELETE to"),
});

export const healthResponseSchema = z.object({ status: z.literal("healthy") });

export const readyResponseSchema = z.object({ status: z.literal("ready"), model: modelSchema });

/** RFC 9457 problem details: every answer of the gateway with a status of 400 or more. */
export const problemSchema = z.object({
  type: z.string().describe("URI reference of the reason's description"),
  title: z.string().describe("the HTTP status in words"),
  status: z.int(),
  detail: z.string().describe("what was wrong and what was expected, for a person"),
  code: z.string().describe("gRPC's status code by name"),
  reason: z.string().describe("stable word for programs; docs/errors.md lists all"),
  photo: z
    .int()
    .min(0)
    .optional()
    .describe(
      "whose fault it is: of several photos or urls sent, the one found at fault first, from 0 on in the order sent",
    ),
  requestId: z.string(),
});

export type PredictRequest = z.output<typeof predictRequestSchema>;
export type PredictResponse = z.output<typeof predictResponseSchema>;
export type ScoresResponse = z.output<typeof scoresResponseSchema>;
export type InfoResponse = z.output<typeof infoResponseSchema>;
export type FeedbackResponse = z.output<typeof feedbackResponseSchema>;
export type ReadyResponse = z.output<typeof readyResponseSchema>;
export type Problem = z.output<typeof problemSchema>;
