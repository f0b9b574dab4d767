/** What `--input-dtype uint8` puts into a graph gives the gateway's values to the bit. */

import { GraphBuilder } from "@vitrine/convert/graph/graph-builder";
import { takePixels } from "@vitrine/convert/graph/input-pixels";
import { runGraph } from "@vitrine/convert/run-graph";
import { tensorOf } from "@vitrine/gateway/pixels/normalize";
import { planPreprocessing } from "@vitrine/gateway/preprocess-plan";
import { contractFromFiles } from "@vitrine/protocol/contract";
import { DataType } from "@vitrine/protocol/tensor";
import { describe, expect, it } from "vitest";

const MEAN_AND_STD = { image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] };
const PLAIN = { do_rescale: false, do_normalize: false };

const CONTRACTS: Readonly<Record<string, Record<string, unknown>>> = {
  "pixels as they are": PLAIN,
  "Keras tf": { vitrine: { preset: "tf" } },
  "Keras torch": { vitrine: { preset: "torch" } },
  "Keras caffe": { vitrine: { preset: "caffe" } },
  "rescale only": { do_normalize: false },
  "rescale by a factor that float32 cannot do": { do_normalize: false, rescale_factor: 0.1237 },
  "normalize only": { do_rescale: false, ...MEAN_AND_STD },
  "Hugging Face": MEAN_AND_STD,
  "Hugging Face, 1/127.5 and an offset": {
    rescale_factor: 1 / 127.5,
    rescale_offset: true,
    do_normalize: false,
  },
  "EfficientNet with include_top": { ...MEAN_AND_STD, include_top: true },
  "Hugging Face Fast": { ...MEAN_AND_STD, image_processor_type: "ViTImageProcessorFast" },
  "Hugging Face Fast, rescale only": { do_normalize: false, image_processor_type: "ViTImageProcessorFast" },
  torchvision: { ...MEAN_AND_STD, vitrine: { backend: "transforms" } },
  "MobileViT, blue first": { do_normalize: false, do_flip_channel_order: true },
  "blue first, one mean per channel": { ...MEAN_AND_STD, do_flip_channel_order: true },
};

/** Every sample in every channel. */
const HEIGHT = 16;
const WIDTH = 48;
const pixels = Uint8Array.from(
  { length: HEIGHT * WIDTH * 3 },
  (_, index) => Math.floor(index / 3) + (index % 3) * 85,
);

describe("the arithmetic of a contract in the graph is the gateway's to the bit", () => {
  for (const layout of ["NHWC", "NCHW"] as const) {
    it.each(Object.entries(CONTRACTS))(`%s, a ${layout} model`, async (_, contract) => {
      const { vitrine } = contract as { vitrine?: object };
      const files = { size: { height: HEIGHT, width: WIDTH }, ...contract, vitrine: { ...vitrine, layout } };
      const { preprocessor } = contractFromFiles({ id2label: { 0: "a" } }, files);
      const shape = layout === "NHWC" ? [-1, HEIGHT, WIDTH, 3] : [-1, 3, HEIGHT, WIDTH];
      const builder = new GraphBuilder("plain");
      const picture = builder.input("picture", "float32", shape);
      builder.output("same", picture, "float32", undefined);
      const graph = takePixels(builder.build(), preprocessor);
      expect(graph.inputs).toMatchObject([
        { alias: "picture", type: "uint8", shape: [-1, HEIGHT, WIDTH, 3] },
      ]);

      const plan = planPreprocessing(preprocessor, { dtype: DataType.DT_FLOAT, shape });
      const expected = tensorOf(
        { width: WIDTH, height: HEIGHT, pixels },
        plan.arithmetic,
        plan.isBgr,
        layout,
        DataType.DT_FLOAT,
      );
      const fed = { dtype: DataType.DT_UINT8, shape: [1, HEIGHT, WIDTH, 3], data: pixels };
      const given = (await runGraph(graph, new Map([["picture", fed]]))).get("same");
      expect(given?.shape).toEqual(expected.shape);
      expect(given?.data).toEqual(expected.data);
    });
  }
});
