import { describe, expect, it } from "vitest";
import { LANGUAGES } from "../words/choice.js";
import { correctionOf, keptCorrectionOf } from "./correction.js";
import { createKeptCorrections } from "./kept-corrections.js";
import { feedbackWords } from "./words.js";

const said = { label: "pants", predicted: "shorts", model_version: "3", contract: "sha256:0" };

describe("a correction", () => {
  it("of files and links sends them in the same order", () => {
    const body = new FormData();
    body.append("url", "https://a.example/1.jpg");
    body.append("file", new File(["two"], "b.jpg"));
    body.append("url", "https://a.example/3.jpg");
    const { body: form } = correctionOf({ body, headers: {} }, said);
    if (typeof form === "string") throw new Error("not a form");
    expect([...form.keys()].filter((name) => name === "file" || name === "url")).toEqual([
      "url",
      "file",
      "url",
    ]);
  });

  it("of files sends the same files, both labels, and the consent that was given", async () => {
    const body = new FormData();
    body.append("file", new File(["one"], "a.jpg"));
    body.append("file", new File(["two"], "b.jpg"));
    const { body: form } = correctionOf({ body, headers: {} }, said);
    if (typeof form === "string") throw new Error("not a form");
    expect([...form.entries()].filter(([name]) => name !== "file")).toEqual([
      ["label", "pants"],
      ["predicted", "shorts"],
      ["model_version", "3"],
      ["contract", "sha256:0"],
      ["consent", "yes"],
    ]);
    const files = form.getAll("file") as File[];
    expect(await Promise.all(files.map((file) => file.text()))).toEqual(["one", "two"]);
    expect(body.has("consent")).toBe(false);
  });

  it("of links sends the same links", () => {
    const headers = { "content-type": "application/json" };
    const { body, headers: sent } = correctionOf(
      { body: '{"urls":["https://a.example/1.jpg"]}', headers },
      said,
    );
    expect(JSON.parse(String(body))).toEqual({
      urls: ["https://a.example/1.jpg"],
      label: "pants",
      predicted: "shorts",
      model_version: "3",
      contract: "sha256:0",
      consent: true,
    });
    expect(sent).toBe(headers);
  });

  it.each([undefined, null, {}, { id: "x", label: "y", pictures: 1, delete_after: "soon" }])(
    "is not kept by the answer %j",
    (json) => expect(keptCorrectionOf(json)).toBeUndefined(),
  );
});

function memory(text?: string) {
  const kept = new Map(text === undefined ? [] : [["vitrine.feedback", text]]);
  return {
    kept,
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
    removeItem: (name: string) => void kept.delete(name),
  };
}

describe("what was kept", () => {
  it("is known to the page when the browser's storage is full", () => {
    const full = {
      ...memory("[]"),
      setItem: () => {
        throw new DOMException("full", "QuotaExceededError");
      },
    };
    const corrections = createKeptCorrections(full, november);
    corrections.add(["a"], one);
    expect(corrections.of(["a"])).toMatchObject(one);
    corrections.remove(one.id);
    expect(corrections.of(["a"])).toBeUndefined();
  });

  const one = {
    id: "one",
    label: "pants",
    count: 1,
    deleteAfter: "2026-12-01T00:00:00.000Z",
    withdraw: "/feedback/one",
  };
  const november = () => Date.parse("2026-11-01");

  it("is known by any of its photos, also to a page that comes later, until its time is over", () => {
    const storage = memory();
    createKeptCorrections(storage, november).add(["a", "b"], one);
    const later = createKeptCorrections(storage, november);
    expect(later.of(["b", "c"])).toMatchObject(one);
    expect(later.of(["c"])).toBeUndefined();
    expect(createKeptCorrections(storage, () => Date.parse("2026-12-02")).of(["a"])).toBeUndefined();
  });

  it("is the latest one, and the earlier ones that could not be removed are known, too", () => {
    const corrections = createKeptCorrections(memory(), november);
    corrections.add(["a"], one);
    corrections.add(["a"], { ...one, id: "two" });
    expect(corrections.of(["a"])?.id).toBe("two");
    expect(corrections.allOf(["a"]).map(({ id }) => id)).toEqual(["one", "two"]);
  });

  it("is listed as a whole, what goes first at the front", () => {
    const storage = memory();
    const corrections = createKeptCorrections(storage, november);
    corrections.add(["a"], one);
    corrections.add(["b"], { ...one, id: "two", deleteAfter: "2026-11-20T00:00:00.000Z" });
    expect(
      createKeptCorrections(storage, november)
        .all()
        .map(({ id }) => id),
    ).toEqual(["two", "one"]);
    expect(createKeptCorrections(undefined, november).all()).toEqual([]);
  });

  it("leaves no trace once it was removed", () => {
    const storage = memory();
    const corrections = createKeptCorrections(storage, november);
    corrections.add(["a"], one);
    corrections.remove("one");
    expect(storage.kept.size).toBe(0);
  });

  it("is known until the page is closed where the browser keeps nothing", () => {
    const blocked = {
      ...memory(),
      getItem: () => {
        throw new Error("blocked");
      },
      setItem: () => {
        throw new Error("blocked");
      },
    };
    for (const storage of [undefined, blocked]) {
      const corrections = createKeptCorrections(storage, november);
      corrections.add(["a"], one);
      expect(corrections.of(["a"])).toMatchObject(one);
    }
  });

  it.each(["{", "7", "[7]", '[{"photos":[]}]'])("is nothing where the browser holds %s", (text) => {
    expect(createKeptCorrections(memory(text), november).of(["a"])).toBeUndefined();
  });
});

describe.each(LANGUAGES)("the words in %s", (language) => {
  it("name the category, the days and the number of photos in the sentence that is agreed to", () => {
    const { consent } = feedbackWords[language];
    expect(consent(1, "pants", 90)).toContain("pants");
    expect(consent(1, "pants", 90)).toContain("90");
    expect(consent(3, "pants", 90)).toContain("3");
  });
});
