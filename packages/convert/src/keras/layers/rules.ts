/** Which rule writes down which layer. */
import type { LayerConfig } from "../config.js";
import type { Unsupported } from "../fault.js";
import type { LayerRule } from "../layer-call.js";
import { activationLayer, elu, leakyReluLayer, prelu, relu, softmax, thresholdedRelu } from "./activation.js";
import { convolution, depthwise, separable, transposedConvolution } from "./convolution.js";
import {
  attention,
  customScale,
  dense,
  einsumDense,
  embedding,
  layerScale,
  multiHeadAttention,
  nothing,
} from "./core.js";
import { average, concatenate, dot, elementwise, merge } from "./merging.js";
import {
  batchNormalization,
  groupNormalization,
  layerNormalization,
  normalization,
  rmsNormalization,
  unitNormalization,
} from "./normalization.js";
import { operationRule } from "./operations.js";
import { adaptivePooling, globalPooling, pooling } from "./pooling.js";
import { centerCrop, randomCrop, rescaling, resizing } from "./preprocessing.js";
import { cropping, flatten, permute, repeatVector, reshape, upSampling, zeroPadding } from "./reshaping.js";

/** The same layer for one, two and three spatial axes. */
function ranked(
  name: string,
  make: (spatialRank: number) => LayerRule,
  ranks = [1, 2, 3],
): [string, LayerRule][] {
  return ranks.map((rank) => [`${name}${rank}D`, make(rank)]);
}

const RULES = new Map<string, LayerRule>([
  ...ranked("Conv", convolution),
  // Keras 1's names.
  ...ranked("Convolution", convolution),
  ["AtrousConvolution1D", convolution(1)],
  ["AtrousConvolution2D", convolution(2)],
  ...ranked("DepthwiseConv", depthwise, [1, 2]),
  ...ranked("SeparableConv", separable, [1, 2]),
  ["SeparableConvolution2D", separable(2)],
  ["Conv1DTranspose", transposedConvolution(1)],
  ["Conv2DTranspose", transposedConvolution(2)],
  ["Conv3DTranspose", transposedConvolution(3)],
  ...ranked("MaxPooling", (rank) => pooling("Max", rank)),
  ...ranked("AveragePooling", (rank) => pooling("Average", rank)),
  ...ranked("GlobalMaxPooling", (rank) => globalPooling("Max", rank)),
  ...ranked("GlobalAveragePooling", (rank) => globalPooling("Average", rank)),
  ...ranked("AdaptiveMaxPooling", (rank) => adaptivePooling("Max", rank)),
  ...ranked("AdaptiveAveragePooling", (rank) => adaptivePooling("Average", rank)),
  ["BatchNormalization", batchNormalization],
  ["BatchNormalizationV1", batchNormalization],
  ["BatchNormalizationV2", batchNormalization],
  ["SyncBatchNormalization", batchNormalization],
  ["LayerNormalization", layerNormalization],
  ["RMSNormalization", rmsNormalization],
  ["GroupNormalization", groupNormalization],
  ["UnitNormalization", unitNormalization],
  ["Normalization", normalization],
  ["Activation", activationLayer],
  ["ReLU", relu],
  ["LeakyReLU", leakyReluLayer],
  ["ELU", elu],
  ["PReLU", prelu],
  ["Softmax", softmax],
  ["ThresholdedReLU", thresholdedRelu],
  ["Dense", dense],
  ["EinsumDense", einsumDense],
  ["Embedding", embedding],
  ["MultiHeadAttention", multiHeadAttention],
  ["Attention", attention],
  ["Flatten", flatten],
  ["Reshape", reshape],
  ["Permute", permute],
  ["RepeatVector", repeatVector],
  ...ranked("ZeroPadding", zeroPadding),
  ...ranked("Cropping", cropping),
  ...ranked("UpSampling", upSampling),
  ["Add", elementwise("Add")],
  ["Subtract", elementwise("Sub")],
  ["Multiply", elementwise("Mul")],
  ["Maximum", elementwise("Max")],
  ["Minimum", elementwise("Min")],
  ["Average", average],
  ["Concatenate", concatenate],
  ["Dot", dot],
  ["Merge", merge],
  ["Rescaling", rescaling],
  ["Resizing", resizing],
  ["CenterCrop", centerCrop],
  ["RandomCrop", randomCrop],
  ["LayerScale", layerScale],
  ["CustomScaleLayer", customScale],
  ...[
    "Dropout",
    ...ranked("SpatialDropout", () => nothing).map(([name]) => name),
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "ActivityRegularization",
    "Identity",
    "StochasticDepth",
    "FixedDropout",
    "AugMix",
    "AutoContrast",
    "CutMix",
    "MixUp",
    "RandAugment",
    ...[
      "Brightness",
      "ColorDegeneration",
      "ColorJitter",
      "Contrast",
      "ElasticTransform",
      "Erasing",
      "Flip",
      "GaussianBlur",
      "Grayscale",
      "Height",
      "Hue",
      "Invert",
      "Perspective",
      "Posterization",
      "Rotation",
      "Saturation",
      "Sharpness",
      "Shear",
      "Translation",
      "Width",
      "Zoom",
    ].map((what) => `Random${what}`),
  ].map((name): [string, LayerRule] => [name, nothing]),
]);

/** Layers of keras.applications and its forks that HDF5 files call custom. Other custom layers may be anything. */
const REGISTERED_NAMES = new Map(
  ["CustomScaleLayer", "LayerScale", "StochasticDepth", "FixedDropout"].map((name) => [
    `Custom>${name}`,
    name,
  ]),
);

const TRAINED_WITH_CODE =
  "its code is not in the file: replace it by built-in layers, or export the model from Keras as a SavedModel";

/** What is known to be refused, and what would help more than the general advice. */
const ADVICE = new Map<string, string>([
  [
    "Lambda",
    "its Python code is never run: replace it by a built-in layer, or export the model from Keras as a SavedModel",
  ],
  ...["LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"].map(
    (name): [string, string] => [
      name,
      "recurrent layers are not converted: export the model to ONNX with tf2onnx",
    ],
  ),
  ...[
    "StringLookup",
    "IntegerLookup",
    "TextVectorization",
    "Hashing",
    "CategoryEncoding",
    "Discretization",
  ].map((name): [string, string] => [
    name,
    "take it out of the model and prepare its input before the request",
  ]),
]);

/**
 * InceptionResNetV2 of Keras 2 up to TensorFlow 2.12 adds its residuals in Lambda layers. What they compute is known from
 * where they come from; no code is run.
 */
function isInceptionResidual({ className, options }: LayerConfig): boolean {
  const { module, arguments: given } = options;
  return (
    className === "Lambda" &&
    typeof module === "string" &&
    module.endsWith("inception_resnet_v2") &&
    typeof given === "object" &&
    given !== null &&
    "scale" in given
  );
}

const inceptionResidual: LayerRule = (call) => {
  const given = call.options.any("arguments");
  return customScale(call.withOptions(typeof given === "object" && given !== null ? { ...given } : {}));
};

/** @returns the rule, or why there is none. */
export function ruleOf(layer: LayerConfig, path: string): LayerRule | Unsupported {
  if (isInceptionResidual(layer)) return inceptionResidual;
  const { className, options } = layer;
  const operation =
    className === "TFOpLambda" || className === "SlicingOpLambda" ? options.function : undefined;
  const isOperation = typeof operation === "string" || layer.isOperation;
  const rule = isOperation
    ? operationRule(typeof operation === "string" ? operation : className)
    : RULES.get(REGISTERED_NAMES.get(className) ?? className);
  if (rule !== undefined) return rule;
  const type = typeof operation === "string" ? `${className} of tf.${operation}` : className;
  return {
    layer: path,
    type,
    advice: ADVICE.get(className) ?? (isOperation ? "replace it by a built-in layer" : TRAINED_WITH_CODE),
  };
}
