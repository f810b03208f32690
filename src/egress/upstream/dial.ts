/**
 * Connections to upstreams. Names are resolved here, outside of the cell; every address is judged before it is
 * connected to, and it is that very address which is connected to, so that a second answer of the resolver
 * changes nothing. TLS is verified for the name whatever address it led to. A failure is a `Refusal`.
 */
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { TLSSocket } from 'node:tls';
import { type Clock, limits, systemClock } from '../../kernel/index.ts';
import {
  addressBytes,
  addressFamily,
  classifyAddress,
  inNetworks,
  parseAuthority,
} from '../../wire/index.ts';
import { type DialDescriptors, isExhaustion, UNCOUNTED } from '../descriptors.ts';
import { connectFirst, type Endpoint, interleave, reasonOf } from './dial-attempts.ts';
import { isProxied, localNameReason, type ProxyConfig, tunnel } from './dial-proxy.ts';
import { type Protocol, UpstreamTls } from './dial-tls.ts';
import type { Resolver } from '../ports.ts';
import { Refusal } from '../refusals.ts';

export interface DialConfig {
  /** `host:port` → `address:port` to dial instead, directly. The checks on the name stay. */
  readonly resolve: Readonly<Record<string, string>>;
  /** PEM certificates trusted in addition to the system's. */
  readonly extraCa: readonly string[];
  /** Networks in CIDR form that may be dialled although they are special. */
  readonly allowNetworks: readonly string[];
  /** PEM revocation lists. Default: none. */
  readonly crl?: readonly string[];
  /** Default: none. */
  readonly proxy?: ProxyConfig | null;
}

export interface Destination {
  readonly scheme: 'https' | 'http';
  readonly host: string;
  readonly port: number;
}

export interface DialOptions {
  /** Whose TLS sessions may be resumed: those of the same scope. */
  readonly scope: string;
  /** What is offered in TLS, best first. */
  readonly protocols: readonly Protocol[];
  /** Nobody wants the connection any more: it is given up, whatever it is waiting for. */
  readonly signal: AbortSignal;
}

export interface Dialled {
  /** It may be paused. Its errors are caught; whoever holds it hears of its end through `close`. */
  readonly socket: Socket | TLSSocket;
  readonly protocol: Protocol;
}

/** Addresses of this machine, as of now. */
export const ownAddresses = (): readonly string[] =>
  Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));

/** IPv4-mapped, and behind the network's NAT64 (RFC 6052): both lead to the IPv4 address at their end. */
const IPV4_CLOTHES: ReadonlySet<string> = new Set([
  '0.0.0.0.0.0.0.0.0.0.255.255',
  '0.100.255.155.0.0.0.0.0.0.0.0',
]);

/** One text per address, the same for IPv4 in IPv6 clothes; empty for what is none. */
function octetsOf(address: string): string {
  const bytes = addressBytes(address) ?? [];
  const isDressed = bytes.length === 16 && IPV4_CLOTHES.has(bytes.slice(0, 12).join('.'));
  return (isDressed ? bytes.slice(12) : bytes).join('.');
}

/** A proxy that could not reach one address may reach another. */
const WORTH_ANOTHER_ADDRESS = /^proxy_5\d\d$/;

export class Dialer {
  readonly #resolver: Resolver;
  readonly #config: DialConfig;
  readonly #own: () => readonly string[];
  readonly #tls: UpstreamTls;
  readonly #descriptors: DialDescriptors;
  /** Questions that are being asked: whoever wants the same name meanwhile waits for the same answer. */
  readonly #asked = new Map<string, Promise<readonly string[]>>();

  /** @param own what `ownAddresses` is, where a test does not know better */
  constructor(
    resolver: Resolver,
    config: DialConfig,
    own: () => readonly string[] = ownAddresses,
    clock: Clock = systemClock,
    descriptors: DialDescriptors = UNCOUNTED,
  ) {
    this.#resolver = resolver;
    this.#config = config;
    this.#own = own;
    this.#descriptors = descriptors;
    this.#tls = new UpstreamTls({ extraCa: config.extraCa, crl: config.crl ?? [] }, clock);
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
    const own = this.#ownOctets(host);
    const allowed = found.filter((address) => {
      const kind = classify(address, own);
      if (kind === 'public' || inNetworks(address, this.#config.allowNetworks)) return true;
      refused = kind;
      return false;
    });
    if (allowed.length > 0) return interleave(allowed).slice(0, limits.upstreamAddressesMax);
    if (found.length === 0) throw Refusal.of('egress_upstream_unresolved', { host });
    throw Refusal.of('egress_upstream_address_refused', { host, reason: refused }, { addresses: [...found] });
  }

  /** @throws Refusal where the machine does not say: without a file descriptor left, for one */
  #ownOctets(host: string): ReadonlySet<string> {
    try {
      return new Set(this.#own().map(octetsOf));
    } catch (error) {
      if (this.#descriptors.isExhausted) throw this.#exhausted('own_addresses_unknown');
      const facts = { host, reason: 'own_addresses_unknown' };
      throw Refusal.of('egress_upstream_address_refused', facts, { cause: String(error) });
    }
  }

  /**
   * Connects, through the operator's proxy where there is one, and for `https` shakes hands. An upstream that is
   * there and cannot prove itself is an answer; another address is not asked.
   *
   * @throws Refusal `egress_upstream_*`, `egress_descriptors_limit`
   */
  async dial(to: Destination, { scope, protocols, signal }: DialOptions): Promise<Dialled> {
    if (this.#descriptors.isUsedUp) throw this.#exhausted('limit');
    const socket = await this.#reach(to, signal);
    this.#descriptors.count(socket);
    if (to.scheme === 'http') return { socket, protocol: 'http/1.1' };
    const address = socket.remoteAddress ?? '';
    const shaken = await this.#tls.shake(socket, { host: to.host, port: to.port, scope, protocols }, signal);
    if (shaken.ok) {
      return { socket: shaken.value, protocol: shaken.value.alpnProtocol === 'h2' ? 'h2' : 'http/1.1' };
    }
    const facts = { host: to.host, port: to.port, reason: shaken.error };
    throw Refusal.of('egress_upstream_tls', facts, { address });
  }

  /**
   * Where datagrams for a name go.
   *
   * @throws Refusal `egress_upstream_unresolved`, `egress_upstream_address_refused`
   */
  async endpoint(host: string, port: number, signal: AbortSignal): Promise<Endpoint> {
    const override = this.#config.resolve[`${host}:${port}`];
    const target = override === undefined ? null : parseAuthority(override, port);
    const place = target?.ok === true ? target.value : { host, port };
    const [address = ''] = await this.addresses(place.host, signal);
    return { address, port: place.port };
  }

  async #reach(to: Destination, signal: AbortSignal): Promise<Socket> {
    const override = this.#config.resolve[`${to.host}:${to.port}`];
    const proxy = this.#config.proxy ?? null;
    if (override !== undefined) {
      const target = parseAuthority(override, to.port);
      if (!target.ok)
        throw Refusal.of('egress_upstream_unresolved', { host: to.host }, { override, reason: target.error });
      const { host, port } = target.value;
      return this.#connect(to, await this.addresses(host, signal), port, signal);
    }
    if (proxy !== null && isProxied(proxy, to.host)) return this.#throughProxy(to, proxy, signal);
    return this.#connect(to, await this.addresses(to.host, signal), to.port, signal);
  }

  async #connect(
    to: Destination,
    addresses: readonly string[],
    port: number,
    signal: AbortSignal,
  ): Promise<Socket> {
    const endpoints = addresses.map((address): Endpoint => ({ address, port }));
    const connected = await connectFirst(endpoints, signal);
    if (connected.ok) return connected.value;
    const { reason, address } = connected.error;
    throw isExhaustion(reason) ? this.#exhausted(reason) : unreachable(to, reason, address);
  }

  async #throughProxy(to: Destination, proxy: ProxyConfig, signal: AbortSignal): Promise<Socket> {
    const targets = proxy.resolves ? [leftToProxy(to.host)] : await this.addresses(to.host, signal);
    /* Where the operator put the proxy is the operator's business: its address is not judged. */
    const isAddress = addressFamily(proxy.host) !== null;
    const found = isAddress ? [proxy.host] : await this.#resolve(proxy.host, signal);
    const endpoints = interleave(found).map((address): Endpoint => ({ address, port: proxy.port }));
    let reason = 'proxy_unresolved';
    for (const target of targets) {
      const connected = await connectFirst(endpoints.slice(0, limits.upstreamAddressesMax), signal);
      if (!connected.ok) {
        const { reason: why, address } = connected.error;
        throw isExhaustion(why) ? this.#exhausted(why) : unreachable(to, `proxy_${why}`, address);
      }
      const place = { host: target, port: to.port };
      const tunnelled = await tunnel(connected.value, place, proxy.credentials, signal);
      if (tunnelled.ok) return tunnelled.value;
      reason = tunnelled.error;
      if (!WORTH_ANOTHER_ADDRESS.test(reason)) break;
    }
    throw unreachable(to, reason, targets.at(-1) ?? '');
  }

  async #resolve(host: string, signal?: AbortSignal): Promise<readonly string[]> {
    const { promise: expired, reject } = Promise.withResolvers<never>();
    const giveUp = (): void => reject(new Error('timed out'));
    const timer = setTimeout(giveUp, limits.upstreamConnectTimeoutMs);
    signal?.addEventListener('abort', giveUp, { once: true });
    if (signal?.aborted === true) giveUp();
    try {
      return await Promise.race([this.#ask(host), expired]);
    } catch (error) {
      const reason = reasonOf(error);
      if (isExhaustion(reason)) throw this.#exhausted(reason);
      throw Refusal.of('egress_upstream_unresolved', { host }, { reason });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', giveUp);
    }
  }

  #exhausted(reason: string): Refusal {
    this.#descriptors.tell();
    return Refusal.of('egress_descriptors_limit', { reason });
  }

  #ask(host: string): Promise<readonly string[]> {
    const known = this.#asked.get(host);
    if (known !== undefined) return known;
    const asked = this.#resolver.resolve(host).finally(() => this.#asked.delete(host));
    this.#asked.set(host, asked);
    return asked;
  }
}

/** What listens here on every address is as little meant for cells as what listens on loopback. */
function classify(address: string, own: ReadonlySet<string>): string {
  const kind = classifyAddress(address);
  return kind === 'public' && own.has(octetsOf(address)) ? 'own_machine' : kind;
}

/** @throws Refusal where a name, or an address, is special by itself */
function leftToProxy(host: string): string {
  const kind = classifyAddress(host);
  const reason = kind === 'invalid' ? localNameReason(host) : kind === 'public' ? null : kind;
  if (reason === null) return host;
  throw Refusal.of('egress_upstream_address_refused', { host, reason });
}

const unreachable = ({ host, port }: Destination, reason: string, address: string): Refusal =>
  Refusal.of('egress_upstream_unreachable', { host, port, reason }, { address });
