import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { openOutput } from "./output.js";

test.runIf(process.platform === "linux")("a full disk is told by the next row, or at the end", async () => {
  const output = await openOutput("/dev/full", false, new PassThrough());
  await output.write("one row\n");
  await expect(output.close()).rejects.toThrow(/ENOSPC/);
  const other = await openOutput("/dev/full", false, new PassThrough());
  const writing = async (): Promise<never> => {
    while (true) await other.write("x".repeat(70_000));
  };
  await expect(writing()).rejects.toThrow(/ENOSPC/);
});
