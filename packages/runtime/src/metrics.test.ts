import { expect, test } from "vitest";
import { createMetrics, durationHistogram } from "./metrics.js";

test("a scrape shows build, memory, CPU and the event loop's delay", async () => {
  const metrics = createMetrics("gateway", "1.2.3");
  const text = await metrics.registry.metrics();
  metrics.close();
  expect(text).toContain('vitrine_build_info{tier="gateway",version="1.2.3"');
  for (const name of ["process_resident_memory_bytes", "process_cpu_seconds_total"]) {
    expect(Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1])).toBeGreaterThan(0);
  }
  expect(text).toContain('nodejs_eventloop_delay_seconds{quantile="0.99"}');
});

test("a blocked event loop shows in the next scrape and not in the one after it", async () => {
  const metrics = createMetrics("gateway", "0");
  const longest = async (): Promise<number> => {
    const text = await metrics.registry.metrics();
    return Number(/delay_seconds\{quantile="1"\} (.*)/.exec(text)?.[1]);
  };
  const turns = async (count: number): Promise<void> => {
    for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  await turns(3); // The sampler needs ticks before and after the block.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  await turns(3);
  expect(await longest()).toBeGreaterThan(0.25);
  await turns(3);
  expect(await longest()).toBeLessThan(0.25);
  metrics.close();
});

test("registries of two tiers in one process do not meet", async () => {
  const [a, b] = [createMetrics("a", "0"), createMetrics("b", "0")];
  durationHistogram(a.registry, "vitrine_stage_seconds", "Stages", ["stage"]).observe(
    { stage: "decode" },
    0.002,
  );
  expect(await a.registry.metrics()).toContain('vitrine_stage_seconds_bucket{le="0.0025",stage="decode"} 1');
  expect(await b.registry.metrics()).not.toContain("vitrine_stage_seconds");
  a.close();
  b.close();
});
