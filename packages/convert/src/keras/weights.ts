/**
 * Weights by layer. HDF5 files of Keras name each weight and are matched by name; the weights of .keras files are numbered
 * within each layer, in the order in which the layer makes them, and their shapes are checked.
 */
import type { Constant } from "../graph/graph.js";
import type { LayerConfig } from "./config.js";
import { damaged } from "./fault.js";
import type { Hdf5 } from "./hdf5.js";
import type { LayerPart, LayerWeights } from "./layer-call.js";

export interface WeightStore {
  /** @param chain the models around the layer, outermost first, and the layer itself. */
  of(chain: readonly LayerLink[]): LayerWeights;
}

/** One step on the way to a layer. */
export interface LayerLink {
  readonly config: LayerConfig;
  /** All layers of the model that holds it. */
  readonly siblings: readonly LayerConfig[];
  /** The layer stands inside the one before it, as TimeDistributed's does. */
  readonly wrapped: boolean;
}

/** `model_weights` of an HDF5 file: a group for each layer of the outermost model, with the names of its weights. */
export function namedWeights(hdf5: Hdf5, root: string): WeightStore {
  const groups = new Map<string, readonly NamedWeight[]>();
  return {
    of: (chain) => ({
      take: (names, part) => {
        const [top] = chain;
        const group = `${root}/${top?.config.name ?? ""}`.replace("//", "/");
        const weights = groups.get(group) ?? weightsOfGroup(hdf5, group);
        groups.set(group, weights);
        return names.map((name) => taken(hdf5, findNamed(weights, chain, name, part), chain, name));
      },
    }),
  };
}

interface NamedWeight {
  /** Components of the weight's own name, without what counts variables (`:0`). */
  readonly parts: readonly string[];
  readonly path: string;
}

function weightsOfGroup({ groups }: Hdf5, group: string): NamedWeight[] {
  const names = textsOf(groups.get(group) ?? {}, "weight_names");
  return names.map((name) => ({
    parts: name.replace(/:\d+$/, "").split("/"),
    path: `${group}/${name}`,
  }));
}

/** A list of texts; long ones are in pieces: `weight_names0`, `weight_names1`, ... */
export function textsOf(
  attributes: Readonly<Record<string, string | readonly string[]>>,
  name: string,
): string[] {
  const whole = attributes[name];
  if (whole !== undefined) return [whole].flat();
  const texts: string[] = [];
  for (let piece = 0; attributes[`${name}${piece}`] !== undefined; piece++)
    texts.push(...[attributes[`${name}${piece}`] ?? []].flat());
  return texts;
}

/** What Keras 3 calls a weight that its layer gave no name, as ConvNeXt's LayerScale does. */
const UNNAMED = /^variable(_\d+)?$/;

/** Names that Keras 1 gave weights. */
const KERAS_1_SUFFIXES: Readonly<Record<string, string>> = {
  kernel: "_W",
  bias: "_b",
  gamma: "_gamma",
  beta: "_beta",
  moving_mean: "_running_mean",
  moving_variance: "_running_std",
  alpha: "_alphas",
  embeddings: "_W",
  depthwise_kernel: "_depthwise_kernel",
  pointwise_kernel: "_pointwise_kernel",
};

/**
 * Finds a weight of a layer in the group of the outermost model's layer: by its name, below the name of the layer it belongs
 * to when the group is that of a nested model. Of several that fit, the one with the most names of the chain before it.
 */
function findNamed(
  weights: readonly NamedWeight[],
  chain: readonly LayerLink[],
  name: string,
  part: LayerPart | undefined,
): string {
  const path = chain.map(({ config }) => config.name);
  const layer = path.at(-1) ?? "";
  const suffix = KERAS_1_SUFFIXES[name];
  const own = (parts: readonly string[]): boolean =>
    parts.at(-1) === name ||
    (suffix !== undefined && parts.length === 1 && (parts[0] ?? "").endsWith(suffix));
  const ofPart = ({ parts }: NamedWeight): boolean =>
    part === undefined || parts.at(-2) === part.name || parts.at(-2) === part.attribute;
  const named = weights.filter((weight) => own(weight.parts) && ofPart(weight));
  const fitting = named.length > 0 ? named : weights.filter(({ parts }) => UNNAMED.test(parts.at(-1) ?? ""));
  // A group of one layer holds that layer's weights alone, whatever scope they were made in.
  const direct = chain.length === 1 || (chain.length === 2 && chain[1]?.wrapped === true);
  const candidates = direct ? fitting : fitting.filter(({ parts }) => belongsTo(parts, layer));
  const scored = candidates.map((weight) => ({ weight, score: scoreOf(weight.parts, path) }));
  const best = Math.max(...scored.map(({ score }) => score));
  const winners = scored.filter(({ score }) => score === best);
  const [winner] = winners;
  const label = `${part === undefined ? "" : `${part.name}/`}${name}`;
  if (winner === undefined)
    throw damaged(`${path.join("/")}: the file had no weight ${label} for it${known(weights)}`);
  if (winners.length > 1)
    throw damaged(`${path.join("/")}: the file had ${winners.length} weights ${label} that may be its own`);
  return winner.weight.path;
}

/** Hands an array over for good, so that its memory can go when the graph has what it makes of it. */
function taken({ datasets }: Hdf5, path: string, chain: readonly LayerLink[], name: string): Constant {
  const constant = datasets.get(path);
  const layer = chain.map(({ config }) => config.name).join("/");
  if (constant === undefined)
    throw damaged(`${layer}: its weight ${name} was named but not stored as numbers`);
  datasets.delete(path);
  return constant;
}

function known(weights: readonly NamedWeight[]): string {
  if (weights.length === 0) return ", its group named none";
  const names = weights.slice(0, 5).map(({ parts }) => parts.join("/"));
  return `, only ${names.join(", ")}${weights.length > 5 ? ", …" : ""}`;
}

/** Whether the layer's name is among those before the weight's; it may hold slashes itself (`conv1/bn`). */
function belongsTo(parts: readonly string[], layer: string): boolean {
  const before = `/${parts.slice(0, -1).join("/")}/`;
  // Keras 1 has no scopes: conv2d_1_W.
  return before.includes(`/${layer}/`) || (parts.length === 1 && (parts[0] ?? "").startsWith(`${layer}_`));
}

/** The more of the models around the layer a name holds, the surer it is the layer's; what stands between counts against it. */
function scoreOf(parts: readonly string[], path: readonly string[]): number {
  const before = `/${parts.slice(0, -1).join("/")}/`;
  const found = path.filter((step) => before.includes(`/${step}/`)).length;
  return found * 100 - parts.length;
}

/** model.weights.h5 of a .keras file: `layers/conv2d_3/vars/0`, by class and number, not by name. */
export function numberedWeights(hdf5: Hdf5): WeightStore {
  return {
    of: (chain) => ({
      take: (names, part) => {
        const path = chain.map(({ config }) => config.name).join("/");
        const own = chain.map((link) => folderOf(link)).join("/");
        // Keras 2 keeps the parts of a layer under the names of its attributes, Keras 3 without their underscore.
        const parts = part === undefined ? [""] : [`/${part.attribute}`, `/_${part.attribute}`];
        const folders = parts.map((suffix) => own + suffix);
        const stored = ["layers/", "_layer_checkpoint_dependencies/"]
          .flatMap((root) => folders.map((folder) => `/${folder.replaceAll("layers/", root)}/vars`))
          .find((candidate) => hdf5.groups.has(candidate));
        const [folder = ""] = folders;
        if (stored === undefined) throw damaged(`${path}: the file had no weights for it at ${folder}`);
        const stated = hdf5.groups.get(stored)?.name;
        const layer = chain.at(-1)?.config.name;
        if (part === undefined && stated !== undefined && stated !== layer)
          throw damaged(
            `${path}: the weights at ${folder} were those of ${String(stated)}, expected ${layer}`,
          );
        return names.map((name, index) => taken(hdf5, `${stored}/${index}`, chain, name));
      },
    }),
  };
}

/** Keras numbers the layers of each class within their model. */
function folderOf({ config, siblings, wrapped }: LayerLink): string {
  if (wrapped) return "layer";
  const own = folderName(config);
  const before = siblings
    .slice(0, siblings.indexOf(config))
    .filter((layer) => !layer.isOperation && folderName(layer) === own).length;
  return `layers/${before === 0 ? own : `${own}_${before}`}`;
}

/** Keras' to_snake_case: `SeparableConv2D` -> `separable_conv2d`, `PReLU` -> `p_re_lu`. */
function folderName({ className }: LayerConfig): string {
  return className
    .replace(/\W+/g, "")
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}
