/** `vitrine gateway`: the CPU tier, with the website. */
import { gatewaySettings } from "@vitrine/gateway/config";
import { drainGraceSetting, runTier } from "@vitrine/runtime/lifecycle";
import { createLogger } from "@vitrine/runtime/logger";
import { defineCommand } from "../command.js";
import { findWebsite } from "../shipped.js";
import { packageVersion } from "../version.js";

export const gatewayCommandSettings = { ...gatewaySettings, drainGraceMs: drainGraceSetting };

export const gateway = defineCommand({
  name: "gateway",
  description:
    "Takes pictures over HTTP, asks the model server, answers with the category. Serves the website.",
  examples: [
    ["vitrine gateway", "asks localhost:8500 for clothing-model, listens on 9696"],
    ["vitrine gateway --tf-serving-host tf-serving:8500 --model-name birds", "another server, another model"],
    [
      "vitrine gateway --preprocess xception --size 299 --resample nearest --labels a,b,c --score-kind logits",
      "a server that knows no contract",
    ],
  ],
  settings: gatewayCommandSettings,
  async run({ config }, io) {
    const { startGateway } = await import("@vitrine/gateway/main");
    const logger = createLogger({ name: "gateway", level: config.logLevel, stream: io.stderr });
    const website = config.website ?? (await findWebsite());
    const version = await packageVersion();
    return await runTier("gateway", () => startGateway({ ...config, website }, { logger, version }), io, {
      graceMs: config.drainGraceMs,
    });
  },
});
