import { expect, test } from "vitest";
import { RestartPolicy } from "./restart-policy.js";

const options = { crashLimit: 5, crashWindowMs: 60_000, restartDelayMs: 100 };

test("the first death is mended at once, each further one later", () => {
  const policy = new RestartPolicy(options);
  expect([0, 1, 2, 3].map((diedAt) => policy.died(diedAt))).toEqual(
    [0, 100, 200, 400].map((delayMs) => ({ kind: "after", delayMs })),
  );
});

test("the wait has an upper limit", () => {
  const policy = new RestartPolicy({ ...options, crashLimit: 100 });
  for (let death = 0; death < 50; death++) policy.died(death);
  expect(policy.died(50)).toEqual({ kind: "after", delayMs: 5000 });
});

test("as many deaths as the limit in the window are a crash loop", () => {
  const policy = new RestartPolicy(options);
  for (let death = 0; death < 4; death++) policy.died(death);
  expect(policy.died(59_999)).toEqual({ kind: "never", deaths: 5 });
});

test("deaths of long ago do not count", () => {
  const policy = new RestartPolicy(options);
  for (let death = 0; death < 4; death++) policy.died(death);
  expect(policy.died(60_003)).toEqual({ kind: "after", delayMs: 0 });
});

test("an answered run forgives what came before", () => {
  const policy = new RestartPolicy(options);
  for (let death = 0; death < 4; death++) policy.died(death);
  policy.answered();
  expect(policy.died(5)).toEqual({ kind: "after", delayMs: 0 });
});
