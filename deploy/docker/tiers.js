/** What goes into the image of each tier. */

/**
 * @typedef {object} Tier
 * @property {readonly string[]} commands of `vitrine` that run in the image.
 * @property {readonly string[]} leaveOut packages that its dependencies name and its commands do not load.
 * @property {boolean} website whether the page goes with it.
 * @property {readonly string[]} nodeFlags that Node.js is started with, as the entry point has them.
 */

/** @type {Readonly<Record<"gateway" | "model-server", Tier>>} */
export const TIERS = {
  gateway: {
    commands: ["gateway", "classify", "bench", "doctor", "feedback", "scaler"],
    // Reads .h5 and .keras files, for doctor before a folder with one; the model server's image has it.
    leaveOut: ["h5wasm"],
    website: true,
    nodeFlags: [],
  },
  "model-server": {
    commands: ["serve", "inspect", "convert"],
    // For ONNX Runtime's own download of its CUDA build.
    leaveOut: ["global-agent", "adm-zip"],
    website: false,
    nodeFlags: ["--max-semi-space-size=1"],
  },
};
