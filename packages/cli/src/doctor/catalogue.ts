/** Every finding that doctor knows. docs/doctor.md lists them; a test holds the two alike. */

/** A fault keeps photos from being answered, or will; a warning costs something or waits for a bad day. */
export type Severity = "fault" | "warning";

interface Entry {
  readonly severity: Severity;
  /** Why it matters. */
  readonly why: string;
}

const fault = (why: string): Entry => ({ severity: "fault", why });
const warning = (why: string): Entry => ({ severity: "warning", why });

/** Causes stand before what follows from them: the first finding is the one to mend first. */
const ENTRIES = {
  // This machine.
  "node-version": fault(
    "Vitrine is built for newer versions of Node.js and may fail in any way on this one.",
  ),
  "libc-musl": fault("ONNX Runtime has no build for musl (Alpine), so no model can be loaded."),
  "onnxruntime-does-not-load": fault("Without ONNX Runtime the model server cannot load any model."),
  "sharp-does-not-load": fault("Without sharp the gateway cannot decode pictures."),
  "memory-short": fault("The kernel kills a process that takes more memory than there is."),
  "disk-full": fault("Converted models, logs and builds need room; writing fails without."),
  "clock-wrong": fault("Certificates and tokens are refused when the clock is wrong."),
  "port-busy": warning("A tier cannot listen on a port that another process has."),
  "cpu-without-avx2": warning(
    "ONNX Runtime's fast kernels need AVX2; without it a photo takes several times as long.",
  ),
  "file-limit-low": warning(
    "Each connection takes a file descriptor; when they run out, connections are refused.",
  ),
  "wsl-windows-folder": warning(
    "Files on a Windows drive are read many times slower than those of WSL itself.",
  ),
  // A model's folder.
  "model-not-found": fault("The model server has nothing to load and stays unavailable."),
  "model-without-version-folder": fault(
    "A model server looks for folders named by numbers below its base path, and finds none here.",
  ),
  "model-not-servable": fault("The model server serves SavedModel and ONNX files only."),
  "model-unreadable": fault("The model server will refuse this version for the same reason."),
  "contract-mismatch": fault(
    "The gateway stays not ready: it would prepare pictures, or name classes, in another way than the model was trained.",
  ),
  "score-kind-mismatch": fault(
    "Probabilities that are taken for logits, or the reverse, give wrong confidences.",
  ),
  "model-not-for-tensorflow-serving": warning(
    "TensorFlow Serving takes versions from numbered folders only, should the model ever be served by it.",
  ),
  "contract-missing": warning(
    "The gateway cannot know labels and preprocessing, and stays not ready unless flags tell it.",
  ),
  // Tiers that run.
  "gateway-unreachable": fault("Nobody gets an answer from a gateway that cannot be reached."),
  "gateway-wrong-scheme": fault("A client that speaks TLS to a plain port, or the reverse, gets no answer."),
  "not-a-gateway": fault("What answers there is not a gateway of Vitrine: pictures sent there go nowhere."),
  "gateway-not-ready": fault(
    "A gateway that is not ready answers photos with 503, and Kubernetes sends it none.",
  ),
  "model-host-unknown": fault("The gateway finds no model server under a name that does not exist."),
  "model-tier-unreachable": fault("The gateway answers 503 while it reaches no model server."),
  "model-tier-rest-port": fault("The gateway speaks gRPC, which the REST port does not understand."),
  "model-tier-not-grpc": fault("The gateway speaks gRPC over HTTP/2, which does not answer there."),
  "model-tier-wrong-scheme": fault(
    "TLS on one side and none on the other: the connection never comes about.",
  ),
  "model-not-served": fault("The gateway asks for a model by name, and is not ready while it is not served."),
  // A cluster.
  "kubectl-missing": fault("doctor asks the cluster through kubectl."),
  "cluster-unreachable": fault("Nothing can be said about a cluster that does not answer."),
  "namespace-missing": fault("In a namespace that is not there nothing runs, and nothing was looked at."),
  "node-not-ready": fault(
    "Pods of a node that is not ready are not reached, and are soon started elsewhere.",
  ),
  "image-not-on-node": fault("A container whose image is not on its node cannot start."),
  "image-not-pulled": fault("A container whose image cannot be pulled cannot start."),
  "wrong-architecture": fault("A processor cannot run programs that were built for another."),
  "container-not-created": fault("The node refuses to start the container as it is described."),
  "pod-refused": fault(
    "The API server refuses the pods, so the Deployment has fewer than it wants, or none.",
  ),
  "gpu-missing": fault("A pod that asks for a GPU waits until a node offers one."),
  "pod-unschedulable": fault("A pod that fits on no node waits for ever."),
  "out-of-memory": fault(
    "The kernel kills a container that takes more memory than its limit, with all requests in it.",
  ),
  "crash-loop": fault(
    "A container that ends again and again answers nothing, and waits longer before each new start.",
  ),
  "job-failed": fault("A Job that gave up starts no more pods: what it had left to do is not done."),
  "pod-not-ready": fault("A Service sends no requests to a pod that is not ready."),
  "service-selects-nothing": fault("A Service whose selector fits no pod has nobody to send requests to."),
  "service-wrong-port": fault("The Service sends to a port on which no container listens."),
  "service-without-endpoints": fault("While none of its pods is ready a Service refuses every connection."),
  "ingress-without-service": fault("An Ingress that names a Service which is not there answers 503."),
  "metrics-server-missing": fault(
    "Without metrics a HorizontalPodAutoscaler shows <unknown> and changes nothing.",
  ),
  "metrics-server-tls": fault(
    "metrics-server refuses the kubelets' certificates, has no figures, and autoscalers show <unknown>.",
  ),
  "metrics-server-not-ready": fault(
    "Without metrics a HorizontalPodAutoscaler shows <unknown> and changes nothing.",
  ),
  "autoscaler-target-missing": fault("A HorizontalPodAutoscaler without its target changes nothing."),
  "autoscaler-without-requests": fault(
    "Utilisation is a share of the requested CPU: where nothing is requested the autoscaler shows <unknown> and changes nothing.",
  ),
  "autoscaler-unknown": fault("A HorizontalPodAutoscaler that sees no figure changes nothing."),
  "kubernetes-version-ended": warning("It gets no more fixes, those of security neither."),
  "kubernetes-version-ending": warning(
    "After that day it gets no more fixes, unless extended support is paid for.",
  ),
  "eks-extended-support": warning(
    "Amazon asks six times the price for a control plane in extended support, without a word.",
  ),
  "memory-limit-below-model": warning(
    "The first photos, or a new version beside the old one, take the container over its limit.",
  ),
  "memory-near-limit": warning(
    "A little more load takes the container over its limit, and the kernel kills it.",
  ),
  "image-tag-latest": warning(
    "The tag latest is pulled at every start, which fails for images that only the nodes have; and it does not say what runs.",
  ),
  "probe-missing": warning(
    "Without a readiness probe a pod gets requests before it can answer, and keeps them after it cannot.",
  ),
  "grace-too-short": warning(
    "Kubernetes kills the pod before it has finished what it accepted, at every rollout.",
  ),
  "model-service-not-headless": warning(
    "gRPC keeps its connections: behind one address all requests of a gateway go to one pod, however many there are.",
  ),
  "disruption-budget-blocks": warning(
    "A node with such a pod cannot be drained, so upgrades of the cluster wait for ever.",
  ),
  "network-policy-blocks": warning(
    "Where policies are enforced, connections that none of them allows are dropped silently.",
  ),
  "node-port-not-mapped": warning(
    "A kind node is a container: its NodePorts answer on this machine only if they were mapped when it was made.",
  ),
  "clock-skew": warning(
    "Tokens, leases and certificates are judged by clocks; pods move when they disagree.",
  ),
  "cluster-not-readable": warning("What may not be read cannot be checked: some findings may be missing."),
} satisfies Record<string, Entry>;

export type FindingId = keyof typeof ENTRIES;

export const CATALOGUE: Readonly<Record<FindingId, Entry>> = ENTRIES;
