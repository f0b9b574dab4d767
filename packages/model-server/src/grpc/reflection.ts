/** gRPC server reflection, v1 and v1alpha: which services there are and what their messages look like. */
import { FILE_DESCRIPTORS } from "@vitrine/protocol/descriptors/gen/descriptors";
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from "@vitrine/protocol/gen/grpc/reflection/v1/reflection";
import type { GrpcServer } from "@vitrine/protocol/grpc/server";
import { REFLECTION_V1, REFLECTION_V1ALPHA } from "@vitrine/protocol/services";
import { GRPC_STATUS } from "@vitrine/protocol/status";

type Answer = NonNullable<ServerReflectionResponse["messageResponse"]>;

/** Answers about the methods that the server has when it is asked. */
export function addReflection(server: GrpcServer): void {
  for (const method of [REFLECTION_V1, REFLECTION_V1ALPHA]) {
    server.bidiStream(method, async function* (requests) {
      for await (const request of requests) {
        yield {
          validHost: request.host,
          originalRequest: request,
          messageResponse: answerOf(request, server.paths),
        };
      }
    });
  }
}

function answerOf({ messageRequest }: ServerReflectionRequest, paths: readonly string[]): Answer {
  switch (messageRequest?.$case) {
    case "listServices": {
      const names = new Set(paths.map((path) => path.split("/")[1] ?? ""));
      return {
        $case: "listServicesResponse",
        value: { service: [...names].sort().map((name) => ({ name })) },
      };
    }
    case "fileByFilename":
      return filesOf(FILE_DESCRIPTORS.find(({ name }) => name === messageRequest.value)?.name);
    case "fileContainingSymbol":
      return filesOf(FILE_DESCRIPTORS.find(({ symbols }) => symbols.includes(messageRequest.value))?.name);
    case "fileContainingExtension":
      return notFound("there are no extensions");
    case "allExtensionNumbersOfType":
      return FILE_DESCRIPTORS.some(({ symbols }) => symbols.includes(messageRequest.value))
        ? {
            $case: "allExtensionNumbersResponse",
            value: { baseTypeName: messageRequest.value, extensionNumber: [] },
          }
        : notFound("no such type");
    default:
      return {
        $case: "errorResponse",
        value: { errorCode: GRPC_STATUS.INVALID_ARGUMENT, errorMessage: "the request asked for nothing" },
      };
  }
}

/** The file, then all that it imports. */
function filesOf(name: string | undefined): Answer {
  if (name === undefined) return notFound("no such file or symbol");
  const wanted = new Set([name]);
  // A set grows while it is walked.
  for (const file of wanted) {
    const descriptor = FILE_DESCRIPTORS.find((candidate) => candidate.name === file);
    for (const dependency of descriptor?.dependencies ?? []) wanted.add(dependency);
  }
  const fileDescriptorProto = [...wanted].flatMap((file) =>
    FILE_DESCRIPTORS.filter((candidate) => candidate.name === file).map(({ bytes }) =>
      Buffer.from(bytes, "base64"),
    ),
  );
  return { $case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function notFound(errorMessage: string): Answer {
  return { $case: "errorResponse", value: { errorCode: GRPC_STATUS.NOT_FOUND, errorMessage } };
}
