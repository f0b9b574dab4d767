/** Containers that do not start because of their image. */
import { type Finding, finding, type Mend, mend } from "../finding.js";
import { isOurPod, targetOf, templateMend } from "./changes.js";
import type { Container, ContainerStatus, Pod } from "./objects.js";
import { loadMends, takesLocalImages } from "./places.js";
import {
  type ClusterSnapshot,
  containerKey,
  inNamespace,
  livingPods,
  nameOf,
  subjectOf,
  workloadOf,
} from "./snapshot.js";

const PULL_FAILURES: ReadonlySet<string> = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "ErrImageNeverPull",
  "InvalidImageName",
  "RegistryUnavailable",
]);

/** What runtimes say of a program, or of an image, for another processor. */
const OTHER_ARCHITECTURE = /exec format error|no match for platform/i;

export function checkImages(snapshot: ClusterSnapshot): Finding[] {
  const findings: Finding[] = [];
  for (const pod of livingPods(snapshot)) {
    for (const { container, status } of containersOf(pod)) {
      const found = checkContainer(snapshot, pod, container, status);
      if (found !== undefined) findings.push(found);
    }
  }
  return [...findings, ...checkTags(snapshot)];
}

export interface ContainerOfPod {
  readonly container: Container;
  readonly status: ContainerStatus;
}

/** Those that the node has said something of. */
export function containersOf({ spec, status }: Pod): ContainerOfPod[] {
  const statuses = [...status.initContainerStatuses, ...status.containerStatuses];
  return [...spec.initContainers, ...spec.containers].flatMap((container) => {
    const own = statuses.find(({ name }) => name === container.name);
    return own === undefined ? [] : [{ container, status: own }];
  });
}

/** True when the container's fault is that of its image, whatever else it looks like. */
export function isOtherArchitecture(snapshot: ClusterSnapshot, pod: Pod, status: ContainerStatus): boolean {
  const { state, lastState } = status;
  const said = [
    state.waiting?.message,
    state.terminated?.message,
    lastState.terminated?.message,
    snapshot.logs.get(containerKey(pod, status.name)),
  ];
  return said.some((text) => OTHER_ARCHITECTURE.test(text ?? ""));
}

function checkContainer(
  snapshot: ClusterSnapshot,
  pod: Pod,
  container: Container,
  status: ContainerStatus,
): Finding | undefined {
  if (isOtherArchitecture(snapshot, pod, status)) return wrongArchitecture(snapshot, pod, container);
  const { waiting } = status.state;
  if (waiting === undefined || !PULL_FAILURES.has(waiting.reason)) return undefined;
  const facts = {
    subject: subjectOf(snapshot, pod),
    seen: `kubectl get pod ${pod.metadata.name}: ${waiting.reason}: ${firstLine(waiting.message)}`,
  };
  const { image } = container;
  if (container.imagePullPolicy === "Never" || takesLocalImages(snapshot)) {
    const isKnownMissing = snapshot.localImages.has(image) && snapshot.localImages.get(image) === undefined;
    return finding("image-not-on-node", {
      ...facts,
      problem: `${image} is not on ${pod.spec.nodeName ?? "the node"}${isKnownMissing ? ", nor is it in this machine's docker" : ""}`,
      mends: [
        ...(isKnownMissing ? [mend(`build ${image} first`, ["docker", "build", "--tag", image, "."])] : []),
        ...loadMends(snapshot, image, isOurPod(snapshot, pod)),
        ...policyMends(snapshot, pod, container),
      ],
    });
  }
  return finding("image-not-pulled", {
    ...facts,
    problem: `${image} could not be pulled by ${pod.spec.nodeName ?? "the node"}`,
    mends: pullMends(snapshot, pod, container, waiting.message),
  });
}

/** With the policy Always a node asks the registry, whatever it has. */
function policyMends(snapshot: ClusterSnapshot, pod: Pod, { name, imagePullPolicy }: Container): Mend[] {
  const workload = workloadOf(snapshot, pod);
  if (imagePullPolicy !== "Always" || workload === undefined) return [];
  const patch = { spec: { template: { spec: { containers: [{ name, imagePullPolicy: "IfNotPresent" }] } } } };
  return [
    templateMend(snapshot, workload, "let the node use the image that it has", {
      verb: ["patch"],
      flags: ["--patch", JSON.stringify(patch)],
    }),
  ];
}

function pullMends(snapshot: ClusterSnapshot, pod: Pod, { image, name }: Container, message: string): Mend[] {
  const { namespace } = pod.metadata;
  if (/unauthorized|denied|authentication|authorization/i.test(message)) {
    return [
      mend("make a secret with the registry's user and password, and name it under imagePullSecrets", [
        ...inNamespace(snapshot, namespace, "create", "secret", "docker-registry", "registry"),
        "--docker-server=REGISTRY",
        "--docker-username=USER",
        "--docker-password=PASSWORD",
      ]),
    ];
  }
  const registry = /^([^/]+[.:][^/]*)\//.exec(image)?.[1] ?? "docker.io";
  if (/no such host|dial tcp|i\/o timeout|connection refused|network is unreachable/i.test(message)) {
    return [
      mend(`let the nodes reach ${registry}, or give them the image by their runtime's own tool`),
      ...loadMends(snapshot, image, isOurPod(snapshot, pod)),
    ];
  }
  const workload = workloadOf(snapshot, pod);
  const target = workload && targetOf(workload);
  return [
    mend(`push it, if ${registry} lacks it`, ["docker", "push", image]),
    ...(target === undefined
      ? []
      : [
          mend("or name one that is there", [
            ...inNamespace(snapshot, namespace, "set", "image", target),
            `${name}=IMAGE:TAG`,
          ]),
        ]),
  ];
}

function wrongArchitecture(snapshot: ClusterSnapshot, pod: Pod, container: Container): Finding {
  const node = snapshot.nodes.find(({ metadata }) => metadata.name === pod.spec.nodeName);
  const wanted = node?.status.nodeInfo.architecture ?? "";
  const local = snapshot.localImages.get(container.image)?.architecture;
  const known = local !== undefined && local !== wanted ? ` is for ${local} and` : "";
  const platform = `linux/${wanted === "" ? "amd64" : wanted}`;
  return finding("wrong-architecture", {
    subject: subjectOf(snapshot, pod),
    problem: `${container.image}${known} does not run on ${pod.spec.nodeName ?? "its node"}, which is ${wanted}`,
    seen: `container ${container.name} ended with "exec format error", or its image has no part for the node`,
    mends: [
      mend("build it for the nodes (with buildx for several: --platform linux/amd64,linux/arm64)", [
        ...["docker", "build", "--platform", platform, "--tag", container.image, "."],
      ]),
      ...loadMends(snapshot, container.image, false).map(({ does, command }) =>
        command === undefined ? { does } : { does: `then ${does}`, command },
      ),
    ],
  });
}

function checkTags(snapshot: ClusterSnapshot): Finding[] {
  return snapshot.workloads.flatMap(({ kind, metadata, spec }) =>
    spec.template.spec.containers.filter(isLatest).map((container) => {
      const image = container.image.replace(/:latest$/, "");
      return finding("image-tag-latest", {
        subject: nameOf(kind, metadata),
        problem: `container ${container.name} runs ${container.image} with imagePullPolicy ${container.imagePullPolicy ?? "Always"}`,
        seen: `kubectl get ${kind.toLowerCase()} ${metadata.name}`,
        mends: [
          mend("give the image a tag of its own", ["docker", "tag", container.image, `${image}:v1`]),
          mend("and run that", [
            ...inNamespace(snapshot, metadata.namespace, "set", "image"),
            `${kind.toLowerCase()}/${metadata.name}`,
            `${container.name}=${image}:v1`,
          ]),
        ],
      });
    }),
  );
}

function isLatest({ image }: Container): boolean {
  if (image.includes("@")) return false;
  const tag = /:([^:/]+)$/.exec(image)?.[1];
  return tag === undefined || tag === "latest";
}

const MOST_LETTERS = 240;

export function firstLine(text: string): string {
  const [line = ""] = text.trim().split("\n");
  return line.length > MOST_LETTERS ? `${line.slice(0, MOST_LETTERS)}…` : line;
}
