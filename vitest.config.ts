import { defineConfig } from "vitest/config";

// Unit tests import their own package's src; every other package resolves to its dist, so `tsc -b` comes first.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          // Real sockets and threads take their time on a machine that does other things, too.
          testTimeout: 30_000,
          sequence: { groupOrder: 0 },
          include: [
            "packages/*/src/**/*.test.ts",
            "website/src/**/*.test.ts",
            "scripts/**/*.test.ts",
            "deploy/docker/*.test.ts",
          ],
        },
      },
      {
        test: {
          name: "system",
          include: ["tests/**/*.test.ts"],
          // Those need a Docker engine or a Kubernetes cluster, and have a configuration and a script of their own.
          exclude: ["tests/cluster/**", "tests/images/**"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Whole tiers run here: one file at a time, and after the unit tests.
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
