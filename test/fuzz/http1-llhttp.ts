/**
 * A connection's bytes read with the parser inside Node (llhttp), strict. Its own binding, because `node:http` would hide what
 * the parser was given and add checks of its own.
 */
import { createRequire } from 'node:module';
import type { Kind, Message, Seen } from './http1-messages.ts';

interface NodeParser {
  initialize(kind: number, resource: object, headBytesMax: number, leniency: number): void;
  execute(bytes: Buffer): number | Error;
  finish(): number | Error | undefined;
  /** Frees the native part, which no garbage collection does. */
  close(): void;
  [callback: number]: (...values: never[]) => number | void;
}
interface NodeParserClass {
  new (): NodeParser;
  readonly [name: string]: number;
}
const { HTTPParser, methods } = createRequire(import.meta.url)('_http_common') as {
  HTTPParser: NodeParserClass;
  methods: readonly string[];
};

const constant = (name: string): number => {
  const value = HTTPParser[name];
  if (value === undefined) throw new Error(`this Node's parser has no ${name}`);
  return value;
};
const REQUEST = constant('REQUEST');
const RESPONSE = constant('RESPONSE');
const STRICT = constant('kLenientNone');
const ON_HEADERS = constant('kOnHeaders');
const ON_HEADERS_COMPLETE = constant('kOnHeadersComplete');
const ON_BODY = constant('kOnBody');
const ON_MESSAGE_COMPLETE = constant('kOnMessageComplete');
/** Far above ours, so that only ours is met. */
const HEAD_BYTES_MAX = 1_048_576;
const SKIP_BODY = 1;

/** The parser tells a method by its number in a list that it does not show; so each is asked for once. */
const METHOD_NAMES = new Map<number, string>();
for (const name of methods) {
  const parser = new HTTPParser();
  parser.initialize(REQUEST, {}, HEAD_BYTES_MAX, STRICT);
  parser[ON_HEADERS_COMPLETE] = (_major, _minor, _fields, method: number) => {
    METHOD_NAMES.set(method, name);
    return 0;
  };
  parser.execute(Buffer.from(`${name} ${name === 'CONNECT' ? 'a:1' : '/'} HTTP/1.1\r\n\r\n`));
  parser.close();
}

const pairs = (flat: readonly string[]): string[] =>
  flat.flatMap((name, index) => (index % 2 === 0 ? [`${name}=${flat[index + 1] ?? ''}`] : []));

/** @param method of the request that responses answer */
export function readLlhttp(kind: Kind, bytes: Buffer, method = 'GET'): Seen {
  const parser = new HTTPParser();
  parser.initialize(kind === 'request' ? REQUEST : RESPONSE, {}, HEAD_BYTES_MAX, STRICT);
  const messages: Message[] = [];
  let start: string | null = null;
  let target = '';
  let fields: string[] = [];
  let trailers: string[] = [];
  let body = '';
  parser[ON_HEADERS] = (flat: readonly string[], url: string) => {
    if (start === null) {
      fields.push(...pairs(flat));
      target += url;
    } else {
      trailers.push(...pairs(flat));
    }
  };
  parser[ON_HEADERS_COMPLETE] = (
    major: number,
    minor: number,
    flat: readonly string[] | undefined,
    methodNumber: number,
    url: string | undefined,
    status: number,
    phrase: string,
  ) => {
    if (flat !== undefined) fields.push(...pairs(flat));
    if (url !== undefined && url !== null) target += url;
    const version = `${major}.${minor}`;
    start =
      kind === 'request'
        ? `${METHOD_NAMES.get(methodNumber) ?? '?'} ${target} ${version}`
        : `${status} ${phrase} ${version}`;
    return kind === 'response' && method === 'HEAD' ? SKIP_BODY : 0;
  };
  parser[ON_BODY] = (piece: Buffer) => {
    body += piece.toString('latin1');
  };
  parser[ON_MESSAGE_COMPLETE] = () => {
    messages.push({ start: start ?? '', fields, body, trailers });
    start = null;
    target = '';
    fields = [];
    trailers = [];
    body = '';
  };
  try {
    const taken = parser.execute(bytes);
    if (typeof taken !== 'number') return { messages, error: codeOf(taken) };
    /*
     * It stops early where a message asks for another protocol: behind that message, whose followers are not its own any
     * more, or within it, because the binding then hides errors.
     */
    if (taken < bytes.length) return { messages, error: start === null ? null : 'hidden' };
    const before = messages.length;
    const finished = parser.finish();
    return { messages, error: finished instanceof Error && messages.length === before ? 'incomplete' : null };
  } finally {
    parser.close();
  }
}

const codeOf = (error: Error): string => ('code' in error ? String(error.code) : error.message);
