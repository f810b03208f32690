import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  CachingResolver,
  type DnsRecord,
  type ResolverSources,
  systemSources,
} from '../../../src/egress/upstream/resolver.ts';
import { HostsFile, parseHosts } from '../../../src/egress/upstream/resolver-hosts.ts';
import { fixedClock, limits, systemClock } from '../../../src/kernel/index.ts';
import { DNS_TYPE_A, encodeDnsAnswer, parseDnsQuery } from '../../../src/wire/index.ts';

const V4: DnsRecord = { address: '203.0.114.1', ttl: 20 };
const V6: DnsRecord = { address: '2001:4860::1', ttl: 5 };
const refused = (code: string) => Object.assign(new Error(code), { code });

interface Played extends ResolverSources {
  readonly asked: string[];
}

/** Sources that say what they are told to, and keep what they were asked. */
function sources(over: Partial<ResolverSources> = {}): Played {
  const asked: string[] = [];
  const told: ResolverSources = {
    hosts: async () => [],
    dns: async (_name, family) => [family === 4 ? V4 : V6],
    system: () => Promise.reject(refused('ENOTFOUND')),
    ...over,
  };
  return {
    asked,
    hosts: (name) => told.hosts(name),
    dns(name, family) {
      asked.push(`dns${family} ${name}`);
      return told.dns(name, family);
    },
    system(name) {
      asked.push(`system ${name}`);
      return told.system(name);
    },
  };
}

describe('names outside of the cells', () => {
  it('have the addresses of both families, for as long as the shorter-lived of them', async () => {
    const [played, clock] = [sources(), fixedClock(0)];
    const resolver = new CachingResolver(played, clock);
    expect(await resolver.resolve('api.test')).toEqual([V6.address, V4.address]);
    clock.advance(4_999);
    expect(await resolver.resolve('api.test')).toEqual([V6.address, V4.address]);
    expect(played.asked).toEqual(['dns6 api.test', 'dns4 api.test']);
    clock.advance(1);
    await resolver.resolve('api.test');
    expect(played.asked).toHaveLength(4);
  });

  it.each([
    ['at least', 0, limits.resolverTtlMsMin],
    ['at most', 86_400, limits.resolverTtlMsMax],
  ])('are kept %s so long', async (_name, ttl, keptMs) => {
    const clock = fixedClock(0);
    const played = sources({ dns: async () => [{ address: V4.address, ttl }] });
    const resolver = new CachingResolver(played, clock);
    await resolver.resolve('api.test');
    clock.advance(keptMs - 1);
    await resolver.resolve('api.test');
    expect(played.asked).toHaveLength(2);
    clock.advance(1);
    await resolver.resolve('api.test');
    expect(played.asked).toHaveLength(4);
  });

  it('are in the hosts file first, whatever was known of them before', async () => {
    let fixed: readonly string[] = [];
    const played = sources({ hosts: async () => fixed });
    const resolver = new CachingResolver(played, fixedClock(0));
    expect(await resolver.resolve('api.test')).toHaveLength(2);
    fixed = ['10.0.0.9'];
    expect(await resolver.resolve('api.test')).toEqual(['10.0.0.9']);
    expect(played.asked).toHaveLength(2);
  });

  it('below localhost are this machine, and nobody is asked', async () => {
    const played = sources();
    const resolver = new CachingResolver(played, fixedClock(0));
    expect(await resolver.resolve('localhost')).toEqual(['127.0.0.1', '::1']);
    expect(await resolver.resolve('a.localhost')).toEqual(['127.0.0.1', '::1']);
    expect(played.asked).toEqual([]);
  });

  it('do not wait long for the second family, and are asked for again soon without it', async () => {
    const clock = fixedClock(0);
    const never = new Promise<readonly DnsRecord[]>(() => undefined);
    const dns: ResolverSources['dns'] = async (_name, family) => (family === 4 ? [V4] : never);
    const played = sources({ dns });
    const resolver = new CachingResolver(played, clock);
    expect(await resolver.resolve('api.test')).toEqual([V4.address]);
    clock.advance(limits.resolverTtlMsMin);
    await resolver.resolve('api.test');
    expect(played.asked).toHaveLength(4);
  });

  it.each([
    ['does not know them', () => Promise.reject(refused('ENOTFOUND'))],
    ['has no address for them', async () => []],
    ['does not answer', () => Promise.reject(refused('ETIMEOUT'))],
  ])('are asked of the system where DNS %s', async (_name, dns) => {
    const clock = fixedClock(0);
    const played = sources({ dns, system: async () => ['203.0.114.2'] });
    const resolver = new CachingResolver(played, clock);
    expect(await resolver.resolve('api.test')).toEqual(['203.0.114.2']);
    clock.advance(limits.resolverUntimedTtlMs - 1);
    await resolver.resolve('api.test');
    expect(played.asked).toEqual(['dns6 api.test', 'dns4 api.test', 'system api.test']);
  });

  it('of one label are for the system alone', async () => {
    const played = sources({ system: async () => ['203.0.114.2'] });
    expect(await new CachingResolver(played, fixedClock(0)).resolve('intranet')).toEqual(['203.0.114.2']);
    expect(played.asked).toEqual(['system intranet']);
  });

  it('that do not exist are not asked for again at once', async () => {
    const clock = fixedClock(0);
    const played = sources({ dns: () => Promise.reject(refused('ENOTFOUND')) });
    const resolver = new CachingResolver(played, clock);
    for (const wait of [0, limits.resolverNegativeTtlMs - 1]) {
      clock.advance(wait);
      await expect(resolver.resolve('none.test')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    }
    expect(played.asked).toHaveLength(3);
    clock.advance(1);
    await expect(resolver.resolve('none.test')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    expect(played.asked).toHaveLength(6);
  });

  it('are remembered up to a number, the longest unused forgotten first', async () => {
    const played = sources();
    const resolver = new CachingResolver(played, fixedClock(0));
    for (let index = 0; index < limits.resolverNamesMax; index += 1) await resolver.resolve(`n${index}.test`);
    await resolver.resolve('n0.test');
    await resolver.resolve('one-more.test');
    const before = played.asked.length;
    await resolver.resolve('n0.test');
    expect(played.asked).toHaveLength(before);
    await resolver.resolve('n1.test');
    expect(played.asked).toHaveLength(before + 2);
  });

  it('wait for each other where each takes a thread', async () => {
    let [busy, most] = [0, 0];
    const released: (() => void)[] = [];
    const system = async (): Promise<readonly string[]> => {
      busy += 1;
      most = Math.max(most, busy);
      await new Promise<void>((resolve) => void released.push(resolve));
      busy -= 1;
      return ['203.0.114.2'];
    };
    const resolver = new CachingResolver(sources({ system }), fixedClock(0));
    const names = Array.from({ length: 8 }, (_, index) => `label${index}`);
    let done = false;
    const all = Promise.all(names.map((name) => resolver.resolve(name))).then(() => {
      done = true;
    });
    while (!done) {
      released.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await all;
    expect(most).toBe(limits.resolverSystemAtOnceMax);
  });
});

describe('the hosts file', () => {
  it('gives canonical names and addresses, and skips what is neither', () => {
    const text = [
      '127.0.0.1\tlocalhost  Api.Test. # the machine',
      '#10.0.0.1 commented.test',
      '0:0:0:0:0:0:0:1 api.test',
      '010.0.0.1 octal.test',
      'fe80::1%eth0 zone.test',
      '10.0.0.2 under_score.test good.test',
      '10.0.0.3',
      '10.0.0.2 good.test\r',
    ].join('\n');
    expect(Object.fromEntries(parseHosts(text))).toEqual({
      localhost: ['127.0.0.1'],
      'api.test': ['127.0.0.1', '::1'],
      'good.test': ['10.0.0.2'],
    });
  });

  it('is read again when it has changed, and forgotten when it is gone', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'hosts-test-'));
    const path = join(dir, 'hosts');
    const clock = fixedClock(0);
    const file = new HostsFile(clock, path);
    try {
      expect(await file.addresses('api.test')).toEqual([]);
      writeFileSync(path, '10.0.0.1 api.test\n');
      expect(await file.addresses('api.test')).toEqual([]); // looked at a moment ago
      clock.advance(limits.resolverHostsCheckMs);
      expect(await file.addresses('api.test')).toEqual(['10.0.0.1']);
      writeFileSync(path, '10.0.0.22 api.test\n');
      clock.advance(limits.resolverHostsCheckMs);
      expect(await file.addresses('api.test')).toEqual(['10.0.0.22']);
      writeFileSync(path, `10.0.0.3 api.test\n${'#'.repeat(limits.resolverHostsBytesMax)}\n`);
      clock.advance(limits.resolverHostsCheckMs);
      expect(await file.addresses('api.test')).toEqual([]);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe('DNS as the machine does it', () => {
  it('gives the lifetimes that the server said', async () => {
    const server = createSocket('udp4');
    server.on('message', (bytes, { port, address }) => {
      const query = parseDnsQuery(bytes);
      if (!query.ok) throw new Error(query.error);
      const addresses = query.value.type === DNS_TYPE_A ? [V4.address] : [];
      const answer = { code: 'noerror', addresses, ttlSeconds: 77, transport: 'udp' } as const;
      server.send(encodeDnsAnswer(query.value, answer), port, address);
    });
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const dns = systemSources(systemClock, [`127.0.0.1:${server.address().port}`]);
      expect(await dns.dns('api.test', 4)).toMatchObject([{ address: V4.address, ttl: 77 }]);
      await expect(dns.dns('api.test', 6)).rejects.toMatchObject({ code: 'ENODATA' });
      expect(await new CachingResolver(dns, fixedClock(0)).resolve('api.test')).toEqual([V4.address]);
    } finally {
      server.close();
    }
  });
});
