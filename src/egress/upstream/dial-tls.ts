/**
 * TLS towards upstreams. Whoever answers has to prove the name by Node's authorities, the system's or the operator's, and
 * must not be on a revocation list of the operator's; nothing that is in the environment for Node changes that. (Where the
 * system's are is for OpenSSL to know, which SSL_CERT_FILE and SSL_CERT_DIR tell.) Sessions are resumed, for a while, and
 * only for the same name with the same settings in the same workspace.
 */
import type { Socket } from 'node:net';
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  getCACertificates,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import { type Clock, err, limits, ok, type Result } from '../../kernel/index.ts';
import { addressFamily } from '../../wire/index.ts';
import { Revocations } from '../ca/revocation.ts';
import { reasonOf } from './dial-attempts.ts';

/** What an upstream may be spoken to in, as ALPN names it (RFC 7301). */
export type Protocol = 'h2' | 'http/1.1';

export interface TlsTrust {
  /** PEM certificates trusted in addition to the system's. */
  readonly extraCa: readonly string[];
  /** PEM revocation lists. With any, every chain must be shown whole and have nothing on them. */
  readonly crl: readonly string[];
}

export interface Handshake {
  /** The name to be proved. */
  readonly host: string;
  readonly port: number;
  /** Whose session may be resumed: never another's. */
  readonly scope: string;
  /** What is offered, best first. */
  readonly protocols: readonly Protocol[];
}

interface Session {
  readonly ticket: Buffer;
  /** Monotonic milliseconds. */
  readonly until: number;
}

export class UpstreamTls {
  readonly #trust: TlsTrust;
  readonly #clock: Clock;
  /** Least recently made first. */
  readonly #sessions = new Map<string, Session>();
  #context: SecureContext | null = null;
  #revocations: Revocations | null = null;

  constructor(trust: TlsTrust, clock: Clock) {
    this.#trust = trust;
    this.#clock = clock;
  }

  /**
   * Shakes hands on a connected socket. On failure it is destroyed.
   *
   * @returns the socket to go on with, or why there is none: a stable word
   */
  shake(
    socket: Socket,
    { host, port, scope, protocols }: Handshake,
    signal: AbortSignal,
  ): Promise<Result<TLSSocket, string>> {
    const { promise, resolve } = Promise.withResolvers<Result<TLSSocket, string>>();
    const key = `${scope} ${host}:${port} ${protocols.join()}`;
    const session = this.#resumable(key);
    let authorities: SecureContext;
    try {
      authorities = this.#authorities();
    } catch {
      socket.destroy();
      return Promise.resolve(err('authorities_unreadable'));
    }
    const tls = connect({
      socket,
      host,
      ...(addressFamily(host) === null ? { servername: host } : {}),
      rejectUnauthorized: true, // said, because NODE_TLS_REJECT_UNAUTHORIZED=0 would change the default
      secureContext: authorities,
      ALPNProtocols: [...protocols],
      checkServerIdentity: (name, certificate) =>
        checkServerIdentity(name, certificate) ?? this.#revocations?.objection(certificate),
      ...(session === null ? {} : { session }),
    });
    const settle = (result: Result<TLSSocket, string>): void => {
      clearTimeout(deadline);
      signal.removeEventListener('abort', onAbort);
      tls.off('error', onError);
      tls.off('close', onClose);
      if (!result.ok) {
        tls.destroy();
        this.#sessions.delete(key);
      }
      resolve(result);
    };
    const onAbort = (): void => settle(err('ABORT_ERR'));
    const onError = (error: Error): void => settle(err(reasonOf(error)));
    const onClose = (): void => settle(err('ECONNRESET'));
    const deadline = setTimeout(() => settle(err('ETIMEDOUT')), limits.upstreamConnectTimeoutMs);
    /* After the handshake Node says that TLS is broken, and leaves the connection open. Whoever holds it hears `close`. */
    tls.on('error', () => tls.destroy());
    tls.once('error', onError);
    tls.once('close', onClose);
    tls.once('secureConnect', () => settle(ok(tls)));
    tls.on('session', (ticket) => this.#keep(key, ticket, tls.isSessionReused()));
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    return promise;
  }

  #resumable(key: string): Buffer | null {
    const session = this.#sessions.get(key);
    if (session === undefined) return null;
    if (this.#clock.monotonic() < session.until) return session.ticket;
    this.#sessions.delete(key);
    return null;
  }

  /** A session that came of a resumed one is no younger: what was verified when it began is not verified again. */
  #keep(key: string, ticket: Buffer, isResumed: boolean): void {
    const before = isResumed ? this.#sessions.get(key)?.until : undefined;
    if (isResumed && before === undefined) return;
    const until = before ?? this.#clock.monotonic() + limits.upstreamTlsSessionMs;
    this.#sessions.delete(key);
    this.#sessions.set(key, { ticket, until });
    if (this.#sessions.size <= limits.upstreamTlsSessionsMax) return;
    const [oldest] = this.#sessions.keys();
    if (oldest !== undefined) this.#sessions.delete(oldest);
  }

  /** Reading the system's authorities takes a while: once, and only when something is dialled. */
  #authorities(): SecureContext {
    if (this.#context !== null) return this.#context;
    const { extraCa, crl } = this.#trust;
    // Not `default`, which has those that NODE_EXTRA_CA_CERTS names.
    const ca = [...new Set([...getCACertificates('bundled'), ...getCACertificates('system'), ...extraCa])];
    if (crl.length > 0) this.#revocations = new Revocations(crl, ca, () => this.#clock.now());
    this.#context = createSecureContext({ ca, minVersion: 'TLSv1.2' });
    return this.#context;
  }
}
