import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { logLineAsText } from "./log-text.js";
import { createLogger } from "./logger.js";

function logged(write: (logger: ReturnType<typeof createLogger>) => void): string {
  const stream = new PassThrough();
  write(createLogger({ name: "gateway", level: "info", stream }));
  return String(stream.read() ?? "");
}

test("a line is JSON with level, time, name and the error with its cause", () => {
  const error = new Error("outer", { cause: new Error("inner") });
  const line = JSON.parse(logged((logger) => logger.error({ err: error, requestId: "7" }, "failed")));
  expect(line).toMatchObject({ level: "error", name: "gateway", requestId: "7", msg: "failed" });
  expect(line.err.message).toBe("outer: inner");
  expect(new Date(line.time).getTime()).not.toBeNaN();
});

test("lines below the level are not written", () => {
  expect(logged((logger) => logger.debug("step"))).toBe("");
});

test("credentials in headers are hidden", () => {
  const line = logged((logger) => logger.info({ headers: { authorization: "Bearer hush" } }, "request"));
  expect(line).not.toContain("hush");
});

test("a log line reads as text: clock, level, message, members", () => {
  const line =
    '{"level":"warn","time":"2026-11-21T12:03:44.120Z","name":"x","worker":2,"why":"a b","msg":"gone"}';
  expect(logLineAsText(line)).toBe('12:03:44 WARN  gone worker=2 why="a b"');
});

test("a line that is no log line stays as it is", () => {
  expect(logLineAsText("Error: boom")).toBe("Error: boom");
  expect(logLineAsText("{ not json")).toBe("{ not json");
});
