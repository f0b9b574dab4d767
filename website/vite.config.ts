import { defineConfig } from "vite";
import { compressFiles, inlineStyle } from "./ship.js";

// `npm run dev` talks to a gateway that runs beside it.
const gateway = "http://127.0.0.1:9696";

export default defineConfig({
  plugins: [inlineStyle(), compressFiles()],
  build: {
    target: "es2022",
    // data: URLs would need their own allowance in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
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
