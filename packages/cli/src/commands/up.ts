/** `vitrine up`: both tiers on this machine. */
import path from "node:path";
import { EXIT_DONE, type Io } from "@vitrine/runtime/lifecycle";
import { logLevelSetting } from "@vitrine/runtime/logger";
import { type Config, setting, UsageError } from "@vitrine/runtime/settings";
import { z } from "zod";
import { defineCommand } from "../command.js";
import { CommandFailure } from "../command-failure.js";
import { orAborted } from "../or-aborted.js";
import { busyPorts, portSchema } from "../ports.js";
import { checkBasePath, SHIPPED_MODEL } from "../shipped.js";
import { startTiers } from "../tiers.js";

export const upSettings = {
  port: setting(portSchema.default(9696), {
    description: "Port of the gateway and the website; 0 picks a free one.",
    placeholder: "port",
  }),
  grpcPort: setting(portSchema.default(8500), {
    description: "Port of the model server's gRPC; 0 picks a free one.",
    placeholder: "port",
  }),
  restPort: setting(portSchema.default(8501), {
    description: "Port of the model server's REST; 0 picks a free one.",
    placeholder: "port",
  }),
  host: setting(z.string().min(1).default("127.0.0.1"), {
    description: "Address that both tiers listen on; 0.0.0.0 opens them to the network.",
    placeholder: "address",
  }),
  modelName: setting(z.string().min(1).optional(), {
    description: "Name of the model. Without it, the name of its folder.",
    placeholder: "name",
  }),
  allowImageHost: setting(z.array(z.string()).default([]), {
    description: "Picture URLs on this host may lead to a private address. Repeatable; HOST or HOST:PORT.",
    env: "ALLOW_IMAGE_HOSTS",
    placeholder: "host",
  }),
  allowedHost: setting(z.array(z.string()).default([]), {
    description:
      "Name under which the gateway may be asked beside localhost and addresses, such as a tunnel's; * is every one. Repeatable.",
    env: "ALLOWED_HOSTS",
    placeholder: "name",
  }),
  feedbackDir: setting(z.string().min(1).optional(), {
    description:
      "Folder that keeps corrections of people who agree to it; without it nothing is kept. Other settings of the gateway come from its environment, such as FEEDBACK_KEEP_DAYS.",
    placeholder: "folder",
  }),
  logLevel: logLevelSetting,
};

/** How long a tier may take to finish what it has accepted: a little more than the longest deadline. */
const GRACE_MS = 25_000;

export const up = defineCommand({
  name: "up",
  description: "Brings up the gateway, with the website, and the model server as two processes.",
  args: [["[base-path]", "folder that holds the model's versions (default: the clothing model)"]],
  examples: [
    ["vitrine up", "the clothing model on http://127.0.0.1:9696"],
    ["vitrine up models/birds --port 8080", "another model, another port"],
    ["vitrine up --port 0 --grpc-port 0 --rest-port 0", "free ports"],
  ],
  settings: upSettings,
  run: ({ config, args }, io) => bringUp(config, args[0] ?? SHIPPED_MODEL, io),
});

async function bringUp(config: Config<typeof upSettings>, basePath: string, io: Io): Promise<number> {
  await checkBasePath(basePath);
  const { host } = config;
  const chosen = [config.port, config.grpcPort, config.restPort].filter((port) => port !== 0);
  if (new Set(chosen).size < chosen.length) {
    throw new UsageError([
      `--port, --grpc-port and --rest-port were ${chosen.join(", ")}, expected different ports`,
    ]);
  }
  const busy = await busyPorts([
    { port: config.port, host, listener: "the gateway", flag: "--port" },
    { port: config.grpcPort, host, listener: "the model server", flag: "--grpc-port" },
    { port: config.restPort, host, listener: "the model server's REST", flag: "--rest-port" },
  ]);
  if (busy.length > 0) {
    throw new CommandFailure(busy.join("\nvitrine up: "));
  }

  const tiers = startTiers({
    ...config,
    modelBasePath: basePath,
    modelName: config.modelName ?? path.basename(path.resolve(basePath)),
    allowImageHosts: config.allowImageHost,
    gatewayFlags: [
      ...(config.feedbackDir === undefined ? [] : [`--feedback-dir=${path.resolve(config.feedbackDir)}`]),
      ...config.allowedHost.map((name) => `--allowed-host=${name}`),
    ],
    env: io.env,
    say: (line) => io.stderr.write(`${line}\n`),
  });
  try {
    io.stdout.write(`ready ${await orAborted(tiers.ready, io.signal)}\n`);
    return await orAborted(tiers.failed, io.signal);
  } catch (error) {
    if (io.signal.aborted) {
      io.stderr.write("draining: the gateway, then the model server\n");
      return EXIT_DONE;
    }
    throw error;
  } finally {
    await tiers.stop(GRACE_MS);
  }
}
