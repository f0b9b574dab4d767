import { expect, it } from "vitest";
import { createPermits } from "./permits.js";

const overloaded = expect.objectContaining({ reason: "OVERLOADED", retryAfterSeconds: 1 });

it("refuses the request after the last permit, and takes one again when one is given back", () => {
  const permits = createPermits({ maxRequests: 2, maxBytes: 10 });
  const first = permits.take();
  permits.take();
  expect(() => permits.take()).toThrow(overloaded);
  first.release();
  permits.take();
  expect(permits.requestsAtWork).toBe(2);
});

it("refuses bytes above the limit of all requests together, and gives back those of a request that ends", () => {
  const permits = createPermits({ maxRequests: 9, maxBytes: 10 });
  const first = permits.take();
  const second = permits.take();
  first.hold(6);
  second.hold(4);
  expect(() => second.hold(1)).toThrow(overloaded);
  expect(permits.bytesHeld).toBe(10);
  first.release();
  second.hold(6);
  second.release();
  expect(permits.bytesHeld).toBe(0);
});

it("counts a permit that is released twice once", () => {
  const permits = createPermits({ maxRequests: 2, maxBytes: 10 });
  const first = permits.take();
  permits.take();
  first.release();
  first.release();
  expect(permits.requestsAtWork).toBe(1);
});

it("counts a request as many, and lets one that alone is too many through when nothing else is at work", () => {
  const permits = createPermits({ maxRequests: 10, maxBytes: 10 });
  const first = permits.take();
  first.addRequests(49);
  expect(permits.requestsAtWork).toBe(50);
  expect(() => permits.take()).toThrow(overloaded);
  first.release();
  expect(permits.requestsAtWork).toBe(0);
  permits.take();
  const second = permits.take();
  second.addRequests(8);
  expect(() => second.addRequests(1)).toThrow(overloaded);
});
