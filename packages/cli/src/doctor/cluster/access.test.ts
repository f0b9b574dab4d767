import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createAccess } from "./access.js";

const QUESTION = { namespace: "shop", pod: "web", port: 8080, path: "/readyz" };

const accessBy = (program: string) =>
  createAccess({
    program,
    kubeconfig: undefined,
    context: undefined,
    environment: process.env,
    timeoutMs: 10_000,
    signal: new AbortController().signal,
  });

async function programThat(script: string, mode = 0o755): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "access-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = path.join(folder, "kubectl");
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, mode);
  return file;
}

test("a pod is asked through the port that kubectl forwards", async () => {
  const server = createServer(({ url }, response) => response.writeHead(503).end(`not ready at ${url}`));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const kubectl = await programThat(`echo "Forwarding from 127.0.0.1:${port} -> 8080"; exec sleep 60`);
  expect(await accessBy(kubectl).askPod(QUESTION)).toEqual({ status: 503, body: "not ready at /readyz" });
});

test("a kubectl that is a script ends with the program that it runs", async () => {
  const server = createServer((_request, response) => response.end("ready"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  // The child holds the script's output open for longer than the test may take.
  const kubectl = await programThat(`echo "Forwarding from 127.0.0.1:${port} -> 8080"; sleep 600; exit 0`);
  expect(await accessBy(kubectl).askPod(QUESTION)).toEqual({ status: 200, body: "ready" });
});

test("a forward that ends without a port is no answer", async () => {
  const kubectl = await programThat("echo 'error: pods \"web\" not found' >&2; exit 1");
  expect(await accessBy(kubectl).askPod(QUESTION)).toBeUndefined();
});

test("a kubectl that is not there, or may not be run, is no answer and no crash", async () => {
  expect(await accessBy("/nowhere/kubectl").askPod(QUESTION)).toBeUndefined();
  expect(await accessBy(await programThat("exit 0", 0o644)).askPod(QUESTION)).toBeUndefined();
});
