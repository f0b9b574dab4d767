import { expect, test } from "vitest";
import type { LoadRecord } from "./load-record.js";
import { reportOf } from "./report.js";
import { type BenchFacts, benchResult } from "./result.js";
import { createSeries, type Series } from "./series.js";
import type { Usage } from "./tier-usage.js";

function seriesOf(values: readonly number[]): Series {
  const series = createSeries();
  for (const value of values) series.add(value);
  return series;
}

function factsOf(record: Partial<LoadRecord>, more: Partial<BenchFacts> = {}): BenchFacts {
  const answers = Array.from({ length: 200 }, (_, index) => index + 1);
  return {
    target: "http://127.0.0.1:9696",
    pictures: {
      name: "1 picture",
      requests: [{ body: Buffer.alloc(7), contentType: "image/jpeg" }],
      meanBytes: 7,
    },
    load: { kind: "closed", concurrency: 2 },
    record: {
      seconds: 10,
      ok: 200,
      failures: new Map(),
      latencyMs: seriesOf(answers),
      stagesMs: new Map([
        ["predict", seriesOf([3])],
        ["network", seriesOf([1])],
        ["decode", seriesOf([2])],
      ]),
      latenessMs: seriesOf([0]),
      sentBytes: 1000,
      receivedBytes: 500,
      cached: 0,
      loader: { cores: 0.1, busyShare: 0.1 },
      ...record,
    },
    usage: undefined,
    machine: { processor: "Some CPU", cores: 2 },
    interrupted: false,
    ...more,
  };
}

test("figures are per second of the load, stages in the order of a request, and nothing is warned of", () => {
  const result = benchResult(factsOf({}));
  expect(result).toMatchObject({ per_second: 20, sent_bytes_per_second: 100, answered: 200, failed: 0 });
  expect(Object.keys(result.stages_ms)).toEqual(["network", "decode", "predict"]);
  expect(result.latency_ms?.p95).toBe(190);
  expect(result.warnings).toEqual([]);
});

test("the own tiers' CPU is that of the counted pictures, and their stages' means are the difference", () => {
  const at = (cpuSeconds: number, pictures: number, queueSeconds: number): Usage => {
    const tier = { cpuSeconds, residentBytes: 1, peakBytes: 2 };
    const queue = { seconds: queueSeconds, count: pictures };
    return { gateway: tier, modelServer: tier, pictures, queue, inference: queue };
  };
  const { tiers, model_server_ms } = benchResult(factsOf({}, { usage: [at(5, 100, 1), at(7, 300, 2)] }));
  expect(tiers?.gateway).toEqual({ cpu_ms_per_picture: 10, resident_bytes: 1, peak_bytes: 2 });
  expect(model_server_ms?.queue).toBe(5);
});

test("what makes the figures worth less is said in sentences", () => {
  const warningsOf = (record: Partial<LoadRecord>, more?: Partial<BenchFacts>) =>
    benchResult(factsOf(record, more)).warnings;
  expect(warningsOf({ loader: { cores: 0.9, busyShare: 0.9 } })).toEqual([
    expect.stringMatching(/^the loader itself/),
  ]);
  expect(warningsOf({ cached: 50 })).toEqual([
    expect.stringMatching(/^50 of 200 answers were in the gateway's cache/),
  ]);
  expect(warningsOf({ ok: 7 })).toEqual([
    "7 answers are too few for a p99, and the slowest one decides the p95; load longer",
  ]);
  expect(warningsOf({ ok: 0 })).toEqual([expect.stringMatching(/^no request that began after the warm-up/)]);
  const open = { load: { kind: "open", perSecond: 5, arrivals: "constant" } } as const;
  expect(warningsOf({ latenessMs: seriesOf([500]) }, open)).toEqual([
    expect.stringMatching(/sent 500 ms late/),
  ]);
  expect(warningsOf({}, { interrupted: true })).toEqual([expect.stringMatching(/^interrupted/)]);
});

test("a load without an answer is a table without times", () => {
  const failures = new Map([["ECONNREFUSED", 4]]);
  const record = { seconds: 0, ok: 0, failures, latencyMs: createSeries(), stagesMs: new Map() };
  const report = reportOf(benchResult(factsOf(record)));
  expect(report).toMatch(/^per second +0\.0$/m);
  expect(report).toMatch(/^failed +4 of 4: ECONNREFUSED 4$/m);
  expect(report).not.toContain("milliseconds");
});
