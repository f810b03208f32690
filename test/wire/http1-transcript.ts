/** Reads one message with the project's parser and tells everything it saw, so that two runs can be compared. */
import {
  BodyReader,
  requestFraming,
  requestHeadReader,
  responseFraming,
  responseHeadReader,
} from '../../src/wire/http1/index.ts';

export interface Transcript {
  readonly start: string | null;
  readonly fields: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
  readonly error: string | null;
  readonly complete: boolean;
  /** Bytes left for the next message. */
  readonly rest: string;
}

const EMPTY = { start: null, fields: [], body: '', trailers: [], complete: false, rest: '' };

const pairs = (fields: { names: string[]; values: string[] }): string[] =>
  fields.names.map((name, index) => `${name}=${fields.values[index]}`);

export function transcribe(
  kind: 'request' | 'response',
  pieces: readonly Buffer[],
  method = 'GET',
): Transcript {
  const request = requestHeadReader();
  const response = responseHeadReader();
  const reader = kind === 'request' ? request : response;
  let body: BodyReader | null = null;
  let start: string | null = null;
  let fields: string[] = [];
  const data: Buffer[] = [];
  let rest = '';
  const sink = { onBody: (piece: Buffer) => data.push(Buffer.from(piece)) };
  for (const piece of pieces) {
    let at = 0;
    if (body === null) {
      at = reader.read(piece, at);
      if (reader.error !== null) return { ...EMPTY, error: reader.error };
      if (reader.head === null) continue;
      fields = pairs(reader.head.fields);
      const head = reader.head;
      start =
        'method' in head
          ? `${head.method} ${head.target} 1.${head.minor}`
          : `${head.status} ${head.phrase} 1.${head.minor}`;
      const framing = 'method' in head ? requestFraming(head) : responseFraming(head, method);
      if (!framing.ok) return { ...EMPTY, start, fields, error: framing.error };
      body = new BodyReader(framing.value, { extensions: kind === 'request' ? 'refuse' : 'drop' });
    }
    at = body.read(piece, at, sink);
    if (body.error !== null) break;
    rest += piece.toString('latin1', at);
  }
  return {
    start,
    fields,
    body: Buffer.concat(data).toString('latin1'),
    trailers: body === null ? [] : pairs(body.trailers),
    error: body?.error ?? null,
    complete: body !== null && body.error === null && body.end(),
    rest,
  };
}

export const whole = (text: string): Buffer[] => [Buffer.from(text, 'latin1')];
export const bytewise = (text: string): Buffer[] => text.split('').map((char) => Buffer.from(char, 'latin1'));
