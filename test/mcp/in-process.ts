/** Servers with sessions that live in the test itself, so that it says when they are there and what they have. */
import { PassThrough } from 'node:stream';
import type { CellId } from '../../src/kernel/index.ts';
import type { LineTransport, UpstreamExit } from '../../src/mcp/index.ts';
import type { Parsed, TestServer } from './harness.ts';

/** The `result` of a method; undefined: the server does not know it. */
export type Answers = (method: string, params: Parsed) => object | undefined | Promise<object | undefined>;

const textOf = (chunk: Buffer): string => chunk.toString();

export class InProcessServer {
  /** Requests that reached it, in order: the method, and of a resource its address. */
  readonly seen: string[] = [];
  /** How often somebody wanted it started, successfully or not. */
  starts = 0;
  /** Thrown at each start while it is set. */
  failure: Error | null = null;
  /** Reads everything and says nothing. */
  isSilent = false;
  readonly #answers: Answers;
  readonly #capabilities: object;
  #output: PassThrough | null = null;
  #end: ((exit: UpstreamExit) => void) | null = null;

  constructor(
    answers: Answers,
    capabilities: object = { tools: {}, prompts: {}, resources: { subscribe: true } },
  ) {
    this.#answers = answers;
    this.#capabilities = capabilities;
  }

  get server(): TestServer {
    return { command: [], tools: '*', transport: (cell) => this.#start(cell) };
  }

  send(message: object): void {
    this.#output?.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  }

  stop(): void {
    this.#end?.({ code: 1, signal: null, reason: 'it ended with code 1' });
  }

  #start(cell: CellId): LineTransport {
    this.starts += 1;
    if (this.failure !== null) throw this.failure;
    const [input, output] = [new PassThrough(), new PassThrough()];
    const { promise: exited, resolve } = Promise.withResolvers<UpstreamExit>();
    this.#output = output;
    this.#end = resolve;
    input.on('data', (chunk: Buffer) => {
      for (const line of textOf(chunk).split('\n').filter(Boolean)) void this.#read(line);
    });
    const close = async (reason: string): Promise<void> => resolve({ code: null, signal: null, reason });
    return { kind: 'lines', cell, exited, close, input, output, stderrTail: () => '' };
  }

  async #read(line: string): Promise<void> {
    const { id, method, params = {} } = JSON.parse(line) as { id?: number; method?: string; params?: Parsed };
    if (id === undefined || method === undefined || this.isSilent) return;
    const about = params['uri'] ?? params['name'] ?? '';
    this.seen.push(`${method} ${typeof about === 'string' ? about : ''}`.trim());
    const result = method === 'initialize' ? this.#hello(params) : await this.#answers(method, params);
    this.send(
      result === undefined ? { id, error: { code: -32601, message: 'Method not found' } } : { id, result },
    );
  }

  #hello({ protocolVersion }: Parsed): object {
    return { protocolVersion, capabilities: this.#capabilities, serverInfo: { name: 'here', version: '1' } };
  }
}
