import { defineConfig } from "vite";
import { languagePages } from "./language-pages.js";
import { compressFiles, inlineStyle } from "./ship.js";

// `npm run dev` talks to a gateway that runs beside it.
const gateway = "http://127.0.0.1:9696";

export default defineConfig({
  plugins: [inlineStyle(), languagePages(), compressFiles()],
  build: {
    target: "es2022",
    // data: URLs would need their own allowance in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // A machine that has much else to do would be told so at each build.
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  server: {
    proxy: Object.fromEntries(
      ["/predict", "/info", "/picture", "/feedback", "/docs", "/openapi.json"].map((route) => [
        route,
        gateway,
      ]),
    ),
  },
});
