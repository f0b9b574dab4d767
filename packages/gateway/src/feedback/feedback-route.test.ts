import Fastify from "fastify";
import { expect, it } from "vitest";
import { addFeedback } from "./feedback-route.js";

it("a removal from a disk that hangs is answered in time", async () => {
  const app = Fastify();
  addFeedback(app, {
    feedback: {
      give: () => Promise.reject(new Error("nothing was given")),
      store: { mark: "m", withdraw: () => new Promise(() => {}) },
      keepDays: 1,
      timeoutMs: 5,
    },
    limits: { maxImageBytes: 1, maxImages: 1 },
    corsOrigins: [],
  });
  const { body } = await app.inject({ method: "DELETE", url: "/feedback/x" });
  expect(body).toContain("request was not answered within its 5 ms");
  await app.close();
});
