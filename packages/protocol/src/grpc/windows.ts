/**
 * Flow control of both ends. With HTTP/2's default of 64 KB a 1 MB tensor waits for about 16 round trips; 8 MB
 * gave 4 times the throughput (docs/decisions/grpc.md). A peer may make us buffer as much per call.
 */
export const STREAM_WINDOW_BYTES = 8 * 1024 * 1024;

/** For all calls of a connection together: a few large ones must not stop the others. */
export const CONNECTION_WINDOW_BYTES = 32 * 1024 * 1024;

/** Node refuses streams above this; its default of 10 MB fails 32 concurrent calls of 1 MB. */
export const MAX_SESSION_MEMORY_MB = 1024;
