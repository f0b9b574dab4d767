/** What this machine has, as far as Vitrine needs it. */
import { existsSync } from "node:fs";
import { readFile, stat, statfs } from "node:fs/promises";
import { createRequire } from "node:module";
import { totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { busyText, takenPorts, type WantedPort } from "../../ports.js";
import { type ProgramResult, runProgram } from "../cluster/access.js";
import { isTier, type TierPort } from "../tiers/is-tier.js";

export interface MachineFacts {
  /** Such as `20.19.0`. */
  readonly nodeVersion: string;
  /** As Node.js names them: `linux`, `x64`. */
  readonly platform: string;
  readonly architecture: string;
  /** False on musl; always true where there is no such choice. */
  readonly hasGlibc: boolean;
  /** Of the processor, in lower case; undefined: the system does not list them. */
  readonly cpuFlags: ReadonlySet<string> | undefined;
  /** Bytes that can be had without swapping. */
  readonly freeMemory: number;
  /** The least of the machine's memory and the limits of its control groups, in bytes. */
  readonly memoryLimit: number;
  /** Of open files, per process; undefined: the system does not say. */
  readonly fileLimit: number | undefined;
  /** Bytes free where temporary files go. */
  readonly freeDisk: number;
  readonly temporaryFolder: string;
  readonly now: number;
  /** When this installation was built, in milliseconds since 1970: no clock may be before it. */
  readonly builtAt: number;
  /** One sentence for each port that another program has; a tier that runs there already is none. */
  readonly busyPorts: readonly string[];
  /** Why the native module cannot be loaded; undefined: it can. */
  readonly onnxRuntimeProblem: string | undefined;
  readonly sharpProblem: string | undefined;
  readonly isWsl: boolean;
  readonly workingFolder: string;
}

export interface FactsOptions {
  readonly ports: readonly (WantedPort & { readonly speaks: TierPort })[];
  readonly temporaryFolder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

const LOAD_TIMEOUT_MS = 30_000;
/** Long for a tier of this machine, and short for whoever waits for doctor because something else never answers. */
const TIER_ANSWER_MS = 2000;

export async function readMachineFacts(options: FactsOptions): Promise<MachineFacts> {
  const { temporaryFolder, ports } = options;
  const [cpuInfo, limits, kernel, disk, built, busy, onnxRuntimeProblem, sharpProblem, memoryLimit] =
    await Promise.all([
      readText("/proc/cpuinfo"),
      readText("/proc/self/limits"),
      readText("/proc/version"),
      statfs(temporaryFolder),
      stat(fileURLToPath(import.meta.url)),
      strangersOn(ports, options.signal),
      loadProblem("@vitrine/model-server/servable", "onnxruntime-node", options),
      loadProblem("@vitrine/gateway/classify", "sharp", options),
      readMemoryLimit(),
    ]);
  const fileLimit = /^Max open files\s+(\d+)/m.exec(limits ?? "")?.[1];
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(cpuInfo ?? "")?.[1];
  return {
    nodeVersion: process.versions.node,
    platform: process.platform,
    architecture: process.arch,
    hasGlibc: process.platform !== "linux" || hasGlibcRuntime(process.report.getReport()),
    cpuFlags: flags === undefined ? undefined : new Set(flags.toLowerCase().trim().split(/\s+/)),
    freeMemory: await readFreeMemory(),
    memoryLimit,
    fileLimit: fileLimit === undefined ? undefined : Number(fileLimit),
    freeDisk: disk.bavail * disk.bsize,
    temporaryFolder,
    now: Date.now(),
    builtAt: built.mtimeMs,
    busyPorts: busy,
    onnxRuntimeProblem,
    sharpProblem,
    isWsl: /microsoft/i.test(kernel ?? ""),
    workingFolder: process.cwd(),
  };
}

/** Whoever runs Vitrine has its ports in use by it: nothing to stop. */
async function strangersOn(ports: FactsOptions["ports"], signal: AbortSignal): Promise<string[]> {
  const taken = await takenPorts(ports);
  const question = { timeoutMs: TIER_ANSWER_MS, signal };
  const areTiers = await Promise.all(taken.map((place) => isTier(place.speaks, place, question)));
  return taken.filter((_, index) => areTiers[index] === false).map(busyText);
}

function hasGlibcRuntime(report: object): boolean {
  if (!("header" in report) || typeof report.header !== "object" || report.header === null) return true;
  return "glibcVersionRuntime" in report.header;
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch {
    return undefined; // Another system, or another version of control groups: the fact is not to be had.
  }
}

/** What Linux would give without swapping. Elsewhere all: what macOS calls free leaves out what it would give. */
async function readFreeMemory(): Promise<number> {
  const kibibytes = /^MemAvailable:\s+(\d+) kB/m.exec((await readText("/proc/meminfo")) ?? "")?.[1];
  return kibibytes === undefined ? totalmem() : Number(kibibytes) * 1024;
}

/** A container sees all memory of its machine: its own limit stands in its control group (version 2, else 1). */
async function readMemoryLimit(): Promise<number> {
  const limits = await Promise.all(
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"].map(readText),
  );
  const bytes = limits.map((text) => Number(text?.trim())).filter((limit) => limit > 0);
  return Math.min(totalmem(), ...bytes);
}

/** Loads a native module in a process of its own, since one for another processor may end its process. */
async function loadProblem(
  user: string,
  module: string,
  { environment, signal }: FactsOptions,
): Promise<string | undefined> {
  const userFile = import.meta.resolve(user);
  // The image of a tier holds neither the code of the other nor what that needs.
  if (!existsSync(fileURLToPath(userFile))) return undefined;
  let file: string;
  try {
    file = createRequire(userFile).resolve(module);
  } catch (error) {
    return `${module} is not installed: ${error instanceof Error ? error.message.split("\n")[0] : error}`;
  }
  const result: ProgramResult = await runProgram(process.execPath, ["-e", "require(process.argv[1])", file], {
    environment,
    signal,
    timeoutMs: LOAD_TIMEOUT_MS,
  });
  if (result.code === 0) return undefined;
  const telling = /^(?:\w*Error: .*|.*(?:cannot open|Illegal instruction|invalid ELF).*)$/m.exec(
    result.stderr,
  )?.[0];
  return (
    telling ?? (result.stderr.trim().split("\n")[0] || `the process that loaded it ended with ${result.code}`)
  );
}
