/** Whether this machine can run both tiers. */
import { type Finding, finding, mend } from "../finding.js";
import { mebibytes, modelServerBytes } from "../memory-need.js";
import type { MachineFacts } from "./facts.js";

const MEBIBYTE = 1024 * 1024;
const OLDEST_NODE = [20, 19, 0] as const;
/** The gateway with a few photos in work, measured: 193 to 206 MiB. */
const GATEWAY_BYTES = 256 * MEBIBYTE;
const LEAST_DISK = 512 * MEBIBYTE;
const LEAST_FILES = 4096;
const DAY_MS = 86_400_000;

/** @param modelBytes size of the files of the model that shall be served. */
export function checkMachine(facts: MachineFacts, modelBytes: number): Finding[] {
  const subject = "this machine";
  const findings: Finding[] = [];
  if (isOlder(facts.nodeVersion)) {
    findings.push(
      finding("node-version", {
        subject,
        problem: `Node.js is ${facts.nodeVersion}, expected ${OLDEST_NODE.join(".")} or newer`,
        seen: "node --version",
        mends: [mend("install a newer one (nodejs.org, or a version manager)", ["nvm", "install", "24"])],
      }),
    );
  }
  if (!facts.hasGlibc) {
    findings.push(
      finding("libc-musl", {
        subject,
        problem: "its C library is musl, expected glibc",
        seen: "process.report of Node.js names no glibc",
        mends: [mend("use an image with glibc, such as node:24-bookworm-slim, in place of node:24-alpine")],
      }),
    );
  }
  const npmInstall = mend("install it anew, for this machine's system and processor", ["npm", "ci"]);
  if (facts.onnxRuntimeProblem !== undefined) {
    findings.push(
      finding("onnxruntime-does-not-load", {
        subject,
        problem: facts.onnxRuntimeProblem,
        seen: `loading onnxruntime-node in a process of its own (${facts.platform}/${facts.architecture})`,
        mends: [npmInstall],
      }),
    );
  }
  if (facts.sharpProblem !== undefined) {
    findings.push(
      finding("sharp-does-not-load", {
        subject,
        problem: facts.sharpProblem,
        seen: `loading sharp in a process of its own (${facts.platform}/${facts.architecture})`,
        mends: [npmInstall],
      }),
    );
  }
  return [...findings, ...checkRoom(facts, modelBytes), ...checkRest(facts)];
}

function isOlder(version: string): boolean {
  const parts = version.split(".").map(Number);
  for (const [index, wanted] of OLDEST_NODE.entries()) {
    const part = parts[index] ?? 0;
    if (part !== wanted) return part < wanted;
  }
  return false;
}

function checkRoom(facts: MachineFacts, modelBytes: number): Finding[] {
  const findings: Finding[] = [];
  const needed = modelServerBytes(modelBytes) + GATEWAY_BYTES;
  const isLimited = facts.memoryLimit < needed;
  if (isLimited || facts.freeMemory < needed) {
    findings.push(
      finding("memory-short", {
        subject: "this machine",
        problem: `both tiers with the model (${mebibytes(modelBytes)} of files) need about ${mebibytes(needed)}, and ${isLimited ? `the limit is ${mebibytes(facts.memoryLimit)}` : `${mebibytes(facts.freeMemory)} are free`}`,
        seen: isLimited ? "memory limit of the control group" : "MemAvailable of /proc/meminfo",
        mends: [
          isLimited
            ? mend("give the container more", [
                "docker",
                "update",
                `--memory=${mebibytesFlag(needed)}`,
                "CONTAINER",
              ])
            : mend("end what takes the memory; the greatest are", [
                "ps",
                "-eo",
                "rss,pid,comm",
                "--sort=-rss",
              ]),
        ],
      }),
    );
  }
  if (facts.freeDisk < LEAST_DISK) {
    findings.push(
      finding("disk-full", {
        subject: "this machine",
        problem: `${mebibytes(facts.freeDisk)} are free in ${facts.temporaryFolder}, expected ${mebibytes(LEAST_DISK)}`,
        seen: `df ${facts.temporaryFolder}`,
        mends: [mend("remove images and builds that nothing uses", ["docker", "system", "prune"])],
      }),
    );
  }
  return findings;
}

function mebibytesFlag(bytes: number): string {
  return `${Math.ceil(bytes / MEBIBYTE)}m`;
}

function checkRest(facts: MachineFacts): Finding[] {
  const subject = "this machine";
  const findings: Finding[] = [];
  if (facts.now < facts.builtAt - DAY_MS) {
    findings.push(
      finding("clock-wrong", {
        subject,
        problem: `its clock says ${new Date(facts.now).toISOString()}, which is before Vitrine was built (${new Date(facts.builtAt).toISOString()})`,
        seen: "date",
        mends: [mend("let it set its clock by the network", ["timedatectl", "set-ntp", "true"])],
      }),
    );
  }
  for (const sentence of facts.busyPorts) {
    const [, port] = /^port (\d+)/.exec(sentence) ?? [];
    findings.push(
      finding("port-busy", {
        subject: `port ${port}`,
        problem: sentence,
        seen: "tried to listen there: EADDRINUSE",
        mends: [mend("see who listens there", ["ss", "-ltnp", `sport = :${port}`])],
      }),
    );
  }
  const { cpuFlags } = facts;
  if (facts.architecture === "x64" && cpuFlags !== undefined && !cpuFlags.has("avx2")) {
    findings.push(
      finding("cpu-without-avx2", {
        subject,
        problem: "its processor, or the virtual machine's idea of it, has no AVX2",
        seen: "flags in /proc/cpuinfo",
        mends: [
          mend("let the virtual machine have the host's processor (QEMU: -cpu host), or use a newer machine"),
        ],
      }),
    );
  }
  if (facts.fileLimit !== undefined && facts.fileLimit < LEAST_FILES) {
    findings.push(
      finding("file-limit-low", {
        subject,
        problem: `a process may open ${facts.fileLimit} files, expected ${LEAST_FILES}`,
        seen: "/proc/self/limits",
        mends: [mend("raise it for this shell and what it starts", ["ulimit", "-n", "65536"])],
      }),
    );
  }
  if (facts.isWsl && /^\/mnt\/[a-z](\/|$)/.test(facts.workingFolder)) {
    findings.push(
      finding("wsl-windows-folder", {
        subject,
        problem: `${facts.workingFolder} lies on a Windows drive`,
        seen: "the working folder, and /proc/version",
        mends: [mend("clone into WSL's own files", ["cp", "-r", facts.workingFolder, "~/vitrine"])],
      }),
    );
  }
  return findings;
}
