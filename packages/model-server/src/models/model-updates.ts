/** Looks again after each period: at the models' folders, and at the configuration file. */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@vitrine/runtime/logger";
import { UsageError } from "@vitrine/runtime/settings";
import { configuredModels, type ModelSettings } from "./model-settings.js";
import type { ServedModels } from "./served-models.js";

/**
 * Disks over a network tell of no changes, so this looks when the flags say. Each look begins a whole period after the
 * last one has ended.
 *
 * @param text of the configuration file as it was applied.
 * @param signal ends it.
 */
export function keepLooking(
  settings: ModelSettings,
  text: string | undefined,
  models: ServedModels,
  logger: Logger,
  signal: AbortSignal,
): void {
  const { fileSystemPollWaitSeconds, modelConfigFilePollWaitSeconds } = settings;
  if (fileSystemPollWaitSeconds > 0) {
    repeat(fileSystemPollWaitSeconds * 1000, () => models.look(), signal);
  }
  if (text === undefined || modelConfigFilePollWaitSeconds === 0) return;
  let applied = text;
  let refused: string | undefined;
  const readAgain = async (): Promise<void> => {
    try {
      const read = await configuredModels(settings, (message) => logger.warn(message));
      if (read.text === undefined || read.text === applied) return;
      // Not waited for: a model that never becomes available must not keep the next change from being read.
      await models.begin(read.models);
      applied = read.text;
      refused = undefined;
      logger.info({ models: read.models.map(({ name }) => name) }, "the changed configuration is applied");
    } catch (error) {
      if (signal.aborted) return;
      const words = error instanceof UsageError ? error.problems.join("; ") : String(error);
      // The same fault is told once, not at each look.
      if (words !== refused) logger.error({ err: error }, "the changed configuration is not applied");
      refused = words;
    }
  };
  repeat(modelConfigFilePollWaitSeconds * 1000, readAgain, signal);
}

/** @param task does not throw. */
function repeat(periodMs: number, task: () => Promise<void>, signal: AbortSignal): void {
  const loop = async (): Promise<void> => {
    for (;;) {
      await delay(periodMs, undefined, { signal });
      await task();
    }
  };
  loop().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
