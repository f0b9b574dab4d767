import { describe, expect, test } from "vitest";
import { shareCores } from "./cores.js";

describe("sharing cores", () => {
  test.each([
    [1, {}, [1, 1]],
    [2, {}, [2, 1]],
    [8, {}, [8, 1]],
    [32, {}, [8, 4]],
    [8, { intraOpThreads: 4 }, [2, 4]],
    [8, { workers: 2 }, [2, 4]],
    [2, { workers: 3 }, [3, 1]],
    [2, { intraOpThreads: 4 }, [1, 4]],
  ])("%d cores with %j become %j workers x threads", (cores, given, expected) => {
    const { workers, intraOpThreads } = shareCores(cores, {
      workers: undefined,
      intraOpThreads: undefined,
      ...given,
    });
    expect([workers, intraOpThreads]).toEqual(expected);
  });
});
