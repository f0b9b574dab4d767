import { describe, expect, it } from "vitest";
import { jsonInLabelOrder } from "./label-order.js";

describe("the JSON of an answer", () => {
  const labels = ["10", "2", "one", "__proto__"];
  const byLabel = Object.fromEntries(labels.map((label, index) => [label, index / 10]));

  it("has labels that are numbers in the model's order, wherever they are names", () => {
    const answer = { predictions: byLabel, steps: [{ scores: byLabel, note: undefined }], top_class: "2" };
    const inOrder = '{"10":0,"2":0.1,"one":0.2,"__proto__":0.3}';
    expect(jsonInLabelOrder(answer, labels)).toBe(
      `{"predictions":${inOrder},"steps":[{"scores":${inOrder}}],"top_class":"2"}`,
    );
  });

  it("is what JSON.stringify writes where no label is a number", () => {
    const answer = { predictions: { b: 0.5, a: 0.5 }, top: [{ label: "b" }], unsure: undefined };
    expect(jsonInLabelOrder(answer, ["b", "a"])).toBe(JSON.stringify(answer));
    expect(jsonInLabelOrder({ text: 'a "quote"', none: null, yes: true }, ["1"])).toBe(
      '{"text":"a \\"quote\\"","none":null,"yes":true}',
    );
  });
});
