/** docs/first-steps.md, as its reader does it: image, Deployment, Service, answer, other version, and back. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, it } from "vitest";
import { kubectl, loadImages, ROOT, waitForAll } from "./cluster.js";
import { portForward } from "./port-forward.js";

const NAMESPACE = "first-steps";
const here = (...args: string[]) => kubectl(`--namespace=${NAMESPACE}`, ...args);

beforeAll(async () => {
  const build = spawn("docker", ["build", "--quiet", "--tag=ping:v1", "deploy/ping"], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
  });
  expect((await once(build, "exit"))[0]).toBe(0);
  await once(execFile("docker", ["tag", "ping:v1", "ping:v2"]), "exit");
  await loadImages("ping:v1", "ping:v2");
  await kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found");
  await kubectl("create", "namespace", NAMESPACE);
});

afterAll(async () => {
  await kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found");
});

it("a container says PONG in the cluster, in three copies, in another version and back", async () => {
  await here("apply", "--filename=deploy/ping/deployment.yaml");
  await here("rollout", "status", "deployment/ping", "--timeout=120s");
  await here("apply", "--filename=deploy/ping/service.yaml");
  await waitForAll(
    NAMESPACE,
    ["endpointslice", "--all"],
    "jsonpath={.endpoints[0].conditions.ready}=true",
    60_000,
  );

  const url = await portForward(NAMESPACE, "service/ping");
  expect(await (await fetch(`${url}/ping`)).text()).toBe("PONG\n");
  expect((await fetch(`${url}/`)).status).toBe(404);

  await here("scale", "deployment/ping", "--replicas=3");
  await here("rollout", "status", "deployment/ping", "--timeout=120s");
  await here("set", "image", "deployment/ping", "ping=ping:v2");
  await here("rollout", "status", "deployment/ping", "--timeout=120s");
  expect(await imageOf()).toBe("ping:v2");
  await here("rollout", "undo", "deployment/ping");
  await here("rollout", "status", "deployment/ping", "--timeout=120s");
  expect(await imageOf()).toBe("ping:v1");
  expect(await here("get", "deployment/ping", "--output=jsonpath={.status.readyReplicas}")).toBe("3");
});

const imageOf = () =>
  here("get", "deployment/ping", "--output=jsonpath={.spec.template.spec.containers[0].image}");
