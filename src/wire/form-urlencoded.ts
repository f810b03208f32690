/**
 * Incremental reader of `application/x-www-form-urlencoded` bodies (WHATWG URL section 5.1): pairs between `&`, names
 * and values percent-encoded, `+` for a space. Copies nothing but the pairs that are asked for, and holds at most
 * one of those.
 */
import { limits } from '../kernel/index.ts';
import type { FormPiece, FormReader } from './form-pieces.ts';

const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const LATIN1 = 'latin1';
/**
 * Any bytes are a form, but what begins like JSON or XML is taken for that by servers that look at the body and not at its
 * type: curl sends JSON as a form unless it is told otherwise.
 */
const BEGINNING = /[\x21#-;=-Z\\^-z|}~]/;

export class UrlencodedReader implements FormReader {
  malformed: string | null = null;
  #hasBegun = false;
  readonly #wanted: ReadonlySet<string>;
  /** The beginning of a pair that may be wanted. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** Inside a pair that nobody asked for. */
  #isPassing = false;

  /** @param wanted names of fields, one character per byte */
  constructor(wanted: ReadonlySet<string>) {
    this.#wanted = wanted;
  }

  push(data: Buffer): readonly FormPiece[] {
    const [first] = data;
    if (!this.#hasBegun && first !== undefined) {
      this.#hasBegun = true;
      if (!BEGINNING.test(String.fromCharCode(first))) this.malformed = 'form_beginning';
    }
    const pieces: FormPiece[] = [];
    let passedTo = 0; // what stands before was given out, or is held
    let at = 0;
    while (at < data.length) {
      const ampersand = data.indexOf(AMPERSAND, at);
      const end = ampersand < 0 ? data.length : ampersand;
      const isWhole = ampersand >= 0;
      if (!this.#isPassing) {
        const pair = data.subarray(at, end);
        if (this.#mayBeWanted(pair, isWhole)) {
          give(pieces, data.subarray(passedTo, at));
          passedTo = end;
          this.#hold(pair);
          if (isWhole) this.#release(pieces);
        } else {
          this.#giveHeld(pieces); // from an earlier piece of the body: nothing of this one came before it
          this.#isPassing = true;
        }
      }
      if (isWhole) this.#isPassing = false;
      at = end + 1;
    }
    give(pieces, data.subarray(passedTo));
    return pieces;
  }

  end(): readonly FormPiece[] {
    const pieces: FormPiece[] = [];
    this.#release(pieces);
    return pieces;
  }

  /** Whether what is held, with what comes next, may still be a pair that was asked for. */
  #mayBeWanted(next: Buffer, isWhole: boolean): boolean {
    if (this.#heldBytes + next.length > limits.formFieldHeldBytesMax) return false;
    const pair = this.#heldBytes === 0 ? next : Buffer.concat([...this.#held, next]);
    const equals = pair.indexOf(EQUALS);
    if (equals < 0) return !isWhole;
    return this.#wanted.has(decodeFormText(pair.toString(LATIN1, 0, equals)));
  }

  #hold(pair: Buffer): void {
    if (pair.length === 0) return;
    this.#held.push(pair);
    this.#heldBytes += pair.length;
  }

  /** Gives the pair that is held as a field, if it is one that was asked for. */
  #release(pieces: FormPiece[]): void {
    const [only] = this.#held;
    if (only === undefined) return;
    const pair = this.#held.length === 1 ? only : Buffer.concat(this.#held);
    const equals = pair.indexOf(EQUALS);
    const name = equals < 0 ? null : decodeFormText(pair.toString(LATIN1, 0, equals));
    this.#held = [];
    this.#heldBytes = 0;
    if (name === null || !this.#wanted.has(name)) {
      pieces.push(pair);
      return;
    }
    const bytes = pair.subarray(equals + 1);
    pieces.push(pair.subarray(0, equals + 1), { name, value: decodeFormText(bytes.toString(LATIN1)), bytes });
  }

  #giveHeld(pieces: FormPiece[]): void {
    pieces.push(...this.#held);
    this.#held = [];
    this.#heldBytes = 0;
  }
}

function give(pieces: FormPiece[], bytes: Buffer): void {
  if (bytes.length > 0) pieces.push(bytes);
}

const ENCODED = /%([0-9A-Fa-f]{2})|\+/g;

/** Decodes a name or a value; one character per byte. What is no escape stays as it is. */
export const decodeFormText = (text: string): string =>
  text.replace(ENCODED, (_, hex?: string) =>
    hex === undefined ? ' ' : String.fromCharCode(Number.parseInt(hex, 16)),
  );
