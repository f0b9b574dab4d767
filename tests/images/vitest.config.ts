import { defineConfig } from "vitest/config";

// `npm run test:images`: with a Docker engine, one file after the other. docs/images.md says what they need.
export default defineConfig({
  test: {
    name: "images",
    globalSetup: ["tests/images/build-images.ts"],
    include: ["tests/images/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
});
