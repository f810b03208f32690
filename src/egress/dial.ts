/**
 * Connections to upstreams. Names are resolved here, outside of the cell; every address is judged before it is
 * connected to, and it is that very address which is connected to, so that a second answer of the resolver
 * changes nothing. TLS is verified for the name whatever address it led to. A failure is a `Refusal`.
 */
import { lookup } from 'node:dns/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { connect as connectTls, createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { limits } from '../kernel/index.ts';
import { addressBytes, addressFamily, classifyAddress, inNetworks, parseAuthority } from '../wire/index.ts';
import type { Resolver } from './ports.ts';
import { Refusal } from './refusals.ts';

export interface DialConfig {
  /** `host:port` → `address:port` to dial instead. The checks on the name stay. */
  readonly resolve: Readonly<Record<string, string>>;
  /** PEM certificates trusted in addition to the system's. */
  readonly extraCa: readonly string[];
  /** Networks in CIDR form that may be dialled although they are special. */
  readonly allowNetworks: readonly string[];
}

export interface Destination {
  readonly scheme: 'https' | 'http';
  readonly host: string;
  readonly port: number;
}

/** The system's resolver, both families, in its order. */
export const systemResolver: Resolver = {
  async resolve(host) {
    const found = await lookup(host, { all: true, order: 'verbatim' });
    return found.map(({ address }) => address);
  },
};

/** Addresses of this machine, as of now. */
export const ownAddresses = (): readonly string[] =>
  Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));

/** One text per address, the same for IPv4 in IPv6 clothes; empty for what is none. */
function octetsOf(address: string): string {
  const bytes = addressBytes(address) ?? [];
  const isMapped = bytes.length === 16 && bytes.slice(0, 12).join('.') === '0.0.0.0.0.0.0.0.0.0.255.255';
  return (isMapped ? bytes.slice(12) : bytes).join('.');
}

const noop = (): void => undefined;

interface Endpoint {
  readonly address: string;
  readonly port: number;
}

const reasonOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'failed';

export class Dialer {
  readonly #resolver: Resolver;
  readonly #config: DialConfig;
  readonly #own: () => readonly string[];
  /** Questions that are being asked: whoever wants the same name meanwhile waits for the same answer. */
  readonly #asked = new Map<string, Promise<readonly string[]>>();
  #context: SecureContext | null = null;

  /** @param own what `ownAddresses` is, where a test does not know better */
  constructor(resolver: Resolver, config: DialConfig, own: () => readonly string[] = ownAddresses) {
    this.#resolver = resolver;
    this.#config = config;
    this.#own = own;
  }

  /**
   * Addresses that a name may be reached at, judged.
   *
   * @param signal nobody wants them any more
   * @throws Refusal `egress_upstream_unresolved`, `egress_upstream_address_refused`
   */
  async addresses(host: string, signal?: AbortSignal): Promise<readonly string[]> {
    const found = addressFamily(host) === null ? await this.#resolve(host, signal) : [host];
    let refused = 'none';
    const allowed = found.filter((address) => {
      const kind = this.#classify(address);
      if (kind === 'public' || inNetworks(address, this.#config.allowNetworks)) return true;
      refused = kind;
      return false;
    });
    if (allowed.length > 0) return allowed.slice(0, limits.upstreamAddressesMax);
    if (found.length === 0) throw Refusal.of('egress_upstream_unresolved', { host });
    throw Refusal.of('egress_upstream_address_refused', { host, reason: refused }, { addresses: [...found] });
  }

  /** What listens here on every address is as little meant for cells as what listens on loopback. */
  #classify(address: string): string {
    const kind = classifyAddress(address);
    if (kind !== 'public') return kind;
    const octets = octetsOf(address);
    return this.#own().some((own) => octetsOf(own) === octets) ? 'own_machine' : 'public';
  }

  /**
   * Connects, and for `https` shakes hands.
   *
   * @param opened is told of every socket at once, so that it can be cut while it is still connecting
   * @param signal nobody wants the connection any more: it is given up, whatever it is waiting for
   * @throws Refusal `egress_upstream_*`
   */
  async dial(to: Destination, opened: (socket: Socket) => void, signal: AbortSignal): Promise<Socket> {
    const endpoints = await this.#endpoints(to, signal);
    const watch = (socket: Socket): void => {
      const cut = (): void => void socket.destroy();
      signal.addEventListener('abort', cut, { once: true });
      socket.once('close', () => signal.removeEventListener('abort', cut));
      opened(socket);
    };
    let failure: unknown = null;
    for (const [index, endpoint] of endpoints.entries()) {
      const isLast = index === endpoints.length - 1;
      try {
        return await this.#connect(to, endpoint, isLast, watch);
      } catch (error) {
        failure = error;
        /* An upstream that is there and cannot prove itself is an answer; another address is not asked. */
        if (signal.aborted || (error instanceof Refusal && error.code === 'egress_upstream_tls')) break;
      }
    }
    throw failure;
  }

  async #endpoints(to: Destination, signal: AbortSignal): Promise<readonly Endpoint[]> {
    const override = this.#config.resolve[`${to.host}:${to.port}`];
    if (override === undefined) {
      return (await this.addresses(to.host, signal)).map((address) => ({ address, port: to.port }));
    }
    const target = parseAuthority(override, to.port);
    if (!target.ok)
      throw Refusal.of('egress_upstream_unresolved', { host: to.host }, { override, reason: target.error });
    return (await this.addresses(target.value.host, signal)).map((address) => ({
      address,
      port: target.value.port,
    }));
  }

  async #resolve(host: string, signal?: AbortSignal): Promise<readonly string[]> {
    const { promise: expired, reject } = Promise.withResolvers<never>();
    const giveUp = (): void => reject(new Error('timed out'));
    const timer = setTimeout(giveUp, limits.upstreamConnectTimeoutMs);
    signal?.addEventListener('abort', giveUp, { once: true });
    try {
      return await Promise.race([this.#ask(host), expired]);
    } catch (error) {
      throw Refusal.of('egress_upstream_unresolved', { host }, { reason: reasonOf(error) });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', giveUp);
    }
  }

  #ask(host: string): Promise<readonly string[]> {
    const known = this.#asked.get(host);
    if (known !== undefined) return known;
    const asked = this.#resolver.resolve(host).finally(() => this.#asked.delete(host));
    this.#asked.set(host, asked);
    return asked;
  }

  #connect(
    to: Destination,
    endpoint: Endpoint,
    isLast: boolean,
    opened: (socket: Socket) => void,
  ): Promise<Socket> {
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    const place = { host: endpoint.address, port: endpoint.port };
    const socket =
      to.scheme === 'http'
        ? connectTcp({ ...place, noDelay: true })
        : connectTls({
            ...place,
            servername: to.host,
            rejectUnauthorized: true, // said, because NODE_TLS_REJECT_UNAUTHORIZED=0 would change the default
            secureContext: this.#trust(),
            ALPNProtocols: ['http/1.1'],
          });
    opened(socket);
    socket.on('error', noop); // whoever holds the connection hears of it through `close`
    let reached = false;
    const fail = (reason: string): void => {
      socket.destroy();
      const code = reached ? 'egress_upstream_tls' : 'egress_upstream_unreachable';
      reject(Refusal.of(code, { host: to.host, port: to.port, reason }, { address: endpoint.address }));
    };
    const timer = setTimeout(
      () => fail('ETIMEDOUT'),
      isLast ? limits.upstreamConnectTimeoutMs : limits.upstreamAttemptTimeoutMs,
    );
    const onError = (error: Error): void => fail(reasonOf(error));
    const onClose = (): void => fail('ECONNRESET');
    const done = (): void => {
      clearTimeout(timer);
      socket.off('error', onError);
      socket.off('close', onClose);
      resolve(socket);
    };
    socket.once('error', onError);
    socket.once('close', onClose);
    socket.once('connect', () => {
      reached = to.scheme === 'https';
      socket.setNoDelay(true);
      if (to.scheme === 'http') done();
    });
    socket.once('secureConnect', done);
    return promise.finally(() => clearTimeout(timer));
  }

  /** Reading the system's authorities takes a while: once, and only when something is dialled. */
  #trust(): SecureContext {
    this.#context ??= createSecureContext({
      ca: [
        ...new Set([
          ...getCACertificates('default'),
          ...getCACertificates('system'),
          ...this.#config.extraCa,
        ]),
      ],
      minVersion: 'TLSv1.2',
    });
    return this.#context;
  }
}
