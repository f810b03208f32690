/**
 * One TCP connection out of several addresses, in the manner of RFC 8305: families in turn, the next address when one
 * fails or takes long, the first that answers wins and the others are cut. It connects to exactly what it is given.
 */
import { connect, type Socket } from 'node:net';
import { err, limits, ok, type Result } from '../../kernel/index.ts';
import { addressFamily } from '../../wire/index.ts';

export interface Endpoint {
  /** Checked, in text form. */
  readonly address: string;
  readonly port: number;
}

export interface ConnectFailure {
  /** The system's code, a stable word. */
  readonly reason: string;
  /** The last one that failed. */
  readonly address: string;
}

const noop = (): void => undefined;

/** The code of an error, where it has one. */
export const reasonOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'failed';

/** Families in turn, beginning with that of the first, otherwise in the order given. */
export function interleave(addresses: readonly string[]): readonly string[] {
  const family = addressFamily(addresses[0] ?? '');
  const [same, other]: [string[], string[]] = [[], []];
  for (const address of addresses) (addressFamily(address) === family ? same : other).push(address);
  const mixed: string[] = [];
  for (let index = 0; index < Math.max(same.length, other.length); index += 1) {
    mixed.push(...same.slice(index, index + 1), ...other.slice(index, index + 1));
  }
  return mixed;
}

/**
 * Connects to the first that answers. The socket has an error listener of its own: whoever holds it hears of its
 * end through `close`.
 *
 * @param endpoints at least one; tried in this order
 * @param signal nobody wants it any more
 */
export function connectFirst(
  endpoints: readonly Endpoint[],
  signal: AbortSignal,
): Promise<Result<Socket, ConnectFailure>> {
  const { promise, resolve } = Promise.withResolvers<Result<Socket, ConnectFailure>>();
  const connecting = new Set<Socket>();
  let started = 0;
  let stagger: NodeJS.Timeout | undefined;
  let last = endpoints[0]?.address ?? '';

  const settle = (result: Result<Socket, ConnectFailure>): void => {
    clearTimeout(stagger);
    clearTimeout(deadline);
    signal.removeEventListener('abort', onAbort);
    for (const socket of connecting) if (!result.ok || socket !== result.value) socket.destroy();
    connecting.clear();
    resolve(result);
  };
  const giveUp = (reason: string): void => settle(err({ reason, address: last }));
  const onAbort = (): void => giveUp('ABORT_ERR');

  const attempt = (): void => {
    clearTimeout(stagger);
    const endpoint = endpoints[started];
    if (endpoint === undefined) return;
    started += 1;
    const socket = connect({ host: endpoint.address, port: endpoint.port, noDelay: true });
    connecting.add(socket);
    socket.on('error', noop);
    socket.once('error', (error) => {
      if (!connecting.delete(socket)) return;
      last = endpoint.address;
      if (started < endpoints.length) attempt();
      else if (connecting.size === 0) giveUp(reasonOf(error));
    });
    socket.once('connect', () => {
      if (connecting.has(socket)) settle(ok(socket));
    });
    if (started < endpoints.length) stagger = setTimeout(attempt, limits.upstreamAttemptStaggerMs);
  };

  const deadline = setTimeout(() => giveUp('ETIMEDOUT'), limits.upstreamConnectTimeoutMs);
  if (signal.aborted) onAbort();
  else {
    signal.addEventListener('abort', onAbort, { once: true });
    attempt();
  }
  return promise;
}
