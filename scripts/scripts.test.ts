import { expect, test } from "vitest";
import { countResults } from "./count-results.js";
import { staleReason } from "./install.js";

const report = { numPassedTests: 3, numFailedTests: 0, numPendingTests: 1, numTodoTests: 0, testResults: [] };

test("passed, failed and skipped tests are counted", () => {
  expect(countResults(report, 0)).toEqual({ passed: 3, failed: 0, skipped: 1 });
});

test("a file that could not be loaded counts as a failed test", () => {
  const testResults = [{ status: "failed", assertionResults: [] }];
  expect(countResults({ ...report, testResults }, 1)).toMatchObject({ failed: 1 });
});

test("an error outside all tests, and no report at all, count as a failed test", () => {
  expect(countResults(report, 1)).toMatchObject({ passed: 3, failed: 1 });
  expect(countResults(undefined, 1)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

const wanted = {
  "": { version: "0.1.0" },
  "packages/cli": { version: "0.1.0" },
  "node_modules/zod": { version: "4.6.7" },
  "node_modules/sharp-darwin": { version: "1.0.0", optional: true },
};

test("an installation is fresh when it has every package of the lock file, binaries of other systems aside", () => {
  expect(staleReason({ "node_modules/zod": { version: "4.6.7" } }, wanted)).toBeUndefined();
});

test("an installation is stale without a package, with another version, and when there is none", () => {
  expect(staleReason({}, wanted)).toBe("node_modules/zod is missing");
  expect(staleReason({ "node_modules/zod": { version: "4.0.0" } }, wanted)).toBe(
    "node_modules/zod is not 4.6.7",
  );
  expect(staleReason(undefined, wanted)).toBe("there are none yet");
});
