/** Where detectors look. */

/** Text that is searched, and where in it. */
export interface Place {
  readonly text: string;
  /** The same, a byte for each character; positions are those of the text. */
  readonly bytes: Uint8Array;
  /** The part that is searched. */
  readonly from: number;
  readonly to: number;
  /** The JSON key that the text is the value of; empty where there is none. */
  readonly key: string;
}
