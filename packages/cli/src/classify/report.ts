/** What `classify` says on stderr: how far it is, what failed, and how often the folders' names were right. */
import { EXIT_DONE, EXIT_FAILED, EXIT_READER_LEFT, hasReaderLeft, type Io } from "@vitrine/runtime/lifecycle";
import { createProgress } from "./progress.js";
import type { Source } from "./sources.js";

export interface Report {
  /** Counts the pictures ahead of the work, so that progress has a total. */
  countTotal(sources: AsyncIterable<Source>): Promise<void>;
  /**
   * @param topClass  undefined for a picture that failed.
   * @param isEarlier an earlier run has written its row.
   */
  add(source: Source, topClass: string | undefined, isEarlier: boolean): void;
  /** Makes room on the terminal for a line of other text. */
  clear(): void;
  /** Says the sums. @returns exit code: 1 when a picture failed or the run was interrupted; says nothing to a closed pipe. */
  end(skippedFiles: number): number;
}

/**
 * @param labels of the model. A picture found in a folder of such a name counts for the accuracy.
 * @param io     an aborted signal marks the run as interrupted.
 */
export function createReport(labels: readonly string[], io: Io): Report {
  const { stderr, signal } = io;
  const known = new Set(labels);
  const progress = createProgress(stderr);
  const startedMs = performance.now();
  let total: number | undefined;
  let done = 0;
  let earlier = 0;
  let failed = 0;
  let labelled = 0;
  let right = 0;
  return {
    async countTotal(sources) {
      let count = 0;
      for await (const _ of sources) count++;
      total = count;
    },

    add(source, topClass, isEarlier) {
      done++;
      if (isEarlier) earlier++;
      if (topClass === undefined) failed++;
      if (source.folder !== undefined && known.has(source.folder)) {
        labelled++;
        if (topClass === source.folder) right++;
      }
      progress.show({ done, earlier, failed, total });
    },

    clear: () => progress.clear(),

    end(skippedFiles) {
      progress.clear();
      if (hasReaderLeft(io)) return EXIT_READER_LEFT;
      const seconds = (performance.now() - startedMs) / 1000;
      const pictures = `${done} ${done === 1 ? "picture" : "pictures"}`;
      stderr.write(
        `${pictures} in ${seconds.toFixed(1)} s (${((done - earlier) / seconds).toFixed(0)} per second)`,
      );
      stderr.write(`${failed === 0 ? "" : `, ${failed} failed`}\n`);
      if (skippedFiles > 0)
        stderr.write(`skipped ${skippedFiles} files that are no pictures by their names\n`);
      if (labelled > 0) stderr.write(`accuracy ${(right / labelled).toFixed(4)} (${right} of ${labelled})\n`);
      if (signal.aborted) stderr.write("interrupted: go on with --output FILE --resume\n");
      return failed > 0 || signal.aborted ? EXIT_FAILED : EXIT_DONE;
    },
  };
}
