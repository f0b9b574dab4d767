/** How ONNX stores attributes whose kind a number or a text does not tell. */

/** Stored as float, whatever their value; all other numbers are integers. */
export const FLOAT_ATTRIBUTES: ReadonlySet<string> = new Set([
  "alpha",
  "beta",
  "gamma",
  "epsilon",
  "momentum",
  "bias",
  "lambd",
  "ratio",
  "cubic_coeff_a",
  "extrapolation_value",
  "spatial_scale",
  "value_float",
  "value_floats",
  "low",
  "high",
  "mean",
  "scale",
  "seed",
  "softcap",
  "clip",
  "activation_alpha",
  "activation_beta",
]);

/** An element type: its name in the graph, its number in ONNX. */
export const TYPE_ATTRIBUTES: ReadonlySet<string> = new Set(["to", "dtype", "output_dtype"]);
