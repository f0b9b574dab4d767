/** @grpc/grpc-js as the other end: a second implementation that knows nothing of ours. */
import * as grpc from "@grpc/grpc-js";
import type { MethodDefinition } from "../services.js";

/** A caller of one method of ours. */
export class ForeignClient {
  readonly client: grpc.Client;

  constructor(
    port: number,
    options: grpc.ClientOptions = {},
    credentials: grpc.ChannelCredentials = grpc.credentials.createInsecure(),
  ) {
    this.client = new grpc.Client(`127.0.0.1:${port}`, credentials, {
      "grpc.max_receive_message_length": -1,
      "grpc.use_local_subchannel_pool": 1,
      ...options,
    });
  }

  unary<Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
    options: {
      deadlineMs?: number;
      metadata?: Record<string, string>;
      onCall?: (call: grpc.ClientUnaryCall) => void;
    } = {},
  ): Promise<Response> {
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(options.metadata ?? {})) metadata.set(name, value);
    return new Promise((resolve, reject) => {
      const call = this.client.makeUnaryRequest(
        method.path,
        (message: Request) => Buffer.concat(method.encodeRequest(message)),
        (bytes: Buffer) => method.decodeResponse(bytes),
        request,
        metadata,
        options.deadlineMs === undefined ? {} : { deadline: Date.now() + options.deadlineMs },
        (error, response) => {
          if (error !== null) reject(error);
          else if (response !== undefined) resolve(response);
        },
      );
      options.onCall?.(call);
    });
  }

  close(): void {
    this.client.close();
  }
}

export type ForeignHandler<Request, Response> = grpc.handleUnaryCall<Request, Response>;

/** A server of one unary method of ours. */
export async function startForeignServer<Request, Response>(
  method: MethodDefinition<Request, Response>,
  handler: ForeignHandler<Request, Response>,
  options: grpc.ServerOptions = {},
  port = 0,
  credentials: grpc.ServerCredentials = grpc.ServerCredentials.createInsecure(),
): Promise<{ port: number; server: grpc.Server }> {
  const server = new grpc.Server({ "grpc.max_receive_message_length": -1, ...options });
  server.addService(
    {
      method: {
        path: method.path,
        requestStream: false,
        responseStream: false,
        requestSerialize: (message: Request) => Buffer.concat(method.encodeRequest(message)),
        requestDeserialize: (bytes) => method.decodeRequest(bytes),
        responseSerialize: (message: Response) => Buffer.concat(method.encodeResponse(message)),
        responseDeserialize: (bytes) => method.decodeResponse(bytes),
      },
    },
    { method: handler },
  );
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error, boundPort) => {
      if (error) reject(error);
      else resolve(boundPort);
    });
  });
  return { port: bound, server };
}
