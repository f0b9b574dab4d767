/** From images and manifests to answers, the three ways in. */
import { readdirSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import {
  bringUp,
  GATEWAY_URL,
  INGRESS_URL,
  kubectl,
  NAMESPACE,
  podsOf,
  ROOT,
  settled,
  tryKubectl,
} from "./cluster.js";
import { PHOTO, PHOTO_CLASS } from "./photo.js";
import { portForward } from "./port-forward.js";
import { predict } from "./steady-load.js";

const OVERLAYS = readdirSync(path.join(ROOT, "deploy/k8s/overlays")).sort();

beforeAll(async () => {
  await bringUp();
});

describe("the overlay for kind", () => {
  it("is accepted by Pod Security restricted without a warning", async () => {
    const { code, output } = await tryKubectl("apply", "--kustomize=deploy/k8s/overlays/kind");
    expect(code).toBe(0);
    expect(output).not.toMatch(/warning/i);
    const enforced = await kubectl(
      "get",
      `namespace/${NAMESPACE}`,
      "--output=jsonpath={.metadata.labels.pod-security\\.kubernetes\\.io/enforce}",
    );
    expect(enforced).toBe("restricted");
  });

  it("has at least two ready pods of each tier, and none that does not become ready", async () => {
    await settled("gateway", "model-server");
    for (const tier of ["gateway", "model-server"] as const) {
      const ready = (await podsOf(tier)).filter(({ isReady, isEnding }) => isReady && !isEnding);
      expect(ready.length, tier).toBeGreaterThanOrEqual(2);
    }
  });

  it("spreads both tiers over the nodes", async () => {
    const nodes = (await kubectl("get", "nodes", "--output=name")).trim().split("\n");
    for (const tier of ["gateway", "model-server"] as const) {
      const used = new Set((await podsOf(tier)).filter(({ isEnding }) => !isEnding).map(({ node }) => node));
      expect(used.size, tier).toBeGreaterThanOrEqual(Math.min(2, nodes.length));
    }
  });

  it("answers a photo through the NodePort", async () => {
    expect(await predict(GATEWAY_URL, PHOTO)).toMatchObject({ top_class: PHOTO_CLASS });
  });

  it.skipIf(INGRESS_URL === "")("answers a photo through the Ingress", async () => {
    expect(await predict(INGRESS_URL, PHOTO)).toMatchObject({ top_class: PHOTO_CLASS });
  });

  it("answers a photo through kubectl port-forward", async () => {
    const url = await portForward(NAMESPACE, "service/gateway");
    expect(await predict(url, PHOTO)).toMatchObject({ top_class: PHOTO_CLASS });
  });

  it("shows no difference after it was applied, while the autoscalers set the replicas", async () => {
    const { code, output } = await tryKubectl("diff", "--kustomize=deploy/k8s/overlays/kind");
    expect({ code, output }).toEqual({ code: 0, output: "" });
  });

  it("lets each tier say that it is ready on a port of its own, and keeps metrics off the public one", async () => {
    const [gateway] = await podsOf("gateway");
    const admin = `/api/v1/namespaces/${NAMESPACE}/pods/${gateway?.name}:9697/proxy`;
    expect(JSON.parse(await kubectl("get", "--raw", `${admin}/readyz`))).toMatchObject({ status: "ready" });
    expect((await fetch(`${GATEWAY_URL}/metrics`)).status).toBe(404);
    expect(await (await fetch(`${GATEWAY_URL}/ping`)).text()).toBe("PONG");
  });

  it("keeps the root file system from being written, and runs as nobody in particular", async () => {
    for (const tier of ["gateway", "model-server"]) {
      const { code, output } = await tryKubectl(
        `--namespace=${NAMESPACE}`,
        "exec",
        `deployment/${tier}`,
        "--",
        "node",
        "-e",
        "console.log(process.getuid()); require('fs').writeFileSync('/app-was-here', '')",
      );
      expect(code).not.toBe(0);
      expect(output).toMatch(/^1000$/m);
      expect(output).toMatch(/EROFS/);
    }
  });
});

describe("every overlay", () => {
  it.each(OVERLAYS)("%s passes the API server's validation", async (overlay) => {
    const folder = `deploy/k8s/overlays/${overlay}`;
    const rendered = await kubectl("kustomize", folder);
    const { code, output } = await tryKubectl("apply", "--dry-run=server", `--kustomize=${folder}`);
    // What belongs to an operator that this cluster does not have cannot be validated here.
    const foreign = [...output.matchAll(/no matches for kind "(\w+)" in version "([\w./]+)"/g)];
    if (foreign.length === 0) expect(code, output).toBe(0);
    else expect(foreign.map(([, , version]) => version?.split("/")[0])).toEqual(["keda.sh"]);
    expect(output).not.toMatch(/warning|unknown field/i);
    expect(rendered).not.toMatch(/image: \S+:latest/);
  });
});

it("a canary is one more gateway as the overlay has it, and nothing else that would be applied", async () => {
  const rendered = (await kubectl("kustomize", "deploy/k8s/canary")).trim();
  const { kind, metadata, spec } = parse(rendered);
  const whole = parseAllDocuments(await kubectl("kustomize", "deploy/k8s/overlays/production"))
    .map((document) => document.toJS())
    .find((object) => object.kind === "Deployment" && object.metadata.name === "gateway");
  expect([kind, metadata.name, spec.replicas]).toEqual(["Deployment", "gateway-canary", 1]);
  expect(spec.selector.matchLabels).toEqual({ ...whole.spec.selector.matchLabels, track: "canary" });
  const [container] = spec.template.spec.containers;
  const [own, ...env] = container.env;
  expect(own).toEqual({ name: "MODEL_VERSION_LABEL", value: "canary" });
  expect({ ...spec.template.spec, containers: [{ ...container, env }] }).toEqual(whole.spec.template.spec);
  const { code, output } = await tryKubectl("apply", "--dry-run=server", "--kustomize=deploy/k8s/canary");
  expect([code, output]).toEqual([0, expect.stringMatching(/^deployment.apps\/gateway-canary/)]);
});

it("the overlay for metrics-server adds one argument to the release's Deployment", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "metrics-server-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const overlay = await readFile(path.join(ROOT, "deploy/kind/metrics-server/kustomization.yaml"), "utf8");
  // The release is not to be had without the internet; this is as much of it as the patch meets.
  await writeFile(
    path.join(folder, "kustomization.yaml"),
    overlay.replace(/https:\S+components\.yaml/, "components.yaml"),
  );
  await writeFile(
    path.join(folder, "components.yaml"),
    JSON.stringify({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "metrics-server", namespace: "kube-system" },
      spec: {
        template: { spec: { containers: [{ name: "metrics-server", args: ["--secure-port=10250"] }] } },
      },
    }),
  );
  const rendered = await kubectl("kustomize", folder);
  expect(rendered).toMatch(/- args:\n +- --secure-port=10250\n +- --kubelet-insecure-tls\n/);
});
