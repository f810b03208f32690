/**
 * An HTTP/1.1 client that costs little beside what it measures: one connection, one POST at a time, written as one text.
 * Node's own takes longer for a request than the gateway does.
 */
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  /** By name in lower case. */
  readonly fields: ReadonlyMap<string, string>;
  readonly body: string;
}

const HEAD_END = '\r\n\r\n';
const LAST_CHUNK = '0\r\n\r\n';

export class KeptConnection {
  readonly #socket: Socket;
  readonly #head: string;
  #received = '';
  #waiting: PromiseWithResolvers<Answer> | null = null;

  /** @param fields of every request, besides those that say how long it is */
  constructor(url: string, fields: Readonly<Record<string, string>>) {
    const { hostname, port, pathname, host } = new URL(url);
    const lines = Object.entries({ host, ...fields }).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#head = `POST ${pathname} HTTP/1.1\r\n${lines.join('')}`;
    this.#socket = connect(Number(port), hostname);
    this.#socket.setNoDelay(true);
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (text: string) => this.#more(text));
    this.#socket.on('error', (error) => this.#waiting?.reject(error));
    this.#socket.on('close', () => this.#waiting?.reject(new Error('the connection was closed')));
  }

  /** @param more fields of this one */
  post(body: string, more = ''): Promise<Answer> {
    this.#waiting = Promise.withResolvers();
    if (this.#socket.destroyed) throw new Error('the server has closed the connection');
    this.#socket.write(`${this.#head}${more}content-length: ${Buffer.byteLength(body)}${HEAD_END}${body}`);
    return this.#waiting.promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #more(text: string): void {
    this.#received = this.#received === '' ? text : this.#received + text;
    const end = this.#received.indexOf(HEAD_END);
    if (end < 0) return;
    const head = this.#received.slice(0, end);
    const body = this.#received.slice(end + HEAD_END.length);
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    const whole = length === undefined ? isEnded(head, body) : Buffer.byteLength(body) >= Number(length);
    if (!whole) return;
    this.#received = '';
    const [line = '', ...lines] = head.split('\r\n');
    const fields = new Map(
      lines.map((each): [string, string] => {
        const [name = '', value = ''] = each.split(/: (.*)/s, 2);
        return [name.toLowerCase(), value];
      }),
    );
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve({ status: Number(line.split(' ')[1]), fields, body });
  }
}

/** One without a body, or in chunks, of which there are none after the last. */
const isEnded = (head: string, body: string): boolean =>
  /\r\ntransfer-encoding: chunked/i.test(head) ? body.endsWith(LAST_CHUNK) : true;
