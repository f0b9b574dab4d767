import { afterEach, describe, expect, test } from "vitest";
import { HEALTH_CHECK } from "../services.js";
import { ServeError } from "../status.js";
import { BalancedChannel, type BalancedChannelOptions, type BalancerObserver } from "./balanced-channel.js";
import { GrpcServer, type ServerCall } from "./server.js";

const EVERYTHING = { service: "" };
const SILENT: BalancerObserver = {
  endpointsChanged() {},
  endpointMoved() {},
  lookupFailed() {},
  retried() {},
  hedged() {},
};
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

interface Puppet {
  readonly host: string;
  readonly port: number;
  calls: number;
  /** What the next calls are answered with. */
  answer: (call: ServerCall) => Promise<void> | void;
  stop(): void;
  start(): Promise<void>;
}

async function startPuppet(host = "127.0.0.1", port = 0): Promise<Puppet> {
  let server: GrpcServer | undefined;
  const puppet = {
    host,
    port,
    calls: 0,
    answer: (_call: ServerCall): Promise<void> | void => {},
    stop: () => server?.close(),
    async start() {
      server = new GrpcServer();
      server.unary(HEALTH_CHECK, async (_request, call) => {
        puppet.calls += 1;
        await puppet.answer(call);
        return { status: 1 as const };
      });
      puppet.port = await server.listen({ host, port: puppet.port });
    },
  };
  await puppet.start();
  cleanups.push(() => puppet.stop());
  return puppet;
}

function open(puppets: readonly Puppet[], options: Partial<BalancedChannelOptions> = {}): BalancedChannel {
  const channel = new BalancedChannel({
    targets: puppets.map(({ host, port }) => ({ host, port })),
    ejectionMs: { first: 20, greatest: 20 },
    slowStartMs: 0,
    channel: { minBackoffMs: 1, maxBackoffMs: 10 },
    ...options,
  });
  cleanups.push(() => channel.close());
  return channel;
}

const call = (channel: BalancedChannel, options: Parameters<BalancedChannel["unary"]>[2] = {}) =>
  channel.unary(HEALTH_CHECK, EVERYTHING, { timeoutMs: 5000, ...options });

/** Resolves when every server was connected to and answered once. */
async function warm(channel: BalancedChannel, puppets: readonly Puppet[]): Promise<void> {
  await expect
    .poll(async () => {
      await call(channel);
      return puppets.every(({ calls }) => calls > 0);
    })
    .toBe(true);
  for (const puppet of puppets) puppet.calls = 0;
}

/** A gate that calls wait at. */
function gate() {
  let release = (): void => {};
  const opened = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { opened, release };
}

const unavailable = () => {
  throw new ServeError("MODEL_UNAVAILABLE", "not now");
};

describe("the spread", () => {
  test("is even over equal servers, one call at a time and many at once", async () => {
    const puppets = await Promise.all([startPuppet(), startPuppet(), startPuppet()]);
    const channel = open(puppets);
    await warm(channel, puppets);
    for (let index = 0; index < 30; index++) await call(channel);
    expect(puppets.map(({ calls }) => calls)).toEqual([10, 10, 10]);
    await Promise.all(Array.from({ length: 300 }, () => call(channel)));
    for (const { calls } of puppets) expect(Math.abs(calls - 110)).toBeLessThanOrEqual(22);
  });

  test("leaves a slow server with what it can do", async () => {
    const [slow, fast] = [await startPuppet(), await startPuppet()];
    const channel = open([slow, fast]);
    await warm(channel, [slow, fast]);
    const { opened, release } = gate();
    slow.answer = () => opened;
    const stuck = [call(channel), call(channel)];
    for (let index = 0; index < 20; index++) await call(channel);
    expect(slow.calls).toBeLessThanOrEqual(2);
    expect(fast.calls).toBeGreaterThanOrEqual(20);
    release();
    await Promise.all(stuck);
  });

  test("gives a server that comes to others its share slowly", async () => {
    const port = (await startPuppet("127.0.0.1")).port;
    const [old, fresh] = [await startPuppet("127.0.0.2", port), await startPuppet("127.0.0.3", port)];
    let addresses = ["127.0.0.2"];
    const channel = open([], {
      targets: [{ host: "model", port }],
      resolveMs: 10,
      slowStartMs: 1e9,
      lookup: async () => addresses,
    });
    await warm(channel, [old]);
    addresses = ["127.0.0.2", "127.0.0.3"];
    await expect.poll(() => channel.endpoints.ready).toBe(2);
    const { opened, release } = gate();
    old.answer = () => opened;
    fresh.answer = () => opened;
    const calls = Array.from({ length: 18 }, () => call(channel));
    await expect.poll(() => old.calls + fresh.calls).toBe(18);
    // A tenth of a share: one call when the other has ten.
    expect(fresh.calls).toBeGreaterThanOrEqual(1);
    expect(fresh.calls).toBeLessThanOrEqual(2);
    release();
    await Promise.all(calls);
  });
});

describe("servers that come and go", () => {
  test("are found and let go by looking the name up again, without a failure", async () => {
    const port = (await startPuppet("127.0.0.1")).port;
    const puppets = [await startPuppet("127.0.0.2", port), await startPuppet("127.0.0.3", port)];
    const [first, second] = puppets;
    let addresses = ["127.0.0.2"];
    const channel = open([], {
      targets: [{ host: "model", port }],
      resolveMs: 10,
      lookup: async () => addresses,
    });
    await call(channel);
    addresses = ["127.0.0.2", "127.0.0.3"];
    await warm(channel, puppets);
    addresses = ["127.0.0.3"];
    await expect.poll(() => channel.endpoints.ready).toBe(1);
    const before = first?.calls;
    for (let index = 0; index < 5; index++) await call(channel);
    expect(first?.calls).toBe(before);
    expect(second?.calls).toBeGreaterThanOrEqual(5);
  });

  test("finish what they were given when they leave the name", async () => {
    const port = (await startPuppet("127.0.0.1")).port;
    const [leaving] = [await startPuppet("127.0.0.2", port), await startPuppet("127.0.0.3", port)];
    let addresses = ["127.0.0.2"];
    const seen: string[] = [];
    const channel = open([], {
      targets: [{ host: "model", port }],
      resolveMs: 10,
      lookup: async () => addresses,
      observer: { ...SILENT, endpointsChanged: ([first]) => seen.push(first?.address ?? "") },
    });
    const { opened, release } = gate();
    leaving.answer = () => opened;
    const underWay = call(channel);
    await expect.poll(() => leaving.calls).toBe(1);
    addresses = ["127.0.0.3"];
    await expect.poll(() => seen.at(-1)).toBe("127.0.0.3");
    expect(await call(channel)).toEqual({ status: 1 });
    expect(leaving.calls).toBe(1);
    release();
    expect(await underWay).toEqual({ status: 1 });
  });

  test("stay as they were while the name cannot be looked up", async () => {
    const puppet = await startPuppet("127.0.0.1");
    let fails = false;
    const failures: string[] = [];
    const channel = open([], {
      targets: [{ host: "model", port: puppet.port }],
      resolveMs: 5,
      lookup: async () => {
        if (fails) throw new Error("SERVFAIL");
        return ["127.0.0.1"];
      },
      observer: { ...SILENT, lookupFailed: (host) => failures.push(host) },
    });
    await call(channel);
    fails = true;
    await expect.poll(() => failures.length).toBeGreaterThan(1);
    expect(await call(channel)).toEqual({ status: 1 });
  });

  test("a name that cannot be looked up at all is UNAVAILABLE, without its text", async () => {
    const channel = open([], {
      targets: [{ host: "secret-name", port: 1 }],
      lookup: async () => {
        throw new Error("ENOTFOUND secret-name");
      },
    });
    const error = await call(channel).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      reason: "MODEL_UNAVAILABLE",
      message: expect.not.stringContaining("secret"),
    });
  });
});

describe("a server that fails", () => {
  test("that dies with calls in flight costs none of them, and gets no more until it is back", async () => {
    const puppets = await Promise.all([startPuppet(), startPuppet(), startPuppet()]);
    const [dying] = puppets;
    const channel = open(puppets);
    await warm(channel, puppets);
    const { opened, release } = gate();
    for (const puppet of puppets) puppet.answer = () => opened;
    const calls = Array.from({ length: 30 }, () => call(channel));
    await expect.poll(() => puppets.reduce((sum, { calls: each }) => sum + each, 0)).toBe(30);
    dying?.stop();
    release();
    expect(await Promise.all(calls)).toHaveLength(30);
    await expect.poll(() => channel.endpoints.out).toBe(1);
    await Promise.all(Array.from({ length: 30 }, () => call(channel)));

    await dying?.start();
    await expect.poll(() => channel.endpoints.out).toBe(0);
    if (dying !== undefined) dying.calls = 0;
    for (let index = 0; index < 9; index++) await call(channel);
    expect(dying?.calls).toBeGreaterThanOrEqual(1);
  });

  test("five times in a row is out of turn, though it is connected", async () => {
    const [bad, good] = [await startPuppet(), await startPuppet()];
    const channel = open([bad, good], { ejectionMs: { first: 60_000, greatest: 60_000 } });
    await warm(channel, [bad, good]);
    bad.answer = () => {
      throw new Error("a bug");
    };
    const outcomes = await Promise.allSettled(Array.from({ length: 40 }, () => call(channel)));
    await expect.poll(() => channel.endpoints.out).toBe(1);
    // INTERNAL is no reason to ask another: the same call might do the same there.
    expect(outcomes.some(({ status }) => status === "rejected")).toBe(true);
    bad.calls = 0;
    for (let index = 0; index < 10; index++) await call(channel);
    expect(bad.calls).toBe(0);
  });

  test("with UNAVAILABLE is made good by another, whatever its message", async () => {
    const [bad, good] = [await startPuppet(), await startPuppet()];
    const channel = open([bad, good]);
    await warm(channel, [bad, good]);
    bad.answer = unavailable;
    for (let index = 0; index < 8; index++) expect(await call(channel)).toEqual({ status: 1 });
  });

  test("is not asked again about a request that it refused, nor is another", async () => {
    const puppets = [await startPuppet(), await startPuppet()];
    const channel = open(puppets);
    await warm(channel, puppets);
    for (const puppet of puppets) {
      puppet.answer = () => {
        throw new ServeError("REQUEST_INVALID", "no");
      };
    }
    await expect(call(channel)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(puppets.reduce((sum, { calls }) => sum + calls, 0)).toBe(1);
    expect(channel.endpoints.out).toBe(0);
  });

  test("with all others: the error goes to the caller once the budget of retries is spent", async () => {
    const puppets = [await startPuppet(), await startPuppet(), await startPuppet()];
    const channel = open(puppets);
    await warm(channel, puppets);
    for (const puppet of puppets) {
      puppet.answer = () => {
        throw new ServeError("QUEUE_FULL", "full");
      };
    }
    for (let index = 0; index < 200; index++) {
      await expect(call(channel)).rejects.toMatchObject({ reason: "QUEUE_FULL" });
    }
    const asked = puppets.reduce((sum, { calls }) => sum + calls, 0);
    expect(asked).toBeGreaterThan(280);
    expect(asked).toBeLessThanOrEqual(305);
  });

  test("alone is asked as soon as it is back, ejected or not", async () => {
    const puppet = await startPuppet();
    const channel = open([puppet], { ejectionMs: { first: 60_000, greatest: 60_000 } });
    await call(channel);
    puppet.stop();
    await expect(call(channel)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await puppet.start();
    await expect
      .poll(() =>
        call(channel).then(
          ({ status }) => status,
          () => "away",
        ),
      )
      .toBe(1);
    expect(channel.endpoints.out).toBe(0);
  });
});

describe("deadlines", () => {
  test("hold for all attempts together", async () => {
    const [bad, silent] = [await startPuppet(), await startPuppet()];
    const channel = open([bad, silent]);
    await warm(channel, [bad, silent]);
    bad.answer = unavailable;
    silent.answer = () => new Promise(() => {});
    const startedAt = performance.now();
    await expect(call(channel, { timeoutMs: 200 })).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(performance.now() - startedAt).toBeLessThan(1500);
  });

  test("a caller who leaves ends the call, and nothing is tried again", async () => {
    const puppets = [await startPuppet(), await startPuppet()];
    const channel = open(puppets);
    await warm(channel, puppets);
    for (const puppet of puppets) puppet.answer = () => new Promise(() => {});
    const caller = new AbortController();
    const underWay = call(channel, { signal: caller.signal });
    await expect.poll(() => puppets.reduce((sum, { calls }) => sum + calls, 0)).toBe(1);
    caller.abort(new ServeError("CANCELLED", "gone"));
    await expect(underWay).rejects.toMatchObject({ message: "gone" });
    expect(puppets.reduce((sum, { calls }) => sum + calls, 0)).toBe(1);
  });
});

describe("hedging", () => {
  test("asks a second server when the first is slow, takes the first answer and cancels the other", async () => {
    const puppets = [await startPuppet(), await startPuppet()];
    const channel = open(puppets, { hedgeAfterMs: 20 });
    await warm(channel, puppets);
    let cancelled = 0;
    const slow = (each: ServerCall) =>
      new Promise<void>((_resolve, reject) => {
        each.signal.addEventListener("abort", () => {
          cancelled += 1;
          reject(each.signal.reason);
        });
      });
    const [first, second] = puppets;
    if (first === undefined || second === undefined) throw new Error("two servers");
    first.answer = slow;
    expect(await call(channel)).toEqual({ status: 1 });
    expect(await call(channel)).toEqual({ status: 1 });
    await expect.poll(() => cancelled).toBe(1);
    expect(channel.endpoints.out).toBe(0);
  });

  test("makes no second call when the first is quick, or there is only one server", async () => {
    const puppets = [await startPuppet(), await startPuppet()];
    const channel = open(puppets, { hedgeAfterMs: 10_000 });
    await warm(channel, puppets);
    for (let index = 0; index < 6; index++) await call(channel);
    expect(puppets.reduce((sum, { calls }) => sum + calls, 0)).toBe(6);
  });
});
