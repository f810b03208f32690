/**
 * The link to a server in a cell: one message a line, both ways. A server at the other end of a pipe does not say what
 * a line is about, so what cannot be read may be the answer to anything that waits.
 *
 * Trusts nothing that it reads, and holds no more than one message of it.
 */
import { AppError, type Clock, limits, type Log } from '../../kernel/index.ts';
import { idAtEdge } from './answer-id.ts';
import { gather } from './gathered-writes.ts';
import { LineReader } from './lines.ts';
import type { LineTransport } from '../ports/upstreams.ts';
import type { Turns } from './turns.ts';
import type { LinkRequest, LinkSink, UpstreamLink } from './upstream-link.ts';

/** Unwanted messages in what was read at once, from which on the server is a flood. */
export const FLOOD_MESSAGES = 100;

/** Of a server that said much, what is little again: it is heard at once from then on. */
const LITTLE_BYTES = 4 * limits.KIB;

interface LineLinkDeps {
  readonly slug: string;
  /** Shared by all links. */
  readonly turns: Turns;
  readonly clock: Pick<Clock, 'monotonic'>;
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
    const { clock, turns } = this.#deps;
    let unwanted = 0;
    const reader = new LineReader(limits.mcpMessageBytesMax, {
      line(text) {
        if (!sink.message(text)) unwanted += 1;
      },
      broken: (reason, head, tail) => this.#broken(sink, reason, head, tail),
    });
    /** What was read and not looked at yet: `output` rests until it is. */
    let left: Buffer | null = null;
    /** Whether there was too much in what was read last to be looked at when it came. */
    let waits = false;
    /** How long that took, in milliseconds. */
    let tookMs = 0;
    const done = (): void => {
      if (unwanted < FLOOD_MESSAGES && !reader.skipping) {
        output.resume();
        return;
      }
      output.pause();
      const floodPauseMs = Math.max(limits.mcpFloodPauseMs, limits.mcpFloodPauseFactor * tookMs);
      setTimeout(() => output.resume(), reader.skipping ? limits.mcpSkipPauseMs : floodPauseMs);
    };
    const step = (): boolean => {
      if (left === null) return false;
      const begunMs = clock.monotonic();
      left = reader.push(left, limits.mcpMessagesPerStep);
      tookMs += clock.monotonic() - begunMs;
      if (left === null) done();
      return left !== null;
    };
    output.on('data', (chunk: Buffer) => {
      unwanted = 0;
      tookMs = 0;
      // Whoever said much before has not even its first messages looked at before others have theirs.
      left = waits ? chunk : reader.push(chunk, limits.mcpMessagesPerStep);
      waits = waits ? chunk.length > LITTLE_BYTES : left !== null;
      if (left === null) {
        done();
        return;
      }
      output.pause();
      turns.add(step);
    });
    output.on('error', () => {});
    input.on('error', () => {});
    void exited.then((exit) => {
      if (left !== null) reader.push(left);
      left = null;
      reader.end();
      sink.exited(exit);
    });
  }

  request({ text }: LinkRequest): void {
    this.#write(text);
  }

  send(text: string): void {
    gather(this.#transport.input);
    this.#write(text);
  }

  #write(text: string): void {
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
    const idText = idAtEdge(head) ?? idAtEdge(tail.trimEnd());
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
