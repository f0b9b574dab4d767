/** `vitrine doctor`: what is wrong with this machine, a cluster, a model's folder or a tier that runs, and the mend. */
import { readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { gatewaySettings, parseEndpoint } from "@vitrine/gateway/config";
import { EXIT_DONE, EXIT_FAILED, type Io } from "@vitrine/runtime/lifecycle";
import { type Config, setting, UsageError } from "@vitrine/runtime/settings";
import { z } from "zod";
import { defineCommand } from "../command.js";
import { createAccess, kubectlFlags, runProgram } from "../doctor/cluster/access.js";
import { examineCluster } from "../doctor/cluster/examine-cluster.js";
import type { Finding } from "../doctor/finding.js";
import { applyMends } from "../doctor/fix.js";
import { countOf, reportJson, reportText } from "../doctor/report.js";
import { portSchema } from "../ports.js";
import { SHIPPED_MODEL } from "../shipped.js";

const { modelName, signatureName, tfServingTls, tfServingCa } = gatewaySettings;

const endpointSchema = z.string().transform((text, context) => {
  const endpoint = parseEndpoint(text);
  if (endpoint !== undefined) return endpoint;
  context.addIssue({ code: "custom", message: "HOST, HOST:PORT or [IPV6]:PORT" });
  return z.NEVER;
});

/** Words as short as these are other programs' variables, too: each is doctor's own with its prefix alone. */
const flag = (word: string, description: string) =>
  setting(z.boolean().default(false), { description, env: `DOCTOR_${word.toUpperCase()}` });

export const doctorSettings = {
  machine: flag(
    "machine",
    "Look at this machine. Without any of the five targets: this machine, and the cluster if there is one.",
  ),
  cluster: flag("cluster", "Look at the Kubernetes cluster, and call it a fault when it cannot be reached."),
  context: setting(z.string().min(1).optional(), {
    description: "Context of kubectl; default: its current one. Implies --cluster.",
    env: "DOCTOR_CONTEXT",
    placeholder: "name",
  }),
  namespace: setting(z.array(z.string().min(1)).default([]), {
    description:
      "Namespace to look at (repeated, or a comma list). Default: the context's, and those with objects of Vitrine. Implies --cluster.",
    env: "DOCTOR_NAMESPACE",
    placeholder: "name",
  }),
  kubectl: setting(z.string().min(1).default("kubectl"), {
    description: "kubectl, by name or path.",
    env: "DOCTOR_KUBECTL",
    placeholder: "program",
  }),
  kubeconfig: setting(z.string().min(1).optional(), {
    description: "kubectl's configuration; without it kubectl reads KUBECONFIG, else ~/.kube/config.",
    env: "DOCTOR_KUBECONFIG",
    placeholder: "file",
  }),
  loadImage: setting(z.string().min(1).optional(), {
    description:
      "Command that gives a local image, named after it, to every node; kind, minikube and k3d are known without.",
    env: "VITRINE_CLUSTER_LOAD_IMAGE",
    placeholder: "command",
  }),
  model: setting(z.string().min(1).optional(), {
    description: "Look at a model: its base path, a version's folder, or a file.",
    env: "DOCTOR_MODEL",
    placeholder: "path",
  }),
  gateway: setting(
    z
      .url({ protocol: /^https?$/, error: "an http or https address such as http://127.0.0.1:9696" })
      .optional(),
    {
      description: "Look at a gateway that runs.",
      env: "DOCTOR_GATEWAY",
      placeholder: "url",
    },
  ),
  tfServingHost: setting(endpointSchema.optional(), {
    description: "Look at a model server that runs, at its gRPC address.",
    // Its usual variable is set wherever a gateway is started: it must not choose a target by itself.
    env: "DOCTOR_TF_SERVING_HOST",
    placeholder: "host:port",
  }),
  modelName,
  signatureName,
  tfServingTls,
  tfServingCa,
  port: setting(portSchema.default(9696), {
    description: "Port that the gateway shall have, which ought to be free.",
    placeholder: "port",
  }),
  grpcPort: setting(portSchema.default(8500), {
    description: "The same of the model server's gRPC.",
    placeholder: "port",
  }),
  restPort: setting(portSchema.default(8501), {
    description: "The same of the model server's REST.",
    placeholder: "port",
  }),
  json: flag("json", "The findings as JSON."),
  strict: flag("strict", "Exit with 1 for warnings, too."),
  fix: flag("fix", "Run the mends that can be taken back: each is said first, and asked for."),
  yes: flag("yes", "With --fix: do not ask."),
  timeoutMs: setting(z.int().min(100).max(600_000).default(10_000), {
    description: "Longest wait for each answer, of a program or a server.",
    env: "DOCTOR_TIMEOUT_MS",
    placeholder: "ms",
  }),
};

type DoctorConfig = Config<typeof doctorSettings>;

export const doctor = defineCommand({
  name: "doctor",
  description: `Says what is wrong with this machine, a cluster, a model's folder or a tier that runs: how it was seen, why it
matters, and the mend as a command to copy. It changes nothing without --fix. Exits with 0 when nothing is wrong or
only warnings were found, with 1 for a fault.`,
  examples: [
    ["vitrine doctor", "this machine, and kubectl's cluster"],
    ["vitrine doctor --cluster --namespace vitrine", "the cluster alone"],
    ["vitrine doctor --cluster --fix", "and mend what can be mended safely"],
    ["vitrine doctor --model models/birds", "a model's folder, before it is served"],
    ["vitrine doctor --gateway http://127.0.0.1:9696", "a gateway that runs"],
    ["vitrine doctor --tf-serving-host localhost:8500", "a model server that runs"],
  ],
  settings: doctorSettings,
  run: ({ config }, io) => examine(config, io),
});

async function examine(config: DoctorConfig, io: Io): Promise<number> {
  if (config.yes && !config.fix) throw new UsageError(["--yes was given without --fix, expected both"]);
  const examined: string[] = [];
  const findings: Finding[] = [];
  const asksCluster = config.cluster || config.context !== undefined || config.namespace.length > 0;
  const { model, gateway, tfServingHost: place } = config;
  const asksNothing =
    !config.machine && !asksCluster && model === undefined && gateway === undefined && place === undefined;
  const question = { timeoutMs: config.timeoutMs, signal: io.signal };
  let modelBytes: number | undefined;

  if (model !== undefined) {
    const { examineModel } = await import("../doctor/model/examine-model.js");
    const examination = await examineModel(model);
    modelBytes = examination.modelBytes;
    findings.push(...examination.findings);
    examined.push(`model ${model}`);
  }
  if (config.machine || asksNothing) {
    findings.push(...(await examineMachine(config, modelBytes, io)));
    examined.push("this machine");
  }
  if (gateway !== undefined) {
    const { examineGateway } = await import("../doctor/tiers/examine-gateway.js");
    findings.push(...(await examineGateway(gateway, question)));
    examined.push(`gateway ${gateway}`);
  }
  if (place !== undefined) {
    const { examineModelTier, placeText } = await import("../doctor/tiers/examine-model-tier.js");
    const tls = await tlsOf(config);
    const tier = { ...question, modelName: config.modelName, signatureName: config.signatureName, tls };
    findings.push(...(await examineModelTier(place, tier)));
    examined.push(`model server ${placeText(place)}`);
  }
  if (asksCluster || asksNothing) {
    const access = createAccess({ ...question, ...config, program: config.kubectl, environment: io.env });
    const cluster = await examineCluster(access, {
      namespaces: config.namespace,
      context: config.context,
      kubectl: [config.kubectl, ...kubectlFlags(config)],
      loadImage: config.loadImage?.split(/\s+/).filter((word) => word !== ""),
      modelBytes,
      isAsked: asksCluster,
    });
    findings.push(...cluster.findings);
    if (cluster.examined !== undefined) examined.push(cluster.examined);
  }

  const examination = { examined, findings };
  io.stdout.write(config.json ? reportJson(examination) : reportText(examination));
  if (config.fix) await mend(config, findings, io);
  const { faults, warnings } = countOf(findings);
  return faults > 0 || (config.strict && warnings > 0) ? EXIT_FAILED : EXIT_DONE;
}

async function examineMachine(
  config: DoctorConfig,
  modelBytes: number | undefined,
  io: Io,
): Promise<Finding[]> {
  const { readMachineFacts } = await import("../doctor/machine/facts.js");
  const { checkMachine } = await import("../doctor/machine/check-machine.js");
  const host = "127.0.0.1";
  const facts = await readMachineFacts({
    ports: [
      { port: config.port, host, listener: "the gateway", flag: "--port", speaks: "gateway" },
      {
        port: config.grpcPort,
        host,
        listener: "the model server",
        flag: "--grpc-port",
        speaks: "model-server-grpc",
      },
      {
        port: config.restPort,
        host,
        listener: "the model server",
        flag: "--rest-port",
        speaks: "model-server-rest",
      },
    ],
    temporaryFolder: tmpdir(),
    environment: io.env,
    signal: io.signal,
  });
  const shipped = await stat(`${SHIPPED_MODEL}/1/model.onnx`).catch(() => undefined);
  return checkMachine(facts, modelBytes ?? shipped?.size ?? 0);
}

async function tlsOf({ tfServingTls: isAsked, tfServingCa: file }: DoctorConfig) {
  if (!isAsked && file === undefined) return undefined;
  if (file === undefined) return {};
  try {
    return { authority: await readFile(file, "utf8") };
  } catch (cause) {
    throw new UsageError([`--tf-serving-ca was ${file}, expected a PEM file that can be read`], { cause });
  }
}

/** Images take their time on their way to a node. */
const MEND_TIMEOUT_MS = 600_000;

async function mend({ yes }: DoctorConfig, findings: readonly Finding[], io: Io): Promise<void> {
  const { applied, failed } = await applyMends(findings, {
    yes,
    input: process.stdin,
    talk: io.stderr,
    signal: io.signal,
    run: ([program = "", ...args]) =>
      runProgram(program, args, { environment: io.env, signal: io.signal, timeoutMs: MEND_TIMEOUT_MS }),
  });
  const worked = applied - failed;
  const outcome =
    applied === 0
      ? "nothing was changed"
      : `${worked} of ${applied} mends worked: write them into your manifests, too, or the next apply takes them back`;
  io.stderr.write(`\n${outcome}\n`);
}
