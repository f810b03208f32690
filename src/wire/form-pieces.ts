/** What the readers of form bodies give: the bytes of the body in their order, with the fields that were asked for taken out of them. */

/** One field that was asked for, whole. */
export interface FormField {
  /** As it was asked for. */
  readonly name: string;
  /** Decoded; one character per byte. */
  readonly value: string;
  /** The value's bytes as they stand in the body: what an edit replaces. */
  readonly bytes: Buffer;
}

/** Joined, the bytes of all pieces are the body. Never an empty buffer, but a field's value may be. */
export type FormPiece = Buffer | FormField;

/** Takes a body piece by piece, however it was cut. */
export interface FormReader {
  /** The reason why the body is none of its kind; all of it comes out as plain bytes from then on. */
  readonly malformed: string | null;
  push(data: Buffer): readonly FormPiece[];
  /** The body is complete. */
  end(): readonly FormPiece[];
}
