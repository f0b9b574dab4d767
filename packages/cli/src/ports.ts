/** Ports: whether they are free, and what to do when they are not. */
import { once } from "node:events";
import { createServer } from "node:net";
import { ServeError } from "@vitrine/protocol/status";
import { z } from "zod";

export const portSchema = z.int().min(0).max(65_535);

/** A port that a tier will listen on. */
export interface WantedPort {
  /** 0 takes any free port and is always available. */
  readonly port: number;
  readonly host: string;
  /** Who listens there, such as `the gateway`. */
  readonly listener: string;
  /** Flag that chooses another. */
  readonly flag: string;
}

/**
 * Finds the ports that somebody else listens on.
 *
 * @returns one sentence each that says what to do; empty when all are free.
 */
export async function busyPorts(wanted: readonly WantedPort[]): Promise<string[]> {
  return (await takenPorts(wanted)).map(busyText);
}

/** What to do about a port that is taken. */
export function busyText({ port, host, listener, flag }: WantedPort): string {
  return (
    `port ${port} on ${host} is in use, so ${listener} cannot listen there: ` +
    `stop what uses it, or choose another with ${flag}`
  );
}

/** Those of `wanted` that somebody listens on. */
export async function takenPorts<T extends WantedPort>(wanted: readonly T[]): Promise<T[]> {
  const frees = await Promise.all(wanted.map(({ port, host }) => port === 0 || isFree(port, host)));
  return wanted.filter((_, index) => frees[index] === false);
}

async function isFree(port: number, host: string): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ port, host, exclusive: true });
    await once(server, "listening");
    return true;
  } catch (error) {
    if (isSystemError(error) && error.code === "EADDRINUSE") return false;
    throw error;
  } finally {
    server.close();
  }
}

/** What to do about an error of `listen`, or undefined when it is another error. */
export function listenFailureText(error: unknown): string | undefined {
  // A tier may have wrapped what its socket said.
  const cause = error instanceof ServeError ? error.cause : error;
  if (!isSystemError(cause) || cause.syscall !== "listen") return undefined;
  const place = `${cause.address ?? "this machine"}${cause.port === undefined ? "" : `:${cause.port}`}`;
  switch (cause.code) {
    case "EADDRINUSE":
      return `${place} is in use: stop what uses it, or choose another port`;
    case "EADDRNOTAVAIL":
      return `${place} is no address of this machine: choose another with --host`;
    case "EACCES":
      return `${place} may not be used by this user: choose a port above 1023`;
    default:
      return undefined;
  }
}

interface SystemError extends Error {
  readonly code: string;
  readonly syscall: string;
  readonly address?: string;
  readonly port?: number;
}

function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && "code" in error && "syscall" in error;
}
