import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { curlCommand } from "./curl.js";
import { filePhoto, linkPhoto } from "./testing/fixtures.js";

const ORIGIN = "http://127.0.0.1:9696";

/** What a shell makes of the command: its words. */
function wordsOf(command: string): readonly string[] {
  const script = `set -- ${command}; printf '%s\\n' "$@"`;
  return execFileSync("sh", ["-c", script], { encoding: "utf8", env: { VITRINE_KEY: "secret" } })
    .trimEnd()
    .split("\n");
}

describe("curlCommand", () => {
  it("sends files under their names, whatever is in them", () => {
    const names = ["a b.jpg", "it's; rm -rf $HOME `x`.jpg", 'say "cheese", please.jpg'];
    const words = wordsOf(
      curlCommand(
        names.map((name) => filePhoto(name)),
        ORIGIN,
        false,
      ),
    );
    expect(words).toEqual([
      "curl",
      "-F",
      'file=@"a b.jpg"',
      "-F",
      'file=@"it\'s; rm -rf $HOME `x`.jpg"',
      "-F",
      'file=@"say \\"cheese\\", please.jpg"',
      `${ORIGIN}/predict?format=predictions&top_k=3`,
    ]);
  });

  it("sends a link as JSON", () => {
    const words = wordsOf(curlCommand([linkPhoto], ORIGIN, false));
    expect(words).toContain('{"url":"https://shop.example/a.jpg?token=1"}');
  });

  it("sends files and links of one item in their order, as a form", () => {
    const words = wordsOf(curlCommand([filePhoto("a.jpg"), linkPhoto, filePhoto("b.jpg")], ORIGIN, false));
    expect(words.slice(1, -1)).toEqual([
      "-F",
      'file=@"a.jpg"',
      "--form-string",
      "url=https://shop.example/a.jpg?token=1",
      "-F",
      'file=@"b.jpg"',
    ]);
  });

  it("takes a key from the environment and never spells it out", () => {
    const command = curlCommand([filePhoto()], ORIGIN, true);
    expect(command).not.toContain("secret");
    expect(wordsOf(command)).toContain("authorization: Bearer secret");
  });
});
