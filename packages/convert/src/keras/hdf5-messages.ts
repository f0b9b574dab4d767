/** What the thread that reads an HDF5 file tells, in order; `done` or `failure` comes last. */
import type { Constant } from "../graph/graph.js";

export interface Hdf5Task {
  readonly file: string;
  /** Groups that are not entered: what lies below them is not read. */
  readonly skippedGroups: readonly string[];
}

export type Hdf5Message =
  | { readonly kind: "group"; readonly path: string; readonly attributes: Hdf5Attributes }
  | { readonly kind: "dataset"; readonly path: string; readonly constant: Constant }
  | { readonly kind: "failure"; readonly message: string }
  | { readonly kind: "done" };

/** Attributes that are text or lists of text; others are left out. */
export type Hdf5Attributes = Readonly<Record<string, string | readonly string[]>>;
