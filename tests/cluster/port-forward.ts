import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";

/** Opens a port of this machine to a Service, until the test ends. @returns its address. */
export async function portForward(namespace: string, target: string): Promise<string> {
  const child = spawn("kubectl", [`--namespace=${namespace}`, "port-forward", target, ":80"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill());
  // Read to its end: kubectl writes a line for each connection, and dies when nobody takes it.
  const lines = createInterface({ input: child.stdout });
  return await new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      const port = /^Forwarding from 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (port !== undefined) resolve(`http://127.0.0.1:${port}`);
    });
    lines.on("close", () => reject(new Error(`kubectl port-forward to ${target} ended`)));
  });
}
