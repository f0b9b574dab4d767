import { describe, expect, it } from "vitest";
import { searchLabels } from "./search-box.js";

const labels = [
  { label: "dress", name: "Kleid" },
  { label: "outwear", name: "Jacke oder Mantel" },
  { label: "eclair", name: "Éclair" },
  { label: "coat of mail", name: "Kettenhemd" },
];

const found = (text: string) => searchLabels(labels, text).map(({ label }) => label);

describe("searchLabels", () => {
  it("lists everything while nothing is typed", () => {
    expect(found("  ")).toHaveLength(4);
  });

  it("finds by the shown name and by the model's label, whatever the case, accents and order of words", () => {
    expect(found("klei")).toEqual(["dress"]);
    expect(found("DRESS")).toEqual(["dress"]);
    expect(found("eclair")).toEqual(["eclair"]);
    expect(found("mantel jacke")).toEqual(["outwear"]);
    expect(found("xyz")).toEqual([]);
  });

  it("puts names that begin with the text first", () => {
    expect(found("k")).toEqual(["dress", "coat of mail", "outwear"]);
  });
});
