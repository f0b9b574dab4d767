/** Drawings of our own, for a first try without a photo. */
import type { Say } from "../say.js";
import { find, make } from "./find.js";

const SAMPLES = ["dress", "trousers", "hat", "shoes"] as const;

/** @param onSample gets the drawing as a file, which is read like any photo. */
export function createSamples(onSample: (file: File) => void, onFailed: () => void) {
  const section = find("samples", HTMLElement);
  const list = find("sample-list", HTMLElement);

  async function give(name: string): Promise<void> {
    try {
      const response = await fetch(`/samples/${name}.jpg`);
      if (!response.ok) throw new Error(`the sample ${name} was answered with ${response.status}`);
      onSample(new File([await response.blob()], `${name}.jpg`, { type: "image/jpeg" }));
    } catch {
      onFailed();
    }
  }

  return {
    render(isShown: boolean, { words }: Say): void {
      section.hidden = !isShown;
      list.replaceChildren(
        ...SAMPLES.map((name) => {
          const item = make("li", "thumb");
          const button = make("button", "thumb-show");
          button.type = "button";
          const image = make("img");
          image.src = `/samples/${name}.jpg`;
          image.alt = words.start.sampleNames[name];
          image.width = 72;
          image.height = 72;
          button.append(image);
          button.addEventListener("click", () => void give(name));
          item.append(button);
          return item;
        }),
      );
    },
  };
}
