import { defineConfig } from "vitest/config";

// `npm run test:cluster`: on a real Kubernetes cluster, one file after the other. docs/kubernetes.md says what they need.
export default defineConfig({
  test: {
    name: "cluster",
    globalSetup: ["tests/cluster/load-images.ts"],
    include: ["tests/cluster/**/*.test.ts"],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    fileParallelism: false,
  },
});
