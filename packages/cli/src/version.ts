import { readFile } from "node:fs/promises";
import { z } from "zod";

/** Version of this package, as `--version` and the build metric show it. */
export async function packageVersion(): Promise<string> {
  const text = await readFile(new URL("../package.json", import.meta.url), "utf8");
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}
