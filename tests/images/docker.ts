/** The Docker engine, as its program: `DOCKER` names another with the same words, such as podman. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { PassThrough, type Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { finished } from "node:stream/promises";

export const ROOT = path.resolve(import.meta.dirname, "../..");

/** Built by build-images.ts. */
export const IMAGES = {
  gateway: "vitrine/gateway:test",
  modelServer: "vitrine/model-server:test",
  clothingModel: "vitrine/clothing-model:test",
  /** On a stand-in for its base. */
  tensorFlowServing: "vitrine/tensorflow-serving:test",
};

/** What compose.yaml asks for, too. */
export const LOCKED_DOWN = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"];

const PROGRAM = process.env.DOCKER ?? "docker";

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, whatever that is. */
export async function runProgram(
  program: string,
  words: readonly string[],
  options: { readonly folder?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  const child = spawn(program, words, {
    cwd: options.folder ?? ROOT,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  return { code, stdout, stderr };
}

/** @throws with what the program said, when it failed. */
export async function docker(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(PROGRAM, words);
  if (code !== 0) throw new Error(`docker ${words.join(" ")} ended with ${code}: ${stderr}${stdout}`);
  return stdout.trim();
}

/** Runs a container to its end, with `words` after the image. */
export async function runOnce(image: string, words: string[], options: string[] = []): Promise<Ended> {
  return await runProgram(PROGRAM, ["run", "--rm", ...options, image, ...words]);
}

/** Containers and a network of one test file, taken away by `remove`. */
export class Stage {
  readonly network: string;
  readonly #containers: string[] = [];

  private constructor(network: string) {
    this.network = network;
  }

  static async open(): Promise<Stage> {
    const name = `vitrine-test-${process.pid}-${Date.now()}`;
    await docker("network", "create", name);
    return new Stage(name);
  }

  /** Starts a container that other containers of this stage reach by `name`. */
  async start(name: string, image: string, options: string[], words: string[] = []): Promise<Container> {
    const fullName = `${this.network}-${name}`;
    this.#containers.push(fullName);
    const network = [`--network=${this.network}`, `--network-alias=${name}`];
    await docker("run", "--detach", `--name=${fullName}`, ...network, ...options, image, ...words);
    return new Container(fullName);
  }

  async remove(): Promise<void> {
    if (this.#containers.length > 0) await docker("rm", "--force", ...this.#containers);
    await docker("network", "rm", this.network);
  }
}

export class Container {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  /** Resolves when the health check says so. Rejects with its words and the log when it says the opposite. */
  async healthy(): Promise<void> {
    const filters = [`container=${this.name}`, "event=health_status", "event=die"];
    const events: ChildProcess & { stdout: NonNullable<ChildProcess["stdout"]> } = spawn(
      PROGRAM,
      ["events", "--since=10m", "--format={{.Status}}", ...filters.flatMap((filter) => ["--filter", filter])],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    try {
      for await (const lines of events.stdout) {
        if (`${lines}`.includes("health_status: healthy")) return;
        if (/unhealthy|die/.test(`${lines}`)) break;
      }
    } finally {
      events.kill();
    }
    const health = await docker("inspect", "--format={{json .State}}", this.name);
    throw new Error(`${this.name} is not healthy: ${health}\n${await this.log()}`);
  }

  /** Resolves when its log holds `words`. Rejects with the log when it ends without. */
  async says(words: string): Promise<void> {
    const following = spawn(PROGRAM, ["logs", "--follow", this.name], { stdio: ["ignore", "pipe", "pipe"] });
    let log = "";
    try {
      for await (const part of bothOf(following.stdout, following.stderr)) {
        log += part;
        if (log.includes(words)) return;
      }
    } finally {
      following.kill();
    }
    throw new Error(`${this.name} ended without saying ${words}: ${log}`);
  }

  /** Address on this machine of a port that was published. */
  async url(port: number): Promise<string> {
    const lines = await docker("port", this.name, `${port}/tcp`);
    return `http://${lines.split("\n")[0]}`;
  }

  async log(): Promise<string> {
    const { stdout, stderr } = await runProgram(PROGRAM, ["logs", this.name]);
    return stdout + stderr;
  }

  /** Sends SIGTERM and waits for the end. @returns the exit code. */
  async stop(): Promise<number> {
    await docker("stop", "--time=30", this.name);
    return Number(await docker("inspect", "--format={{.State.ExitCode}}", this.name));
  }
}

/** What two streams bring, as it comes. */
function bothOf(one: Readable, other: Readable): Readable {
  const both = new PassThrough();
  one.pipe(both, { end: false });
  other.pipe(both, { end: false });
  void Promise.all([finished(one), finished(other)]).then(() => both.end());
  return both;
}

export interface ImageFile {
  readonly name: string;
  /** As `ls -l` prints it, such as `-rw-r--r--`. */
  readonly mode: string;
  readonly owner: string;
}

/** Every file of an image, by its path without the first slash. */
export async function filesOf(image: string): Promise<ImageFile[]> {
  const container = await docker("create", image);
  try {
    const exporting = spawn(PROGRAM, ["export", container], { stdio: ["ignore", "pipe", "inherit"] });
    const listing = spawn("tar", ["--list", "--verbose", "--numeric-owner"], {
      stdio: [exporting.stdout, "pipe", "inherit"],
    });
    const lines = (await text(listing.stdout)).trim().split("\n");
    return lines.map((line) => {
      const [mode = "", owner = "", , , , ...name] = line.split(/\s+/);
      return { mode, owner, name: name.join(" ").replace(/ (->|link to) .*$/, "") };
    });
  } finally {
    await docker("rm", container);
  }
}
