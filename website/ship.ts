/** What the build does to the finished files, so that the first paint waits for one answer of the gateway and for few bytes. */
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";

/**
 * Puts the style into the page: a request less before the first paint. The gateway reads it from there for the page's
 * policy (packages/gateway/src/website.ts).
 */
export function inlineStyle(): Plugin {
  return {
    name: "vitrine-inline-style",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      const page = bundle["index.html"];
      if (page?.type !== "asset" || typeof page.source !== "string")
        throw new Error("the build has no index.html");
      page.source = page.source.replace(
        /<link rel="stylesheet"[^>]* href="\/([^"]+\.css)"[^>]*>/g,
        (_link, name: string) => {
          const style = bundle[name];
          if (style?.type !== "asset") throw new Error(`index.html links ${name}, which the build has not`);
          delete bundle[name];
          return `<style>${String(style.source).trim()}</style>`;
        },
      );
    },
  };
}

/** The highest: the page is compressed once, and read often. */
const BROTLI_QUALITY = 11;

const COMPRESSIBLE = /\.(?:html|js|css|svg)$/;

/** Writes each text file a second and third time, compressed, for the gateway to choose from. */
export function compressFiles(): Plugin {
  return {
    name: "vitrine-compress-files",
    apply: "build",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        for (const [name, file] of Object.entries(bundle)) {
          if (!COMPRESSIBLE.test(name)) continue;
          const bytes = Buffer.from(file.type === "asset" ? file.source : file.code);
          const params = { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY };
          this.emitFile({
            type: "asset",
            fileName: `${name}.br`,
            source: brotliCompressSync(bytes, { params }),
          });
          this.emitFile({ type: "asset", fileName: `${name}.gz`, source: gzipSync(bytes, { level: 9 }) });
        }
      },
    },
  };
}
