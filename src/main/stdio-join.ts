/**
 * Puts one stdio MCP client on the gateway that runs. MCP clients start this at every launch and wait for it, so it is
 * loaded before anything else of the product, by whatever Node the client found: it may import Node's own modules only,
 * and use nothing that Node 18 lacks.
 */
import { request } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { type Environment, homeFiles, homeOf } from './home.ts';

export interface StdioOptions {
  readonly profile: string;
  readonly server?: string;
}

export interface StdioClient {
  readonly input: Readable;
  readonly output: Writable;
  /** Settles when nobody reads `output` any more. */
  readonly unread: Promise<void>;
}

/** `done`: the client left. `absent`: no gateway is running, nothing was read or written. */
export type JoinOutcome = { readonly kind: 'done' } | { readonly kind: 'absent' } | JoinFailure;

export type JoinFailure = { readonly kind: 'gone' } | { readonly kind: 'refused'; readonly status: number };

const GATEWAY_GONE = {
  message: 'The gateway ended the connection before it was done.',
  hint: 'See whether it is still running: `sallyport status`; its log says why it stopped.',
};

/** What to tell a person, and what to do next. */
export const joinProblem = (outcome: JoinFailure): typeof GATEWAY_GONE =>
  outcome.kind === 'refused'
    ? {
        message: `The gateway answered ${outcome.status} to the stdio client.`,
        hint: 'It may be of another version than this program: restart it.',
      }
    : GATEWAY_GONE;

export async function joinGateway(
  socketPath: string,
  options: StdioOptions,
  client: StdioClient,
): Promise<JoinOutcome> {
  const opened = await open(socketPath, new URLSearchParams({ ...options }));
  if ('kind' in opened) return opened;
  const { socket } = opened;
  let clientLeft = false;
  for (const event of ['end', 'close', 'error']) client.input.once(event, () => (clientLeft = true));
  void client.unread.then(() => {
    clientLeft = true;
    socket.destroy();
  });
  const closed = new Promise((done) => socket.once('close', done));
  socket.on('error', () => undefined);
  client.input.pipe(socket);
  socket.pipe(client.output);
  await closed;
  return { kind: clientLeft ? 'done' : 'gone' };
}

function open(
  socketPath: string,
  query: URLSearchParams,
): Promise<{ readonly socket: Socket } | JoinOutcome> {
  return new Promise((done) => {
    const outgoing = request({
      socketPath,
      path: `/stdio?${query.toString()}`,
      headers: { host: 'localhost', connection: 'Upgrade', upgrade: 'mcp-stdio' },
      agent: false,
    });
    outgoing.once('upgrade', (_, socket: Socket, head) => {
      if (head.length > 0) socket.unshift(head);
      done({ socket });
    });
    outgoing.once('response', (response) => {
      response.resume();
      done({ kind: 'refused', status: response.statusCode ?? 0 });
    });
    outgoing.once('error', ({ code }: NodeJS.ErrnoException) =>
      done({ kind: code === 'ENOENT' || code === 'ECONNREFUSED' ? 'absent' : 'gone' }),
    );
    outgoing.end();
  });
}

/**
 * `sallyport stdio` where a gateway runs and the command line is as MCP clients have it.
 *
 * @param words of the command line, after `stdio`
 * @returns the exit code; null: the whole program has to look at it, nothing was read or written
 */
export async function joinFromCommandLine(
  words: readonly string[],
  env: Environment,
): Promise<number | null> {
  const options = plainOptions(words);
  if (options === null) return null;
  const unread = new Promise<void>((done) => process.stdout.once('error', () => done()));
  const { stdin: input, stdout: output } = process;
  const outcome = await joinGateway(homeFiles(homeOf(env)).socket, options, { input, output, unread });
  if (outcome.kind === 'absent') return null;
  if (outcome.kind === 'done') return 0;
  const { message, hint } = joinProblem(outcome);
  process.stderr.write(`error: ${message}\nhint:  ${hint}\n`);
  return 1;
}

/** @returns null for everything else than these two options, each at most once, with a value */
export function plainOptions(words: readonly string[]): StdioOptions | null {
  const found: { profile?: string; server?: string } = {};
  for (let at = 0; at < words.length; at += 1) {
    const [, name, attached] = /^--(profile|server)(?:=(.*))?$/s.exec(words[at] ?? '') ?? [];
    if (name !== 'profile' && name !== 'server') return null;
    const value = attached ?? words[(at += 1)];
    if (value === undefined || value === '' || value.startsWith('-') || found[name] !== undefined)
      return null;
    found[name] = value;
  }
  return { profile: 'default', ...found };
}
