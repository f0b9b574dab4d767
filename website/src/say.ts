/** The language of the moment: its words and formats. */
import type { Language } from "./words/choice.js";
import { type Formats, formatsOf } from "./words/formats.js";
import { loadWords, type Words } from "./words/language.js";

export interface Say {
  readonly language: Language;
  readonly words: Words;
  readonly formats: Formats;
}

export async function sayIn(language: Language): Promise<Say> {
  const words = await loadWords(language);
  return { language, words, formats: formatsOf(language, words) };
}

interface SpeakerParts {
  sayIn(language: Language): Promise<Say>;
  speak(say: Say): void;
  /** The words did not come: the page goes on in the language that it speaks. */
  onMissing(): void;
}

/** @returns switches the language; of several switches at once the last one counts, whichever words come first. */
export function createSpeaker({
  sayIn: words,
  speak,
  onMissing,
}: SpeakerParts): (language: Language) => Promise<void> {
  let switches = 0;
  return async (language: Language): Promise<void> => {
    switches += 1;
    const own = switches;
    let say: Say;
    try {
      say = await words(language);
    } catch {
      if (own === switches) onMissing();
      return;
    }
    if (own === switches) speak(say);
  };
}

/** With a capital, as names of categories stand in headings; scripts without capitals stay as they are. */
export function capitalised(text: string): string {
  const [first = ""] = text;
  return first.toLocaleUpperCase() + text.slice(first.length);
}
