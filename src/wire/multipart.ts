/**
 * Incremental reader of `multipart/form-data` bodies (RFC 7578, RFC 2046 section 5.1), in the one form in which every
 * parser agrees where parts begin and end: no preamble, no epilogue, every delimiter on a line of its own, and the
 * boundary nowhere else. What deviates is `malformed`: it passes as plain bytes, and no field of it is given.
 */
import { limits } from '../kernel/index.ts';
import type { FormPiece, FormReader } from './form-pieces.ts';

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const TYPE = /^multipart\/form-data[ \t]*((?:;.*)?)$/i;
const PARAMETER = new RegExp(`^;[ \\t]*(${TOKEN})=(?:(${TOKEN})|"([^"\\\\]*)")[ \\t]*`);
/** RFC 2046 section 5.1.1. */
const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/;

/** The boundary that a Content-Type names; null when it is another type, or names none or more than one. */
export function multipartBoundary(contentType: string): string | null {
  let rest = TYPE.exec(contentType)?.[1];
  if (rest === undefined) return null;
  let boundary: string | null = null;
  while (rest !== '') {
    const [parameter, name = '', token, quoted = ''] = PARAMETER.exec(rest) ?? [];
    if (parameter === undefined) return null;
    rest = rest.slice(parameter.length);
    /* `boundary*` and `boundary*0` are the same name to whoever knows RFC 2231. */
    if (/^boundary\*/i.test(name)) return null;
    if (name.toLowerCase() !== 'boundary') continue;
    if (boundary !== null) return null;
    boundary = token ?? quoted;
  }
  return boundary !== null && BOUNDARY.test(boundary) ? boundary : null;
}

const CRLF = '\r\n';
const HEAD_END = '\r\n\r\n';
const LATIN1 = 'latin1';
const EMPTY = Buffer.alloc(0);

type State =
  /** Before the first boundary. */
  | 'start'
  /** After a boundary: a line end, or two hyphens. */
  | 'delimited'
  | 'head'
  | 'content'
  /** After the last boundary: at most one line end. */
  | 'epilogue'
  | 'ended'
  | 'malformed';

export class MultipartReader implements FormReader {
  malformed: string | null = null;
  readonly #delimiter: string;
  readonly #wanted: ReadonlySet<string>;
  #state: State = 'start';
  /** Not given out yet: what may be the beginning of something, or the content of a field that was asked for. */
  #held: Buffer = EMPTY;
  /** The field whose content is being read. */
  #field: string | null = null;
  /** How long the part says that its content is, of which so many bytes were given out already. */
  #saidBytes: number | null = null;
  #passedBytes = 0;

  /** @param wanted names of fields; ASCII without quotes and backslashes */
  constructor(boundary: string, wanted: ReadonlySet<string>) {
    this.#delimiter = `--${boundary}`;
    this.#wanted = wanted;
  }

  push(data: Buffer): readonly FormPiece[] {
    const pieces: FormPiece[] = [];
    let rest = this.#held.length === 0 ? data : Buffer.concat([this.#held, data]);
    for (;;) {
      const taken = this.#step(rest, pieces);
      if (taken < 0) break;
      rest = rest.subarray(taken);
    }
    this.#held = rest;
    return pieces;
  }

  end(): readonly FormPiece[] {
    const held = this.#held;
    const isComplete = this.#state === 'ended' || (this.#state === 'epilogue' && held.length === 0);
    if (!isComplete) this.#fail('multipart_incomplete');
    this.#held = EMPTY;
    return held.length === 0 ? [] : [held];
  }

  /** @returns how many bytes were dealt with; negative when more are needed */
  #step(data: Buffer, pieces: FormPiece[]): number {
    switch (this.#state) {
      case 'start':
        return this.#start(data, pieces);
      case 'delimited':
        return this.#delimited(data, pieces);
      case 'head':
        return this.#head(data, pieces);
      case 'content':
        return this.#content(data, pieces);
      case 'epilogue':
        return this.#epilogue(data, pieces);
      case 'ended':
        return data.length === 0 ? -1 : this.#fail('multipart_epilogue');
      case 'malformed':
        break;
    }
    return give(pieces, data);
  }

  #start(data: Buffer, pieces: FormPiece[]): number {
    const { length } = this.#delimiter;
    const known = data.toString(LATIN1, 0, length);
    if (!this.#delimiter.startsWith(known)) return this.#fail('multipart_preamble');
    if (data.length < length) return -1;
    this.#state = 'delimited';
    return give(pieces, data.subarray(0, length));
  }

  #delimited(data: Buffer, pieces: FormPiece[]): number {
    if (data.length < 2) return -1;
    const after = data.toString(LATIN1, 0, 2);
    if (after !== CRLF && after !== '--') return this.#fail('multipart_delimiter');
    this.#state = after === CRLF ? 'head' : 'epilogue';
    return give(pieces, data.subarray(0, 2));
  }

  #head(data: Buffer, pieces: FormPiece[]): number {
    if (data.length < CRLF.length) return -1;
    if (data.toString(LATIN1, 0, CRLF.length) === CRLF) return this.#fail('multipart_head');
    const end = data.indexOf(HEAD_END, 0, LATIN1);
    if (end < 0 && data.length < limits.multipartHeadBytesMax) return -1;
    if (end < 0 || end > limits.multipartHeadBytesMax) return this.#fail('multipart_head');
    const head = data.toString(LATIN1, 0, end);
    if (head.includes(this.#delimiter)) return this.#fail('multipart_delimiter');
    if (DEFAULT_CHARSET.test(head)) return this.#fail('multipart_charset');
    const said = saidLength(head);
    if (said === 'unclear') return this.#fail('multipart_length');
    this.#saidBytes = said;
    this.#passedBytes = 0;
    const name = plainFieldName(head);
    this.#field = name !== null && this.#wanted.has(name) ? name : null;
    this.#state = 'content';
    return give(pieces, data.subarray(0, end + HEAD_END.length));
  }

  #content(data: Buffer, pieces: FormPiece[]): number {
    const delimiter = data.indexOf(this.#delimiter, 0, LATIN1);
    if (delimiter < 0) return this.#moreContent(data, pieces);
    const end = delimiter - CRLF.length;
    if (end < 0 || data.toString(LATIN1, end, delimiter) !== CRLF) return this.#fail('multipart_delimiter');
    const content = data.subarray(0, end);
    if (this.#saidBytes !== null && this.#saidBytes !== this.#passedBytes + end)
      return this.#fail('multipart_length');
    if (this.#field === null) give(pieces, content);
    else pieces.push({ name: this.#field, value: content.toString(LATIN1), bytes: content });
    this.#field = null;
    this.#state = 'delimited';
    give(pieces, data.subarray(end, delimiter + this.#delimiter.length));
    return delimiter + this.#delimiter.length;
  }

  /** Passes what cannot be the beginning of a delimiter. */
  #moreContent(data: Buffer, pieces: FormPiece[]): number {
    if (this.#field !== null && data.length <= limits.formFieldHeldBytesMax) return -1;
    this.#field = null; // too long to be what was asked for
    const passed = data.length - this.#delimiter.length - CRLF.length;
    if (passed <= 0) return -1;
    give(pieces, data.subarray(0, passed));
    this.#passedBytes += passed;
    return passed;
  }

  #epilogue(data: Buffer, pieces: FormPiece[]): number {
    if (data.length < CRLF.length) return -1;
    if (data.toString(LATIN1, 0, CRLF.length) !== CRLF) return this.#fail('multipart_epilogue');
    this.#state = 'ended';
    return give(pieces, data.subarray(0, CRLF.length));
  }

  #fail(reason: string): number {
    this.malformed ??= reason;
    this.#state = 'malformed';
    return 0;
  }
}

/** @returns how many bytes were given; negative when there were none */
function give(pieces: FormPiece[], bytes: Buffer): number {
  if (bytes.length === 0) return -1;
  pieces.push(bytes);
  return bytes.length;
}

/** A field that tells how the others are to be decoded (RFC 7578 section 4.6), if anybody listens to it. */
const DEFAULT_CHARSET = /_charset_/i;

/** What a part says of its length: some parsers believe that, and look for no delimiter within it. */
function saidLength(head: string): number | null | 'unclear' {
  if (!/content-length/i.test(head)) return null;
  const said = head.split(CRLF).filter((line) => /^content-length:/i.test(line));
  const digits = /^[^:]*:[ \t]*([0-9]{1,15})[ \t]*$/.exec(said[0] ?? '')?.[1];
  return said.length === 1 && digits !== undefined ? Number(digits) : 'unclear';
}

const HEADER = new RegExp(`^(${TOKEN}):[ \\t]*((?:[\\x21-\\x7e\\x80-\\xff][\\t\\x20-\\x7e\\x80-\\xff]*)?)$`);
const DISPOSITION = new RegExp(`^form-data;[ \\t]*name=(?:"([^"\\\\]*)"|(${TOKEN}))[ \\t]*$`);
const PLAIN_TYPE = /^text\/plain(?:[ \t]*;[ \t]*charset=(?:"?utf-8"?|"?us-ascii"?))?[ \t]*$/i;

/** The name of a part that is a plain field and nothing else: no file, no transfer coding, no header twice. */
function plainFieldName(head: string): string | null {
  let name: string | null = null;
  let isTyped = false;
  for (const line of head.split(CRLF)) {
    const [, header = '', value = ''] = HEADER.exec(line) ?? [];
    if (header.toLowerCase() === 'content-disposition' && name === null) {
      const [matched, quoted, token] = DISPOSITION.exec(value) ?? [];
      if (matched === undefined) return null;
      name = quoted ?? token ?? '';
    } else if (header.toLowerCase() === 'content-type' && !isTyped && PLAIN_TYPE.test(value)) {
      isTyped = true;
    } else {
      return null;
    }
  }
  return name;
}
