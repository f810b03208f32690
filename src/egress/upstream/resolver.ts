/**
 * Names to addresses, outside of the cells. The hosts file comes first, then DNS with the lifetimes that its answers
 * carry, and what neither knows (search domains, mDNS, a directory) is asked of the system. Answers are kept for as
 * long as they say, within limits. Nothing here judges an address: that is done at each dial, so that a kept answer
 * is no way around a rule. Whoever asks sees to it that one name is asked for once at a time.
 */
import { lookup, Resolver as DnsResolver } from 'node:dns/promises';
import { type Clock, limits } from '../../kernel/index.ts';
import { HostsFile } from './resolver-hosts.ts';
import type { Resolver } from '../ports.ts';

/** One address as DNS gave it. */
export interface DnsRecord {
  readonly address: string;
  /** Seconds. */
  readonly ttl: number;
}

/** Where answers come from. Each rejects, with the reason as `code`, where it has none. */
export interface ResolverSources {
  /** Addresses of the hosts file; none for most names. */
  hosts(name: string): Promise<readonly string[]>;
  /** One question to DNS. */
  dns(name: string, family: 4 | 6): Promise<readonly DnsRecord[]>;
  /** The system's own way, whatever it is configured to be. */
  system(name: string): Promise<readonly string[]>;
}

interface Known {
  /** Empty: there is none. */
  readonly addresses: readonly string[];
  /** Why there is none. */
  readonly failure: unknown;
  /** Monotonic milliseconds. */
  readonly until: number;
}

interface Answer {
  readonly addresses: readonly string[];
  readonly ttlMs: number;
}

/** IPv6 first (RFC 6724). */
const FAMILIES = [6, 4] as const;
const LOOPBACK = ['127.0.0.1', '::1'];
/** `localhost` and what is below it never goes to DNS (RFC 6761 section 6.3). */
const isLocalhost = (name: string): boolean => name === 'localhost' || name.endsWith('.localhost');

/**
 * What the machine offers. Its DNS servers are looked up for each question: they change with the network.
 *
 * @param servers other ones, for tests
 */
export function systemSources(clock: Clock, servers: readonly string[] = []): ResolverSources {
  const file = new HostsFile(clock);
  return {
    hosts: (name) => file.addresses(name),
    async dns(name, family) {
      const resolver = new DnsResolver({
        timeout: limits.resolverTryTimeoutMs,
        tries: limits.resolverTriesMax,
      });
      if (servers.length > 0) resolver.setServers(servers);
      return family === 4 ? resolver.resolve4(name, { ttl: true }) : resolver.resolve6(name, { ttl: true });
    },
    async system(name) {
      const found = await lookup(name, { all: true, order: 'verbatim' });
      return found.map(({ address }) => address);
    },
  };
}

export const createSystemResolver = (clock: Clock): Resolver =>
  new CachingResolver(systemSources(clock), clock);

export class CachingResolver implements Resolver {
  readonly #sources: ResolverSources;
  readonly #clock: Clock;
  /** By name, least recently asked for first. */
  readonly #known = new Map<string, Known>();
  /** Questions to the system that are under way, and those that wait: each takes a thread that others need too. */
  #systemBusy = 0;
  readonly #systemQueue: (() => void)[] = [];

  constructor(sources: ResolverSources, clock: Clock) {
    this.#sources = sources;
    this.#clock = clock;
  }

  /** @throws whatever the last source said that was asked */
  async resolve(host: string): Promise<readonly string[]> {
    const fixed = await this.#sources.hosts(host);
    if (fixed.length > 0) return fixed;
    if (isLocalhost(host)) return LOOPBACK;
    const known = this.#recall(host);
    if (known === null) return this.#ask(host);
    if (known.addresses.length === 0) throw known.failure;
    return known.addresses;
  }

  async #ask(host: string): Promise<readonly string[]> {
    try {
      const { addresses, ttlMs } = await this.#askAll(host);
      this.#keep(host, addresses, null, ttlMs);
      return addresses;
    } catch (error) {
      this.#keep(host, [], error, limits.resolverNegativeTtlMs);
      throw error;
    }
  }

  async #askAll(host: string): Promise<Answer> {
    /* A single label means something only to the system, which knows what to append to it. */
    const found = host.includes('.') ? await this.#askDns(host) : null;
    if (found !== null) return found;
    return { addresses: await this.#askSystem(host), ttlMs: limits.resolverUntimedTtlMs };
  }

  /**
   * Both families at once; null when DNS knows neither, or does not answer. When one is there, the other may be late,
   * but not by much (RFC 8305 section 3); what is known without it is soon asked for again.
   */
  async #askDns(host: string): Promise<Answer | null> {
    const { promise: enough, resolve } = Promise.withResolvers<void>();
    const found: (readonly DnsRecord[] | null)[] = [null, null];
    let late: NodeJS.Timeout | undefined;
    for (const [index, family] of FAMILIES.entries()) {
      void this.#sources.dns(host, family).then(
        (records) => arrived(index, records),
        () => arrived(index, []),
      );
    }
    function arrived(index: number, records: readonly DnsRecord[]): void {
      found[index] = records;
      if (!found.includes(null)) resolve();
      else if (records.length > 0) late = setTimeout(resolve, limits.resolverOtherFamilyWaitMs);
    }
    await enough;
    clearTimeout(late);
    const records = found.flatMap((part) => part ?? []);
    if (records.length === 0) return null;
    const ttlMs = found.includes(null) ? 0 : Math.min(...records.map(({ ttl }) => ttl)) * 1_000;
    return { addresses: records.map(({ address }) => address), ttlMs };
  }

  async #askSystem(host: string): Promise<readonly string[]> {
    if (this.#systemBusy < limits.resolverSystemAtOnceMax) this.#systemBusy += 1;
    else await new Promise<void>((resolve) => void this.#systemQueue.push(resolve));
    try {
      return await this.#sources.system(host);
    } finally {
      const next = this.#systemQueue.shift();
      if (next === undefined) this.#systemBusy -= 1;
      else next();
    }
  }

  #recall(host: string): Known | null {
    const known = this.#known.get(host);
    if (known === undefined) return null;
    this.#known.delete(host);
    if (this.#clock.monotonic() >= known.until) return null;
    this.#known.set(host, known);
    return known;
  }

  #keep(host: string, addresses: readonly string[], failure: unknown, ttlMs: number): void {
    const keptMs = Math.min(Math.max(ttlMs, limits.resolverTtlMsMin), limits.resolverTtlMsMax);
    this.#known.delete(host);
    this.#known.set(host, { addresses, failure, until: this.#clock.monotonic() + keptMs });
    if (this.#known.size <= limits.resolverNamesMax) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }
}
