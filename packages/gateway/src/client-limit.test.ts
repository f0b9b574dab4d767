import { ServeError } from "@vitrine/protocol/status";
import { beforeEach, describe, expect, it } from "vitest";
import { type ClientLimit, createClientLimit } from "./client-limit.js";

const SECOND = 1000;
let time: number;
let limit: ClientLimit;

beforeEach(() => {
  time = 5_000_000;
  limit = createClientLimit({ maxPredictions: 60, now: () => time });
});

/** Seconds to wait; 0 when it was let in. */
function ask(client: string, predictions = 1): number {
  const account = limit.accountOf(client);
  try {
    account.add(1);
    if (predictions > 1) account.add(predictions - 1);
    return 0;
  } catch (error) {
    expect(error).toMatchObject({ reason: "CLIENT_LIMIT" });
    return error instanceof ServeError ? (error.retryAfterSeconds ?? Number.NaN) : Number.NaN;
  }
}

describe("the limit per client", () => {
  it("lets in as many predictions as a minute may have, and says when the next may come", () => {
    for (let count = 0; count < 60; count++) expect(ask("a")).toBe(0);
    time += 15 * SECOND;
    expect(ask("a")).toBe(45);
    expect(ask("b")).toBe(0);
    time += 45 * SECOND;
    expect(ask("a")).toBe(0);
  });

  it("counts a request as all the predictions that it costs", () => {
    expect(ask("a", 50)).toBe(0);
    for (let count = 0; count < 10; count++) expect(ask("a")).toBe(0);
    expect(ask("a")).toBe(60);
  });

  it("refuses an explanation for which the minute has no room, and lets it in when it said", () => {
    for (let count = 0; count < 20; count++) ask("a");
    const wait = ask("a", 50);
    expect(wait).toBe(60);
    expect(ask("a")).toBe(0);
    time += wait * SECOND;
    expect(ask("a", 50)).toBe(0);
  });

  it("lets in a request that alone is more than a minute's worth, and takes the rest from the minutes after it", () => {
    expect(ask("a", 150)).toBe(0);
    // 90 and then 30 are left of it.
    expect(ask("a")).toBe(120);
    time += 119 * SECOND;
    expect(ask("a")).toBe(1);
    time += 1 * SECOND;
    for (let count = 0; count < 30; count++) expect(ask("a")).toBe(0);
    expect(ask("a")).toBe(60);
  });

  it("says of such a request, too, when it can be let in", () => {
    ask("a");
    const wait = ask("a", 150);
    expect(wait).toBe(60);
    time += wait * SECOND;
    expect(ask("a", 150)).toBe(0);
  });

  it("lets no two requests side by side have what only one may", () => {
    const [one, other] = [limit.accountOf("a"), limit.accountOf("a")];
    one.add(1);
    other.add(1);
    one.add(49);
    expect(() => other.add(49)).toThrow(/more than 60 predictions in a minute, and this request is 50/);
  });

  it("lets a request go on that costs no more, also in a minute that pays for what it cost", () => {
    const large = limit.accountOf("a");
    large.add(150);
    time += 61 * SECOND;
    large.add(0);
    expect(() => large.add(1)).toThrow(/and this request is 151/);
  });

  it("takes nothing that others had in a new minute for a request's own of the minute before", () => {
    const early = limit.accountOf("a");
    early.add(50);
    time += 61 * SECOND;
    for (let count = 0; count < 50; count++) expect(ask("a")).toBe(0);
    expect(() => early.add(11)).toThrow(/and this request is 61/);
    early.add(10);
    expect(ask("a")).toBe(60);
  });

  it("tells what is left, and until when", () => {
    const account = limit.accountOf("a");
    account.add(50);
    time += 12_300;
    expect(account.state()).toEqual({ limit: 60, remaining: 10, resetSeconds: 48 });
  });

  it("forgets those whom it did not see for longest", () => {
    const few = createClientLimit({ maxPredictions: 1, maxClients: 2, now: () => time });
    for (const client of ["a", "b", "c"]) few.accountOf(client).add(1);
    few.accountOf("a").add(1);
    expect(() => few.accountOf("c").add(1)).toThrow();
  });
});
