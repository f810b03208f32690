/**
 * The link to a server in a cell: one message a line, both ways. A server at the other end of a pipe does not say what
 * a line is about, so what cannot be read may be the answer to anything that waits.
 *
 * Trusts nothing that it reads, and holds no more than one message of it.
 */
import { AppError, limits, type Log } from '../kernel/index.ts';
import { LineReader } from './lines.ts';
import type { LineTransport } from './ports.ts';
import type { LinkRequest, LinkSink, UpstreamLink } from './upstream-link.ts';

/** Unwanted messages in what was read at once, from which on the server is a flood. */
export const FLOOD_MESSAGES = 100;

/** How the printable head or tail of an answer that cannot be read names its id. */
const ID = /^\{"jsonrpc":"2\.0","id":(\d{1,15}),|"id":(\d{1,15})\}$/;

interface LineLinkDeps {
  readonly slug: string;
  readonly log: Log;
}

export class LineLink implements UpstreamLink {
  readonly #transport: LineTransport;
  readonly #deps: LineLinkDeps;

  constructor(transport: LineTransport, deps: LineLinkDeps) {
    this.#transport = transport;
    this.#deps = deps;
  }

  get backlogBytes(): number {
    return this.#transport.input.writableLength;
  }

  listen(sink: LinkSink): void {
    const { input, output, exited } = this.#transport;
    let unwanted = 0;
    const reader = new LineReader(limits.mcpMessageBytesMax, {
      line(text) {
        if (!sink.message(text)) unwanted += 1;
      },
      broken: (reason, head, tail) => this.#broken(sink, reason, head, tail),
    });
    output.on('data', (chunk: Buffer) => {
      unwanted = 0;
      reader.push(chunk);
      if (unwanted < FLOOD_MESSAGES && !reader.skipping) return;
      // All servers share one thread: a flood waits in its own pipe, not in front of the others.
      output.pause();
      const pauseMs = reader.skipping ? limits.mcpSkipPauseMs : limits.mcpFloodPauseMs;
      setTimeout(() => output.resume(), pauseMs);
    });
    output.on('error', () => {});
    input.on('error', () => {});
    void exited.then((exit) => {
      reader.end();
      sink.exited(exit);
    });
  }

  request({ text }: LinkRequest): void {
    this.send(text);
  }

  send(text: string): void {
    // A text from a client may be spread over lines; the server reads one message a line.
    const line = text.includes('\n') || text.includes('\r') ? text.replace(/[\r\n]+/g, ' ') : text;
    this.#transport.input.write(`${line}\n`);
  }

  cancel(_idText: string, notification: string | null): void {
    if (notification !== null) this.send(notification);
  }

  lastWords(): string {
    return this.#transport.stderrTail();
  }

  #broken(sink: LinkSink, reason: 'too_long' | 'not_utf8', head: string, tail: string): void {
    const { slug, log } = this.#deps;
    log.warn('mcp.upstream.broken_line', { server: slug, reason });
    const match = ID.exec(head) ?? ID.exec(tail.trimEnd());
    const idText = match?.[1] ?? match?.[2] ?? null;
    // A message that is too long is an answer; what is no UTF-8 is most likely no message at all.
    if (reason === 'not_utf8' && idText === null) return;
    const [code, what] =
      reason === 'too_long'
        ? ['upstream_answer_too_large', `larger than ${limits.mcpMessageBytesMax / limits.MIB} MiB`]
        : ['upstream_answer_malformed', 'that is not UTF-8'];
    const error = new AppError(code, `The server "${slug}" sent a message ${what}.`, { kind: 'unavailable' });
    sink.failed(idText, error);
  }
}
