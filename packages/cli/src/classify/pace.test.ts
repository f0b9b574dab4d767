import { setMaxListeners } from "node:events";
import { expect, test } from "vitest";
import { createPace, type Pace } from "./pace.js";

const forever = new AbortController().signal;

/** Takes every place that is free, and gives them back. */
async function allowedBy(pace: Pace): Promise<number> {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const entered: ((taken: boolean) => void)[] = [];
  const entries = Array.from({ length: 20 }, () =>
    pace.enter(controller.signal).then(
      (leave) => entered.push(leave),
      () => {},
    ),
  );
  await new Promise(setImmediate);
  controller.abort();
  await Promise.all(entries);
  const allowed = entered.length;
  // As one request that says nothing: the places are given back without an answer that would count.
  for (const leave of entered) leave(true);
  return allowed;
}

test("as many as allowed may enter, and the next one when one leaves", async () => {
  const pace = createPace(2);
  const leaveFirst = await pace.enter(forever);
  await pace.enter(forever);
  let entered = false;
  const third = pace.enter(forever).then(() => {
    entered = true;
  });
  await new Promise(setImmediate);
  expect(entered).toBe(false);
  leaveFirst(true);
  await third;
  expect(entered).toBe(true);
});

test("a refusal slows down, and those that were refused with it do not slow down again", async () => {
  const pace = createPace(10);
  const leaves = await Promise.all(Array.from({ length: 10 }, () => pace.enter(forever)));
  for (const leave of leaves) leave(false);
  expect(await allowedBy(pace)).toBe(7);
});

test("refusals without end leave one request under way", async () => {
  const pace = createPace(8);
  for (let round = 0; round < 50; round++) (await pace.enter(forever))(false);
  expect(await allowedBy(pace)).toBe(1);
});

test("answers speed up again, by about one place per round, to no more than at the start", async () => {
  const pace = createPace(4);
  for (let round = 0; round < 50; round++) (await pace.enter(forever))(false);
  (await pace.enter(forever))(true);
  expect(await allowedBy(pace)).toBe(2);
  for (let round = 0; round < 50; round++) (await pace.enter(forever))(true);
  expect(await allowedBy(pace)).toBe(4);
});

test("who waits for a place leaves when the signal aborts, and takes nobody's place with it", async () => {
  const pace = createPace(1);
  const leave = await pace.enter(forever);
  const controller = new AbortController();
  const waiting = pace.enter(controller.signal);
  controller.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  leave(true);
  expect(await allowedBy(pace)).toBe(1);
});
