import { describe, expect, it } from "vitest";
import { readMetric, sumOfMetric } from "./metrics-text.js";

const WAITING = "vitrine_model_server_waiting_requests";
const none = new Map<string, string>();

function text(...lines: string[]): string {
  return [`# HELP ${WAITING} Requests that wait`, `# TYPE ${WAITING} gauge`, ...lines, ""].join("\n");
}

describe("sumOfMetric", () => {
  it("adds up the samples of all models and versions", () => {
    const samples = text(`${WAITING}{model="a",version="1"} 30`, `${WAITING}{model="b",version="2"} 7`);
    expect(sumOfMetric(samples, WAITING, none)).toBe(37);
  });

  it("counts only the samples that have the labels asked for", () => {
    const samples = text(`${WAITING}{model="a",version="1"} 30`, `${WAITING}{model="b",version="2"} 7`);
    expect(sumOfMetric(samples, WAITING, new Map([["model", "b"]]))).toBe(7);
    expect(sumOfMetric(samples, WAITING, new Map([["model", "c"]]))).toBe(0);
  });

  it("takes quoted braces, commas and backslashes in a label's value", () => {
    const samples = text(`${WAITING}{model="a\\"} 5,b=\\"c",version="1"} 2 1700000000000`);
    expect(sumOfMetric(samples, WAITING, new Map([["version", "1"]]))).toBe(2);
  });

  it("tells a gauge without samples from one that is not there", () => {
    expect(sumOfMetric(text(), WAITING, none)).toBe(0);
    expect(sumOfMetric("# TYPE other gauge\nother 1\n", WAITING, none)).toBeUndefined();
    expect(sumOfMetric(`${WAITING}_total 4\n`, WAITING, none)).toBeUndefined();
  });

  it("takes samples without labels, and leaves out what is no number", () => {
    expect(sumOfMetric("in_flight 1.5\nin_flight NaN\nin_flight +Inf\n", "in_flight", none)).toBe(1.5);
  });
});

describe("readMetric", () => {
  it("tells samples with other labels from none at all", () => {
    const other = text(`${WAITING}{model="a"} 30`);
    expect(readMetric(other, WAITING, new Map([["model", "b"]]))).toEqual({
      sum: 0,
      samples: 1,
      matching: 0,
    });
    expect(readMetric(text(), WAITING, new Map([["model", "b"]]))).toEqual({
      sum: 0,
      samples: 0,
      matching: 0,
    });
  });
});
