/**
 * A model server that takes its time without computing: so many requests at a time, each so many milliseconds.
 *
 * Usage: slow-model-server.js VERSION_FOLDER HOST PORT DELAY_MS PARALLEL. Prints `ready PORT`; a line `delay MS` on
 * stdin changes the time, `count` prints `count N`, the requests answered since the last such line.
 */
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { shippedModel, startInstantModelTier } from "./instant-model-tier.js";

const [versionFolder = "", host = "", port = "0", delayText = "10", parallelText = "4"] =
  process.argv.slice(2);
let delayMs = Number(delayText);
let free = Number(parallelText);
let answered = 0;
const waiting: (() => void)[] = [];

async function work(): Promise<void> {
  if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
  else free -= 1;
  await delay(delayMs);
  answered += 1;
  const next = waiting.shift();
  if (next === undefined) free += 1;
  else next();
}

const tier = await startInstantModelTier(await shippedModel(versionFolder), {
  host,
  port: Number(port),
  work,
});
console.log(`ready ${tier.port}`);
createInterface({ input: process.stdin }).on("line", (line) => {
  const [word, value] = line.split(" ");
  if (word === "delay") delayMs = Number(value);
  if (word === "count") {
    console.log(`count ${answered}`);
    answered = 0;
  }
});
