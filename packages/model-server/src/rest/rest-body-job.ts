/** What passes between the server and the thread that reads its largest REST bodies. */
import type { Code, Reason } from "@vitrine/protocol/status";
import type { TensorMap } from "../engine/tensor-batch.js";
import type { InputSpecs, RestForm } from "./rest-request.js";

export interface BodyJob {
  readonly id: number;
  readonly bytes: Uint8Array;
  /** Of the model that was asked, by name. */
  readonly signatures: ReadonlyMap<string, InputSpecs>;
}

export type BodyAnswer =
  | {
      readonly id: number;
      readonly signatureName: string;
      readonly form: RestForm;
      readonly inputs: TensorMap;
    }
  | { readonly id: number; readonly error: { reason: Reason; code: Code; message: string } };
