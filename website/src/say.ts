/** The language of the moment: its words and formats. */
import { type Formats, formatsOf } from "./words/formats.js";
import { type Language, loadWords, type Words } from "./words/language.js";

export interface Say {
  readonly language: Language;
  readonly words: Words;
  readonly formats: Formats;
}

export async function sayIn(language: Language): Promise<Say> {
  const words = await loadWords(language);
  return { language, words, formats: formatsOf(language, words) };
}

/** With a capital, as names of categories stand in headings; scripts without capitals stay as they are. */
export function capitalised(text: string): string {
  const [first = ""] = text;
  return first.toLocaleUpperCase() + text.slice(first.length);
}
