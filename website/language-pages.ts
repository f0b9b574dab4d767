/** The page once for each language, with its words in place: what is read before any script is there. */
import type { Plugin } from "vite";
import { wordsAt } from "./src/render/static-words.js";
import { ar } from "./src/words/ar.js";
import { directionOf, LANGUAGES, type Language } from "./src/words/choice.js";
import { de } from "./src/words/de.js";
import { en } from "./src/words/en.js";
import { LANGUAGE_NAMES, type Words } from "./src/words/language.js";
import { HEAD_WORDS } from "./src/words/page-head.js";

const WORDS: Readonly<Record<Language, Words>> = { en, de, ar };

/**
 * Writes index.de.html and so on beside index.html, which is English; packages/gateway/src/website.ts chooses among them. Each
 * begins to load its language's words together with the script.
 */
export function languagePages(): Plugin {
  return {
    name: "vitrine-language-pages",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      const page = bundle["index.html"];
      if (page?.type !== "asset" || typeof page.source !== "string")
        throw new Error("the build has no index.html");
      const { source } = page;
      const files = Object.values(bundle);
      for (const language of LANGUAGES) {
        const words = files.find(
          (file) => file.type === "chunk" && file.facadeModuleId?.endsWith(`/words/${language}.ts`) === true,
        );
        const html = pageIn(language, source, words?.fileName);
        if (language === "en") page.source = html;
        else this.emitFile({ type: "asset", fileName: `index.${language}.html`, source: html });
      }
    },
  };
}

/**
 * The page in a language.
 *
 * @param html      of index.html: elements with `data-words` and `data-head` hold text only, and no space in it counts.
 * @param wordsFile of the language, below the site's root; undefined where its words are part of the script.
 */
function pageIn(language: Language, html: string, wordsFile: string | undefined): string {
  const words = WORDS[language];
  const { description, noScript } = HEAD_WORDS[language];
  const preload =
    wordsFile === undefined ? "" : `<link rel="modulepreload" crossorigin href="/${wordsFile}">\n`;
  return html
    .replace(/<html [^>]*>/, `<html lang="${language}" dir="${directionOf(language)}">`)
    .replace(/(<meta name="description" content=)"[^"]*"/, `$1"${escaped(description)}"`)
    .replace(/(<span) data-head="noScript"(>)[^<]*/, `$1$2${escaped(noScript)}`)
    .replace(
      /(<[^>]* data-words="([^"]+)"[^>]*>)[^<]*/g,
      (_all, tag: string, path: string) => tag + escaped(wordsAt(words, path)),
    )
    .replace(
      / data-words-aria-label="([^"]+)"/g,
      (attribute, path: string) => `${attribute} aria-label="${escaped(wordsAt(words, path))}"`,
    )
    .replace(
      /(<select id="language"[^>]*>)/,
      `$1<option value="${language}" lang="${language}">${LANGUAGE_NAMES[language]}</option>`,
    )
    .replace("</head>", `${preload}</head>`)
    .replaceAll(/\n\s+/g, "\n");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
