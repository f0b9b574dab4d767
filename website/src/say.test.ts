import { describe, expect, it } from "vitest";
import { createSpeaker, type Say } from "./say.js";
import { say } from "./testing/fixtures.js";
import type { Language } from "./words/choice.js";

/** A switch whose words come, or do not, when the test says so. */
function arranged() {
  const said: string[] = [];
  const ends = new Map<Language, { came(): void; failed(): void }>();
  const speakIn = createSpeaker({
    sayIn: (language) =>
      new Promise<Say>((resolve, reject) => {
        ends.set(language, {
          came: () => resolve({ ...say, language }),
          failed: () => reject(new Error("no network")),
        });
      }),
    speak: ({ language }) => said.push(language),
    onMissing: () => said.push("missing"),
  });
  return { said, ends, speakIn };
}

describe("a switch of the language", () => {
  it("is the last one that was wished, whichever words come first", async () => {
    const { said, ends, speakIn } = arranged();
    const switches = [speakIn("de"), speakIn("ar")];
    ends.get("ar")?.came();
    await switches[1];
    ends.get("de")?.came();
    await Promise.all(switches);
    expect(said).toEqual(["ar"]);
  });

  it("whose words do not come is told, unless another one was wished since", async () => {
    const { said, ends, speakIn } = arranged();
    const first = speakIn("de");
    const second = speakIn("ar");
    ends.get("de")?.failed();
    await first;
    expect(said).toEqual([]);
    ends.get("ar")?.failed();
    await second;
    expect(said).toEqual(["missing"]);
  });
});
