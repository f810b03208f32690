/** DER decoding (ITU-T X.690), as much as finding a field takes: definite lengths, low tag numbers, exact fits. */

export interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** With tag and length. */
  readonly whole: Buffer;
}

const LONG_FORM = 0x80;
const LENGTH_OCTETS_MAX = 4;

/** @throws RangeError where there is no whole element */
export function readElement(bytes: Buffer, at: number): Element {
  const tag = bytes.readUInt8(at);
  const first = bytes.readUInt8(at + 1);
  let [start, length] = [at + 2, first];
  if (first >= LONG_FORM) {
    const octets = first - LONG_FORM;
    if (octets === 0 || octets > LENGTH_OCTETS_MAX) throw new RangeError('length');
    length = bytes.readUIntBE(start, octets);
    start += octets;
  }
  const end = start + length;
  if (end > bytes.length) throw new RangeError('length');
  return { tag, content: bytes.subarray(start, end), whole: bytes.subarray(at, end) };
}

/** The elements that a constructed one consists of. @throws RangeError where they do not fit */
export function children({ content }: Element): readonly Element[] {
  const found: Element[] = [];
  for (let at = 0; at < content.length; ) {
    const element = readElement(content, at);
    found.push(element);
    at += element.whole.length;
  }
  return found;
}
