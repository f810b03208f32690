/**
 * The company's own proxy, where there is one between the gateway and the internet: one CONNECT per connection
 * (RFC 9110 section 9.3.6), for https and http alike, so that TLS still ends at the upstream and the proxy sees no
 * key. What it says is read strictly; bytes after its answer were said by nobody who may speak yet.
 */
import type { Socket } from 'node:net';
import { err, limits, ok, type Result, type Secret } from '../../kernel/index.ts';
import { HEAD_ENCODING, matchHost, responseHeadReader } from '../../wire/index.ts';
import { reasonOf } from './dial-attempts.ts';

export interface ProxyConfig {
  readonly host: string;
  readonly port: number;
  /** `user:password`; null where it asks for none. */
  readonly credentials: Secret | null;
  /**
   * Whether names are left to the proxy. Then nobody here sees the addresses: only names that are special by
   * themselves are refused. Otherwise the proxy is given the very address that was checked.
   */
  readonly resolves: boolean;
  /** Names and `*.` patterns that are dialled directly. */
  readonly except: readonly string[];
}

/** Whether a name is dialled through the proxy. @param host canonical */
export const isProxied = (proxy: ProxyConfig, host: string): boolean =>
  !proxy.except.some((pattern) => matchHost(pattern, host));

/** Suffixes that mean this machine, this network, or whoever the local resolver says (RFC 6761, 6762, 8375, ICANN's `internal`). */
const LOCAL_SUFFIXES = ['localhost', 'local', 'internal', 'home.arpa', 'lan', 'localdomain'];

/** Why a name must not be left to somebody else to resolve; null when it may. @param host canonical, no address */
export function localNameReason(host: string): 'single_label' | 'local_name' | null {
  if (!host.includes('.')) return 'single_label';
  return LOCAL_SUFFIXES.some((suffix) => host.endsWith(`.${suffix}`)) ? 'local_name' : null;
}

const authorityOf = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** Has a connected proxy connect further. On failure the socket is destroyed. @returns why not: a stable word */
export function tunnel(
  socket: Socket,
  to: { readonly host: string; readonly port: number },
  credentials: Secret | null,
  signal: AbortSignal,
): Promise<Result<Socket, string>> {
  const { promise, resolve } = Promise.withResolvers<Result<Socket, string>>();
  const reader = responseHeadReader();
  const settle = (result: Result<Socket, string>): void => {
    clearTimeout(deadline);
    signal.removeEventListener('abort', onAbort);
    socket.off('data', onData).off('end', onEnd).off('error', onError).off('close', onEnd);
    if (result.ok) socket.pause();
    else socket.destroy();
    resolve(result);
  };
  const onAbort = (): void => settle(err('ABORT_ERR'));
  const onEnd = (): void => settle(err('proxy_closed'));
  const onError = (error: Error): void => settle(err(`proxy_${reasonOf(error)}`));
  const onData = (bytes: Buffer): void => {
    let at = 0;
    while (at < bytes.length) {
      at = reader.read(bytes, at);
      if (reader.error !== null) return settle(err('proxy_malformed'));
      const head = reader.head;
      if (head === null) return;
      reader.reset();
      if (head.status < 200 && head.status !== 101) continue;
      if (head.status < 200 || head.status > 299) return settle(err(`proxy_${head.status}`));
      return settle(at === bytes.length ? ok(socket) : err('proxy_malformed'));
    }
  };
  const deadline = setTimeout(() => settle(err('proxy_ETIMEDOUT')), limits.upstreamConnectTimeoutMs);
  socket.on('data', onData).once('end', onEnd).once('error', onError).once('close', onEnd);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  else socket.write(requestOf(to, credentials), HEAD_ENCODING);
  return promise;
}

function requestOf(to: { readonly host: string; readonly port: number }, credentials: Secret | null): string {
  const authority = authorityOf(to.host, to.port);
  const login =
    credentials === null ? '' : `Proxy-Authorization: Basic ${credentials.bytes().toString('base64')}\r\n`;
  return `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${login}\r\n`;
}
