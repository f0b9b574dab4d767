/** What doctor makes of the answers of a real cluster, recorded by tests/cluster/doctor.test.ts. */
import { describe, expect, test } from "vitest";
import { readRecording, recordedAccess } from "../testing/recorded-access.js";
import { examineCluster } from "./examine-cluster.js";

async function replay(name: string, ...namespaces: string[]) {
  const recording = await readRecording(new URL(`../testing/recorded/${name}.json`, import.meta.url));
  return await examineCluster(recordedAccess(recording), {
    namespaces,
    context: undefined,
    kubectl: ["kubectl"],
    loadImage: ["load-image"],
    modelBytes: undefined,
    isAsked: true,
  });
}

describe("the cluster in which everything is wrong", () => {
  test("has each fault found, about the object that has it", async () => {
    const { findings, examined } = await replay("faults", "doctor-faults", "doctor-refused");
    expect(examined).toBe("cluster kc (doctor-faults, doctor-refused)");
    const found = findings.map(({ id, subject }) => `${id} ${subject.replace(" in doctor-faults", "")}`);
    expect(new Set(found)).toEqual(
      new Set([
        "kubernetes-version-ended cluster kc",
        "contract-mismatch deployment/three-labels",
        "model-host-unknown deployment/lost-gateway",
        "image-not-on-node deployment/unloaded",
        "wrong-architecture deployment/foreign",
        "container-not-created deployment/without-config",
        "pod-refused deployment/privileged in doctor-refused",
        "gpu-missing deployment/needs-gpu",
        "pod-unschedulable deployment/too-big",
        "out-of-memory deployment/greedy",
        "crash-loop deployment/crashing",
        "service-selects-nothing service/wrong-label",
        "service-wrong-port service/wrong-port",
        "service-without-endpoints service/scaled-down",
        "ingress-without-service ingress/lost",
        "autoscaler-target-missing hpa/without-target",
        "autoscaler-without-requests hpa/without-requests",
        "image-tag-latest deployment/latest",
        "probe-missing deployment/scaled-down",
        "probe-missing deployment/wrong-port",
        "grace-too-short deployment/three-labels",
        "model-service-not-headless deployment/three-labels",
        "disruption-budget-blocks poddisruptionbudget/guarded",
        "network-policy-blocks deployment/three-labels",
      ]),
    );
  });

  test("has every finding with a way it was seen and a mend", async () => {
    const { findings } = await replay("faults", "doctor-faults", "doctor-refused");
    for (const { seen, mends, problem } of findings) {
      expect(seen).not.toBe("");
      expect(problem).not.toMatch(/undefined|\[object/);
      expect(mends.length).toBeGreaterThan(0);
      for (const { does, command = "" } of mends)
        expect(`${does} ${command}`).not.toMatch(/undefined|\[object/);
    }
  });
});

test("the metrics-server that trusts no kubelet is found by what it logged", async () => {
  const { findings } = await replay("metrics-server-tls", "doctor-metrics");
  const found = findings.find(({ id }) => id === "metrics-server-tls");
  expect(found?.seen).toContain("x509: certificate signed by unknown authority");
});

/** A program that is no kubectl. */
const SILENT = {
  now: 0,
  programs: {
    "kubectl config current-context": { code: 0, stdout: "", stderr: "" },
    "kubectl get --raw /version": { code: 0, stdout: "", stderr: "" },
  },
  pods: {},
};

test("a cluster that does not answer is a fault only where it was asked for", async () => {
  const access = recordedAccess({
    now: 0,
    programs: {
      "kubectl config current-context": { code: 0, stdout: "kind-shop\n", stderr: "" },
      "kubectl get --raw /version": {
        code: 1,
        stdout: "",
        stderr: "The connection to the server was refused",
      },
    },
    pods: {},
  });
  const question = {
    namespaces: [],
    context: undefined,
    kubectl: ["kubectl"],
    loadImage: undefined,
    modelBytes: undefined,
  };
  const { findings } = await examineCluster(access, { ...question, isAsked: true });
  expect(findings[0]).toMatchObject({ id: "cluster-unreachable", severity: "fault" });
  const unasked = await examineCluster(access, { ...question, isAsked: false });
  expect(unasked.examined).toBe("not at cluster kind-shop, which does not answer");
  expect(unasked.findings).toEqual([]);
  expect(
    (await examineCluster(recordedAccess(SILENT), { ...question, isAsked: true })).findings[0]?.problem,
  ).toBe("kubectl ended with 0 and said nothing of a cluster");
  const none = recordedAccess({ now: 0, programs: {}, pods: {} });
  expect((await examineCluster(none, { ...question, isAsked: true })).findings[0]?.id).toBe(
    "kubectl-missing",
  );
  expect(await examineCluster(none, { ...question, isAsked: false })).toEqual({
    examined: undefined,
    findings: [],
  });
});

test("the node that was stopped is found, and the pods that it had are not accused", async () => {
  const { findings } = await replay("node-not-ready", "default");
  expect(findings.map(({ id, subject }) => `${id} ${subject}`)).toEqual([
    "kubernetes-version-ended cluster kc",
    "node-not-ready node/node2",
  ]);
});
