import type { Reason } from "@vitrine/protocol/status";

/** What can go wrong before a request reaches the gateway, or instead of an answer. */
type LocalReason =
  | "OFFLINE"
  | "UNREACHABLE"
  | "STALLED"
  | "ANSWER_UNREADABLE"
  | "FILE_EMPTY"
  | "FILE_CHANGED";

/** Why a photo has no answer. */
export interface Fault {
  readonly reason: Reason | LocalReason;
  /** The gateway's name of the request, for whoever reads its log. */
  readonly requestId?: string;
  /** Of several photos sent, the one whose fault it is, from 0 on. */
  readonly photo?: number;
  /** The file is a HEIC photo, by its bytes. */
  readonly isHeic?: boolean;
  /** The gateway's word on when to ask again. */
  readonly retryAfterSeconds?: number;
}
