/** What kind of cluster it is, and how an image gets onto its nodes. */
import { type Mend, mend } from "../finding.js";
import { mendIf } from "./changes.js";
import type { ClusterSnapshot } from "./snapshot.js";

export type Place =
  | { readonly kind: "kind"; readonly name: string }
  | { readonly kind: "minikube"; readonly name: string }
  | { readonly kind: "k3d"; readonly name: string }
  /** Shares this machine's images. */
  | { readonly kind: "docker-desktop" }
  | { readonly kind: "eks" }
  | { readonly kind: "other" };

/** By what the nodes say of themselves. */
export function placeOf({ nodes, serverVersion }: ClusterSnapshot): Place {
  for (const { metadata, spec } of nodes) {
    const kind = /^kind:\/\/[^/]+\/([^/]+)\//.exec(spec.providerID ?? "")?.[1];
    if (kind !== undefined) return { kind: "kind", name: kind };
    const profile = metadata.labels["minikube.k8s.io/name"];
    if (profile !== undefined) return { kind: "minikube", name: profile };
    const k3d = /^k3d-(.+)-(?:server|agent)-\d+$/.exec(metadata.name)?.[1];
    if (k3d !== undefined) return { kind: "k3d", name: k3d };
    if (metadata.name === "docker-desktop") return { kind: "docker-desktop" };
  }
  return serverVersion?.includes("-eks-") ? { kind: "eks" } : { kind: "other" };
}

/** True where images come from this machine's docker by a command, not from a registry. */
export function takesLocalImages(snapshot: ClusterSnapshot): boolean {
  const { kind } = placeOf(snapshot);
  return snapshot.loadImage !== undefined || kind === "kind" || kind === "minikube" || kind === "k3d";
}

/** Gives an image of this machine to the nodes. @param isSafe the pod that waits for it is Vitrine's. */
export function loadMends(snapshot: ClusterSnapshot, image: string, isSafe: boolean): Mend[] {
  const place = placeOf(snapshot);
  const does = `give ${image} to every node`;
  if (snapshot.loadImage !== undefined) {
    return [mendIf(isSafe, does, [...snapshot.loadImage, image], ["crictl", "rmi", image])];
  }
  switch (place.kind) {
    case "kind": {
      const [node] = snapshot.nodes;
      return [
        mendIf(
          isSafe,
          does,
          ["kind", "load", "docker-image", image, "--name", place.name],
          ["docker", "exec", node?.metadata.name ?? `${place.name}-control-plane`, "crictl", "rmi", image],
        ),
      ];
    }
    case "minikube":
      return [
        mendIf(
          isSafe,
          does,
          ["minikube", "image", "load", image, "--profile", place.name],
          ["minikube", "image", "rm", image, "--profile", place.name],
        ),
      ];
    case "k3d":
      return [mend(does, ["k3d", "image", "import", image, "--cluster", place.name])];
    default:
      return [
        mend("push it to a registry that the nodes reach, under that registry's name", [
          "docker",
          "push",
          image,
        ]),
      ];
  }
}
