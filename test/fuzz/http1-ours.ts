/** A connection's bytes read with the project's own parser, message after message, as the egress uses it. */
import {
  BodyReader,
  type Fields,
  type HeadReader,
  type RequestHead,
  type ResponseHead,
  requestFraming,
  requestHeadReader,
  responseFraming,
  responseHeadReader,
} from '../../src/wire/http1/index.ts';
import type { Kind, Message, Seen } from './http1-messages.ts';

export interface OurSeen extends Seen {
  /** Position after each complete message; of a body that ends with the connection, the end. */
  readonly ends: readonly number[];
  /**
   * `error`, `pending` within a message, `between` messages, or `over`: the last message says that the connection ends or
   * becomes another protocol.
   */
  readonly state: 'error' | 'pending' | 'between' | 'over';
}

interface Current {
  readonly head: RequestHead | ResponseHead;
  readonly body: BodyReader;
  readonly data: string[];
}

const pairs = (fields: Fields): string[] =>
  fields.names.map((name, index) => `${name}=${fields.values[index] ?? ''}`);

/** @param method of the request that responses answer */
export function readOurs(kind: Kind, pieces: readonly Buffer[], method = 'GET'): OurSeen {
  return kind === 'request'
    ? readAll(requestHeadReader(), (head) => requestFraming(head), 'refuse', pieces)
    : readAll(responseHeadReader(), (head) => responseFraming(head, method), 'drop', pieces);
}

function readAll<Head extends RequestHead | ResponseHead>(
  reader: HeadReader<Head>,
  framingOf: (head: Head) => ReturnType<typeof requestFraming>,
  extensions: 'refuse' | 'drop',
  pieces: readonly Buffer[],
): OurSeen {
  const messages: Message[] = [];
  const ends: number[] = [];
  let current: Current | null = null;
  let before = 0;
  const complete = ({ head, body, data }: Current, end: number): void => {
    messages.push({
      start: startOf(head),
      fields: pairs(head.fields),
      body: data.join(''),
      trailers: pairs(body.trailers),
    });
    ends.push(end);
  };
  const stopped = (error: string): OurSeen => ({ messages, ends, error, state: 'error' });
  for (const piece of pieces) {
    let at = 0;
    while (at < piece.length) {
      if (current === null) {
        at = reader.read(piece, at);
        if (reader.error !== null) return stopped(reader.error);
        if (reader.head === null) break;
        const framing = framingOf(reader.head);
        if (!framing.ok) return stopped(framing.error);
        current = { head: reader.head, body: new BodyReader(framing.value, { extensions }), data: [] };
      }
      const { body, data }: Current = current;
      if (!body.done) at = body.read(piece, at, { onBody: (bytes) => data.push(bytes.toString('latin1')) });
      if (body.error !== null) return stopped(body.error);
      if (!body.done) break;
      complete(current, before + at);
      if (isLast(current.head)) return { messages, ends, error: null, state: 'over' };
      current = null;
      reader.reset();
    }
    before += piece.length;
  }
  if (current === null) return { messages, ends, error: null, state: reader.begun ? 'pending' : 'between' };
  if (!current.body.end()) return { messages, ends, error: null, state: 'pending' };
  complete(current, before);
  return { messages, ends, error: null, state: 'over' };
}

const startOf = (head: RequestHead | ResponseHead): string =>
  'method' in head
    ? `${head.method} ${head.target} 1.${head.minor}`
    : `${head.status} ${head.phrase} 1.${head.minor}`;

/** Whether what follows the message is no further message. */
function isLast(head: RequestHead | ResponseHead): boolean {
  const connection = head.fields.list('connection');
  const isUpgrade =
    'method' in head
      ? head.method === 'CONNECT' || (head.fields.count('upgrade') > 0 && connection.includes('upgrade'))
      : head.status === 101;
  /* llhttp also goes by Proxy-Connection, which no standard knows. */
  const isClosed = [...connection, ...head.fields.list('proxy-connection')].includes('close');
  return isUpgrade || isClosed || head.minor === 0;
}
