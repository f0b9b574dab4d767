/**
 * The images' HEALTHCHECK: exits with 0 when the tier in this container says on /readyz that it can answer.
 *
 * Usage: node healthcheck.js SETTING DEFAULT. SETTING names the port to ask, such as `port`: the flag --port of process 1,
 * else the variable PORT, else DEFAULT.
 */
import { readFileSync } from "node:fs";
import { get } from "node:http";

const TIMEOUT_MS = 2_500;

const [, , setting, byDefault] = process.argv;

get(
  { host: "127.0.0.1", port: portOf(setting) ?? byDefault, path: "/readyz", timeout: TIMEOUT_MS },
  (response) => {
    process.exitCode = response.statusCode === 200 ? 0 : 1;
    // Docker keeps the reason: `docker inspect` shows it.
    response.pipe(process.stdout);
  },
)
  .on("timeout", function () {
    this.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`));
  })
  .on("error", ({ message }) => {
    process.stdout.write(`${message}\n`);
    process.exitCode = 1;
  });

/** Flags are written `--a-b 1`, `--a-b=1`, and with underscores. */
function portOf(name) {
  const words = readFileSync("/proc/1/cmdline", "utf8").split("\0");
  for (const [index, word] of words.entries()) {
    const [flag, value = words[index + 1]] = word.split("=", 2);
    if (flag.replaceAll("_", "-") === `--${name}`) return value;
  }
  return process.env[name.replaceAll("-", "_").toUpperCase()] || undefined;
}
