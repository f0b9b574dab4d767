/**
 * Counts the tests of a report. A file that could not be loaded, and an error outside all tests, each count as
 * a failed one.
 *
 * @param report what vitest's JSON reporter wrote; undefined when there is none.
 * @param {number} exitCode of vitest.
 */
export function countResults(report, exitCode) {
  const brokenFiles = (report?.testResults ?? []).filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
  );
  const failed = (report?.numFailedTests ?? 0) + brokenFiles.length;
  return {
    passed: report?.numPassedTests ?? 0,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0),
  };
}
