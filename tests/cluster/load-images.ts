/** Before all tests of a run: gives the nodes the images of both tiers, as they were built. */
import { loadImages } from "./cluster.js";

export default function setup(): Promise<void> {
  return loadImages("vitrine/gateway:dev", "vitrine/clothing-model:dev");
}
